// SPDX-License-Identifier: MIT
// Kernels for few channels, without packing. Pixels as the vectors, read where they lie in a laid-out source:
//   FewRows   c [rows, pixels] (+)= a * stencil(x)     a few rows of filters
//   Dots      partial sums of dy [rows, pixels] * stencil(x)^T
// Groups as the lanes, one vector a pixel:
//   LaneRows  c [filters, pixels] = a * stencil(x)     group by group
//   LaneDots  dy [pixels] * stencil(x)^T               group by group
#pragma once

#include <unfold/core/shape.hpp>
#include <unfold/engine/isa.hpp>

namespace unfold::engine {

/// c[i, q] = or += sum over k of a[k, i] * source[offsets[k] + q] for the columns q < count of each of `lines` lines;
/// source_line and c_line lead to the next line. c is written, and source read, up to a vector's end past `count`,
/// but where `exact`, the last vector of a line is moved back to end with it: count must be a vector at least then,
/// and c overwritten.
template <class T>
using FewRowsFunction = void (*)(Index depth, const T* a, const T* source, const Index* offsets, Index count,
                                 Index lines, Index source_line, T* c, Index c_row, Index c_line, bool overwrite,
                                 bool exact);

template <class T, int Rows, int Vectors>
struct FewRows {
  template <int VectorBytes>
  [[gnu::always_inline]] static void body(Index depth, const T* a, const T* source, const Index* offsets, Index count,
                                          Index lines, Index source_line, T* c, Index c_row, Index c_line,
                                          bool overwrite, bool exact) {
    constexpr Index L = VectorOf<T, VectorBytes>::lanes, most = Vectors;
    const Index end = exact ? count / L * L : count;
    for (Index line = 0; line < lines; ++line, source += source_line, c += c_line) {
      for (Index q = 0; q < end;) {
        const Index left = (end - q + L - 1) / L;  // in tiles of nearly one width: narrow ones wait for their sums
        const Index v = left <= most ? left : left < 2 * most ? (left + 1) / 2 : most;
        tile<VectorBytes, Vectors>(v, depth, a, source + q, offsets, c + q, c_row, overwrite);
        q += v * L;
      }
      if (exact && end < count) {
        tile<VectorBytes, 1>(1, depth, a, source + count - L, offsets, c + count - L, c_row, overwrite);
      }
    }
  }

 private:
  /// v <= V vectors of columns.
  template <int VectorBytes, int V>
  [[gnu::always_inline]] static void tile(Index v, Index depth, const T* a, const T* source, const Index* offsets, T* c,
                                          Index c_row, bool overwrite) {
    using Vector = typename VectorOf<T, VectorBytes>::InRegister;
    using Memory = typename VectorOf<T, VectorBytes>::InMemory;
    constexpr Index L = VectorOf<T, VectorBytes>::lanes;
    if constexpr (V > 1) {
      if (v < V) return tile<VectorBytes, V - 1>(v, depth, a, source, offsets, c, c_row, overwrite);
    }
    Vector sum[Rows][V] = {};
    for (Index k = 0; k < depth; ++k) {
      const T* const from = source + offsets[k];
#pragma GCC unroll 16
      for (int j = 0; j < V; ++j) {
        Vector b = *reinterpret_cast<const Memory*>(from + j * L);
        hold(b);
#pragma GCC unroll 16
        for (int i = 0; i < Rows; ++i) sum[i][j] += a[k * Rows + i] * b;
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
      for (int j = 0; j < V; ++j) {
        Memory& to = *reinterpret_cast<Memory*>(c + i * c_row + j * L);
        to = overwrite ? sum[i][j] : to + sum[i][j];
      }
    }
  }
};

/// sums[i, t, :] = or += the sum over q of dy[i, q] * source[offsets[t] + q], a vector of partial sums each.
/// dy is zero past `count` up to a vector's end; source is read so far.
template <class T>
using DotsFunction = void (*)(Index count, const T* dy, Index dy_row, const T* source, const Index* offsets, T* sums,
                              Index sums_row, bool overwrite);

template <class T, int Rows, int Taps>
struct Dots {
  template <int VectorBytes>
  [[gnu::always_inline]] static void body(Index count, const T* dy, Index dy_row, const T* source, const Index* offsets,
                                          T* sums, Index sums_row, bool overwrite) {
    using Vector = typename VectorOf<T, VectorBytes>::InRegister;
    using Memory = typename VectorOf<T, VectorBytes>::InMemory;
    constexpr Index L = VectorOf<T, VectorBytes>::lanes;
    const T* from[Taps];
    for (int t = 0; t < Taps; ++t) from[t] = source + offsets[t];
    Vector sum[Rows][Taps] = {};
    for (Index q = 0; q < count; q += L) {
      Vector d[Rows];
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) d[i] = *reinterpret_cast<const Memory*>(dy + i * dy_row + q);
#pragma GCC unroll 16
      for (int t = 0; t < Taps; ++t) {
        const Vector x = *reinterpret_cast<const Memory*>(from[t] + q);
#pragma GCC unroll 16
        for (int i = 0; i < Rows; ++i) sum[i][t] += d[i] * x;
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
      for (int t = 0; t < Taps; ++t) {
        Memory& to = *reinterpret_cast<Memory*>(sums + i * sums_row + t * L);
        to = overwrite ? sum[i][t] : to + sum[i][t];
      }
    }
  }
};

/// Where the pixels of lines lie: pixel (i, q) of line i at i*line + q*step.
struct Raster {
  Index line, step;
};

/// c[m, i, q] = sum over k of a[m, k] * source[offsets[k] + pixel (i, q)] for `count` pixels of `lines` lines, where
/// every element named is a vector.
template <class T>
using LaneRowsFunction = void (*)(Index depth, const T* a, Index filters, Index lines, Index count, const T* source,
                                  const Index* offsets, Raster from, T* c, Index c_filter, Raster to);

template <class T, int PairPixels>
struct LaneRows {
  template <int VectorBytes>
  [[gnu::always_inline]] static void body(Index depth, const T* a, Index filters, Index lines, Index count,
                                          const T* source, const Index* offsets, Raster from, T* c, Index c_filter,
                                          Raster to) {
    constexpr Index L = VectorOf<T, VectorBytes>::lanes;
    for (Index i = 0; i < lines; ++i, source += from.line, c += to.line) {
      Index m = 0;
      for (; m + 2 <= filters; m += 2) {
        line<VectorBytes, 2, PairPixels>(tile_of(count, PairPixels), depth, a + m * depth * L, count, source, offsets,
                                         from.step, c + m * c_filter, c_filter, to.step);
      }
      if (m < filters) {
        line<VectorBytes, 1, 8>(tile_of(count, 8), depth, a + m * depth * L, count, source, offsets, from.step,
                                c + m * c_filter, c_filter, to.step);
      }
    }
  }

