// SPDX-License-Identifier: MIT
// Packing for the tiles: filters in panels of rows, a gradient transposed, a tile put back in its place.
#pragma once

#include <unfold/engine/stencil.hpp>

namespace unfold::engine {

/// A matrix of any two strides, in elements.
template <class T>
struct Strided {
  T* data;
  Index row, col;

  T& operator()(Index i, Index j) const { return data[i * row + j * col]; }
  operator Strided<const T>() const { return {data, row, col}; }
};

/// Filters of any strides: element (m, c, kh, kw).
template <class T>
struct Filters {
  T* data;
  Index m, c, kh, kw;
};

/// to[j*to_row + i] = from[i*from_row + j], i < rows, j < columns.
template <class T>
void transpose(const T* from, Index from_row, Index rows, Index columns, T* to, Index to_row) {
  constexpr Index L = 16 / static_cast<Index>(sizeof(T));
  typedef T Vector [[gnu::vector_size(16)]];
  typedef T Memory [[gnu::vector_size(16), gnu::aligned(alignof(T)), gnu::may_alias]];
  Index i = 0;
  for (; i + L <= rows; i += L) {
    const T* const row = from + i * from_row;
    Index j = 0;
    for (; j + L <= columns; j += L) {
      if constexpr (L == 4) {
        const Vector a = *reinterpret_cast<const Memory*>(row + j);
        const Vector b = *reinterpret_cast<const Memory*>(row + from_row + j);
        const Vector c = *reinterpret_cast<const Memory*>(row + 2 * from_row + j);
        const Vector d = *reinterpret_cast<const Memory*>(row + 3 * from_row + j);
        const Vector ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab1 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
        const Vector cd0 = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd1 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
        T* const out = to + j * to_row + i;
        *reinterpret_cast<Memory*>(out) = __builtin_shufflevector(ab0, cd0, 0, 1, 4, 5);
        *reinterpret_cast<Memory*>(out + to_row) = __builtin_shufflevector(ab0, cd0, 2, 3, 6, 7);
        *reinterpret_cast<Memory*>(out + 2 * to_row) = __builtin_shufflevector(ab1, cd1, 0, 1, 4, 5);
        *reinterpret_cast<Memory*>(out + 3 * to_row) = __builtin_shufflevector(ab1, cd1, 2, 3, 6, 7);
      } else {
        const Vector a = *reinterpret_cast<const Memory*>(row + j);
        const Vector b = *reinterpret_cast<const Memory*>(row + from_row + j);
        T* const out = to + j * to_row + i;
        *reinterpret_cast<Memory*>(out) = __builtin_shufflevector(a, b, 0, 2);
        *reinterpret_cast<Memory*>(out + to_row) = __builtin_shufflevector(a, b, 1, 3);
      }
    }
    for (; j < columns; ++j) {
      for (Index r = 0; r < L; ++r) to[j * to_row + i + r] = row[r * from_row + j];
    }
  }
  for (; i < rows; ++i) {
    for (Index j = 0; j < columns; ++j) to[j * to_row + i] = from[i * from_row + j];
  }
}

/// Packs alpha * filters for the tiles: rows in panels of `height`, the last one filled up to `last` with zeros;
/// each [depth, panel]. The depth runs over channels, kernel rows, kernel columns.
template <class T>
void pack_filters(const Filters<const T>& a, Index begin, Index rows, Index height, Index last, Index channel, Index channels,
                  const Axis& h, const Axis& w, T alpha, T* packed) {
  const Index depth = channels * h.taps * w.taps;
  T* const start = packed;
  const bool in_order = w.kernel_step == 1 && h.kernel_step == 1 && a.kw == 1 && (h.taps == 1 || a.kh == w.taps) &&
                        (channels == 1 || a.c == h.taps * w.taps);
  for (Index i = 0; i < rows; i += height) {
    const Index used = std::min(height, rows - i), panel = i + height < rows ? height : last;
    const T* const first = a.data + (begin + i) * a.m + channel * a.c + h.kernel_first * a.kh + w.kernel_first * a.kw;
    if (in_order) {
      transpose(first, a.m, used, depth, packed, panel);
      for (Index k = 0; k < depth; ++k, packed += panel) std::fill_n(packed + used, panel - used, T(0));
      continue;
    }
    for (Index c = 0; c < channels; ++c) {
      for (Index kh = 0; kh < h.taps; ++kh) {
        for (Index kw = 0; kw < w.taps; ++kw, packed += panel) {
          const T* const from = first + c * a.c + kh * h.kernel_step * a.kh + kw * w.kernel_step * a.kw;
          for (Index r = 0; r < used; ++r) packed[r] = from[r * a.m];
          std::fill_n(packed + used, panel - used, T(0));
        }
      }
    }
  }
  if (alpha != T(1)) {
    for (T* p = start; p != packed; ++p) *p *= alpha;
  }
}

/// Packs the transposed filters of `scatter`: rows are taps, in panels of `height`, each [depth, panel]; the depth
/// runs over the channels [begin, begin + depth) of dy. Element: a(channel, dy channel, tap) in a.m, a.c, a.kh, a.kw.
template <class T>
void pack_taps(const Filters<const T>& a, Index begin, Index depth, Index height, Index last,
               Index channel, Index channels, const Axis& h, const Axis& w, T alpha, T* packed) {
  const Index taps = channels * h.taps * w.taps;
  for (Index i = 0; i < taps; i += height) {
    const Index used = std::min(height, taps - i), panel = i + height < taps ? height : last;
    for (Index r = used; r < panel; ++r) {
      for (Index k = 0; k < depth; ++k) packed[k * panel + r] = T(0);
    }
    for (Index r = 0; r < used; ++r) {
      const Index tap = i + r, c = tap / (h.taps * w.taps), kh = tap / w.taps % h.taps, kw = tap % w.taps;
      const T* const from = a.data + (channel + c) * a.m + begin * a.c + (h.kernel_first + kh * h.kernel_step) * a.kh +
                            (w.kernel_first + kw * w.kernel_step) * a.kw;
      for (Index k = 0; k < depth; ++k) packed[k * panel + r] = alpha * from[k * a.c];
    }
    packed += panel * depth;
  }
}

/// Packs the pixels of a block of y's channels [0, depth) for the tiles: panels of set.columns pixels, each
/// [depth, columns], the last filled up with zeros.
template <class T>
void pack_pixels(const Tiles<T>& set, const Batch<const T>& y, const PixelBlock& block, Index depth, T* packed) {
  Run runs[most_columns<T>];
  for (Index at = 0; at < block.pixels(); at += set.columns, packed += depth * set.columns) {
    const Index width = std::min(set.columns, block.pixels() - at);
    const Index used = block.runs(at, width, y.n, y.h, runs, y.w);
    for (Index k = 0; k < depth; ++k) {
      T* const to = packed + k * set.columns;
      for (Index u = 0; u < used; ++u) {
        const T* const from = y.data + k * y.c + runs[u].from;
        for (Index p = 0; p < runs[u].count; ++p) to[runs[u].at + p] = from[p * y.w];
      }
      std::fill_n(to + width, set.columns - width, T(0));
    }
  }
}

/// packed[pixel*width + r] = dy(channel r, pixel) for the pixels of the runs; zero for rows past `rows`.
template <class T>
void pack_transposed(const Batch<const T>& dy, Index rows, const Run* runs, Index used, Index count, Index width,
                     T* packed) {
  for (Index u = 0; u < used; ++u) {
    T* const to = packed + runs[u].at * width;
    if (dy.w == 1) {
      transpose(dy.data + runs[u].from, dy.c, rows, runs[u].count, to, width);
    } else {
      for (Index p = 0; p < runs[u].count; ++p) {
        for (Index r = 0; r < rows; ++r) to[p * width + r] = dy.data[r * dy.c + runs[u].from + p * dy.w];
      }
    }
  }
  for (Index p = 0; p < count && rows < width; ++p) std::fill_n(packed + p * width + rows, width - rows, T(0));
}

/// Puts the rows of a tile back to the runs of y.
template <class T>
void store_tile(const T* tile, Index tile_row, Index rows, const Run* runs, Index used, T* y, Index y_row, Index y_step,
                bool overwrite) {
  for (Index s = 0; s < rows; ++s) {
    for (Index u = 0; u < used; ++u) {
      T* const to = y + s * y_row + runs[u].from;
      const T* const from = tile + s * tile_row + runs[u].at;
      for (Index p = 0; p < runs[u].count; ++p) to[p * y_step] = overwrite ? from[p] : to[p * y_step] + from[p];
    }
  }
}

}  // namespace unfold::engine