 private:
  static Index tile_of(Index count, Index most) {
    const Index tiles = (count + most - 1) / most;
    return (count + tiles - 1) / tiles;
  }

  /// One line in tiles of `pixels` pixels, at most Pixels, the last of them moved back to end with it.
  template <int VectorBytes, int Filters, int Pixels>
  [[gnu::always_inline]] static void line(Index pixels, Index depth, const T* a, Index count, const T* source,
                                          const Index* offsets, Index step, T* c, Index c_filter, Index c_step) {
    if constexpr (Pixels > 1) {
      if (pixels < Pixels) {
        return line<VectorBytes, Filters, Pixels - 1>(pixels, depth, a, count, source, offsets, step, c, c_filter,
                                                      c_step);
      }
    }
    for (Index q = 0; q < count; q += Pixels) {
      q = q + Pixels <= count ? q : count - Pixels;
      tile<VectorBytes, Filters, Pixels>(depth, a, source + q * step, offsets, step, c + q * c_step, c_filter, c_step);
    }
  }

  template <int VectorBytes, int Filters, int Pixels>
  [[gnu::always_inline]] static void tile(Index depth, const T* a, const T* source, const Index* offsets, Index step,
                                          T* c, Index c_filter, Index c_step) {
    using Vector = typename VectorOf<T, VectorBytes>::InRegister;
    using Memory = typename VectorOf<T, VectorBytes>::InMemory;
    constexpr Index L = VectorOf<T, VectorBytes>::lanes;
    Vector sum[Filters][Pixels] = {};
    for (Index k = 0; k < depth; ++k) {
      Vector factor[Filters];
#pragma GCC unroll 2
      for (int m = 0; m < Filters; ++m) factor[m] = *reinterpret_cast<const Memory*>(a + (m * depth + k) * L);
      const T* const from = source + offsets[k];
#pragma GCC unroll 16
      for (int q = 0; q < Pixels; ++q) {
        const Vector x = *reinterpret_cast<const Memory*>(from + q * step);
#pragma GCC unroll 2
        for (int m = 0; m < Filters; ++m) sum[m][q] += factor[m] * x;
      }
    }
#pragma GCC unroll 2
    for (int m = 0; m < Filters; ++m) {
#pragma GCC unroll 16
      for (int q = 0; q < Pixels; ++q) *reinterpret_cast<Memory*>(c + m * c_filter + q * c_step) = sum[m][q];
    }
  }
};

/// sums[t] = or += the sum over the pixels (i, q) of dy[i, q] * source[offsets[t] + pixel (i, q)], where every element
/// named is a vector, for lane_taps offsets.
inline constexpr Index lane_taps = 9;
template <class T>
using LaneDotsFunction = void (*)(Index lines, Index count, const T* dy, const T* source, const Index* offsets,
                                  Raster from, T* sums, bool overwrite);

template <class T>
struct LaneDots {
  template <int VectorBytes>
  [[gnu::always_inline]] static void body(Index lines, Index count, const T* dy, const T* source, const Index* offsets,
                                          Raster from, T* sums, bool overwrite) {
    using Vector = typename VectorOf<T, VectorBytes>::InRegister;
    using Memory = typename VectorOf<T, VectorBytes>::InMemory;
    constexpr Index L = VectorOf<T, VectorBytes>::lanes;
    const T* tap[lane_taps];
    for (int t = 0; t < lane_taps; ++t) tap[t] = source + offsets[t];
    Vector sum[lane_taps] = {};
    for (Index i = 0; i < lines; ++i) {
      for (Index q = 0; q < count; ++q, dy += L) {
        const Vector d = *reinterpret_cast<const Memory*>(dy);
        const Index at = i * from.line + q * from.step;
#pragma GCC unroll 16
        for (int t = 0; t < lane_taps; ++t) sum[t] += d * *reinterpret_cast<const Memory*>(tap[t] + at);
      }
    }
#pragma GCC unroll 16
    for (int t = 0; t < lane_taps; ++t) {
      Memory& to = *reinterpret_cast<Memory*>(sums + t * L);
      to = overwrite ? sum[t] : to + sum[t];
    }
  }
};

}  // namespace unfold::engine
