// SPDX-License-Identifier: MIT
// The three products of a convolution, for one group, blocked over packed panels of bounded size:
//   forward   y  (+)= a * im2col(x)           a [M, K], y [M, P]
//   weights   dw (+)= dy * im2col(x)^T        dy [M, P], dw [M, K]
//   input     dx  += col2im(a * dy)           a [K, M], dy [M, P]
// Blocks and tasks depend on the geometry alone; every element's sum runs in one fixed order.
#pragma once

#include <unfold/core/threads.hpp>
#include <unfold/engine/patches.hpp>

namespace unfold::engine {

/// A matrix of any two strides, in elements.
template <class T>
struct Strided {
  T* data;
  Index row, col;

  T& operator()(Index i, Index j) const { return data[i * row + j * col]; }
  Strided from(Index i, Index j) const { return {data + i * row + j * col, row, col}; }
  operator Strided<const T>() const { return {data, row, col}; }
};

/// Sizes of the packed blocks, in elements: b takes 1 MiB, and all that a product needs fits the workspace.
template <class T>
struct Blocks {
  static constexpr Index depth = 384;  // of a block of a and b: one run of a tile
  static constexpr Index rows = 112;   // of a block of a
  static constexpr Index pixels = (Index{1} << 20) / (depth * static_cast<Index>(sizeof(T))) / 32 * 32;
  static constexpr Index taps = 256;  // of one task of the weight gradient
  static constexpr Index a = (rows + most_rows) * depth;
  static constexpr Index b = (pixels + most_columns<T>)*depth;
  static constexpr Index c_row = pixels + most_columns<T>;
  static constexpr Index c = rows * c_row;
  static_assert(taps <= pixels && (a + b + c) * static_cast<Index>(sizeof(T)) <= workspace_bytes - 4096,
                "the blocks of every product fit the workspace");
};

/// Packs alpha * a[0..rows, 0..depth] for the tiles: panels of the tiles' heights, each [depth, height].
template <class T>
void pack_rows(const Strided<const T>& a, Index rows, Index depth, const Tiles<T>& tiles, T alpha, T* packed) {
  for (Index i = 0; i < rows;) {
    const Index height = tiles.height(rows - i);
    const Index used = std::min(height, rows - i);
    for (Index k = 0; k < depth; ++k, packed += height) {
      for (Index r = 0; r < used; ++r) packed[r] = alpha * a(i + r, k);
      for (Index r = used; r < height; ++r) packed[r] = T(0);
    }
    i += used;
  }
}

/// c [rows, columns] (+)= a^T * b over packed panels: b in panels of tiles.columns, a of tiles.height.
/// `store(i, j, tile_rows, tile_columns, tile, tile_row)` takes a tile that does not lie in c directly;
/// `place(i, j, tile_rows, tile_columns)` gives the tile's memory in c, and its row stride, or nullptr.
template <class T, class Place, class Store>
void multiply_packed(const Tiles<T>& tiles, Index rows, Index columns, Index depth, const T* a, const T* b,
                     bool overwrite, const Place& place, const Store& store) {
  T scratch[most_rows * most_columns<T>];
  for (Index j = 0; j < columns; j += tiles.columns, b += depth * tiles.columns) {
    const Index tile_columns = std::min(tiles.columns, columns - j);
    const T* panel = a;
    for (Index i = 0; i < rows;) {
      const Index height = tiles.height(rows - i);
      const Index tile_rows = std::min(height, rows - i);
      const bool whole = tile_rows == height && tile_columns == tiles.columns;
      const Strided<T> direct = whole ? place(i, j) : Strided<T>{nullptr, 0, 0};
      if (direct.data != nullptr) {
        tiles.of_height[height](depth, panel, b, direct.data, direct.row, overwrite);
      } else {
        tiles.of_height[height](depth, panel, b, scratch, tiles.columns, true);
        store(i, j, tile_rows, tile_columns, scratch);
      }
      panel += height * depth;
      i += tile_rows;
    }
  }
}

/// y [M, P] = or += alpha * a [M, K] * im2col(x) [K, P], where y is a channel_patches of M rows.
template <FloatOrDouble T>
void multiply_patches(Strided<const T> a, Patches<const T> x, Patches<T> y, T alpha, bool overwrite) {
  using B = Blocks<T>;
  const Index M = y.rows(), K = x.rows(), P = x.cols();
  const Index row_pixels = y.g.OH * y.g.OW;
  const bool pixels_contiguous = y.stride[3] == 1 && (y.g.OH == 1 || y.stride[2] == y.g.OW);
  const Tiles<T>& set = tiles<T>();
  const Index tasks = (P + B::pixels - 1) / B::pixels;
  detail::parallel_for(tasks, [&](Index task) {
    const Index begin = task * B::pixels, count = std::min(B::pixels, P - begin);
    detail::Workspace workspace;
    T* const b = workspace.take<T>(B::b);
    T* const packed_a = workspace.take<T>(B::a);
    for (Index k = 0; k < K; k += B::depth) {
      const Index depth = std::min(B::depth, K - k);
      const bool first = overwrite && k == 0;
      pack_pixels(x, k, depth, begin, count, set.columns, b);
      for (Index m = 0; m < M; m += B::rows) {
        const Index rows = std::min(B::rows, M - m);
        pack_rows(a.from(m, k), rows, depth, set, alpha, packed_a);
        const auto place = [&](Index i, Index j) -> Strided<T> {
          const Index n = (begin + j) / row_pixels, pixel = (begin + j) % row_pixels;
          if (!pixels_contiguous || pixel + set.columns > row_pixels) return {nullptr, 0, 0};
          return {y.data + n * y.stride[0] + (m + i) * y.stride[1] + pixel, y.stride[1], 1};
        };
        const auto store = [&](Index i, Index j, Index tile_rows, Index tile_columns, const T* tile) {
          unpack_pixels(y, m + i, tile_rows, begin + j, tile_columns, tile, set.columns, first);
        };
        multiply_packed(set, rows, count, depth, packed_a, b, first, place, store);
      }
    }
  });
}

/// dw [M, K] = or += alpha * dy [M, P] * im2col(x)^T [P, K], where dy is a channel_patches of M rows.
template <FloatOrDouble T>
void multiply_patches_transposed(Patches<const T> dy, Patches<const T> x, Strided<T> dw, T alpha, bool overwrite) {
  using B = Blocks<T>;
  const Index M = dy.rows(), K = x.rows(), P = x.cols();
  const Tiles<T>& set = tiles<T>();
  if (P == 0 && overwrite) {
    for (Index m = 0; m < M; ++m) {
      for (Index k = 0; k < K; ++k) dw(m, k) = T(0);
    }
  }
  const Index tap_tasks = (K + B::taps - 1) / B::taps, row_tasks = (M + B::rows - 1) / B::rows;
  detail::parallel_for(tap_tasks * row_tasks, [&](Index task) {
    const Index k = task / row_tasks * B::taps, columns = std::min(B::taps, K - k);
    const Index m = task % row_tasks * B::rows, rows = std::min(B::rows, M - m);
    detail::Workspace workspace;
    T* const b = workspace.take<T>(B::b);
    T* const a = workspace.take<T>(B::a);
    for (Index p = 0; p < P; p += B::depth) {
      const Index depth = std::min(B::depth, P - p);
      const bool first = overwrite && p == 0;
      pack_taps(dy, m, rows, p, depth, [&](Index n) { return set.height(n); }, alpha, a);
      pack_taps(x, k, columns, p, depth, [&](Index) { return set.columns; }, T(1), b);
      const auto place = [&](Index i, Index j) -> Strided<T> {
        if (dw.col != 1) return {nullptr, 0, 0};
        return dw.from(m + i, k + j);
      };
      const auto store = [&](Index i, Index j, Index tile_rows, Index tile_columns, const T* tile) {
        for (Index r = 0; r < tile_rows; ++r) {
          for (Index c = 0; c < tile_columns; ++c) {
            T& to = dw(m + i + r, k + j + c);
            to = first ? tile[r * set.columns + c] : to + tile[r * set.columns + c];
          }
        }
      };
      multiply_packed(set, rows, columns, depth, a, b, first, place, store);
    }
  });
}

/// dx += col2im(a [K, M] * dy [M, P]), where dy is a channel_patches of M rows.
template <FloatOrDouble T>
void add_patches(Strided<const T> a, Patches<const T> dy, Patches<T> dx) {
  using B = Blocks<T>;
  const Index M = dy.rows(), P = dx.cols();
  const Index image_pixels = dx.g.OH * dx.g.OW, kernel = dx.g.KH * dx.g.KW, IC = dx.g.IC / dx.g.G;
  // A task owns some channels of some images, so that no two tasks add to the same element.
  const Index images = std::max<Index>(1, B::pixels / image_pixels);
  const Index channels = std::max<Index>(1, B::depth / kernel);
  const Index image_tasks = (dx.g.N + images - 1) / images, channel_tasks = (IC + channels - 1) / channels;
  const Tiles<T>& set = tiles<T>();
  detail::parallel_for(image_tasks * channel_tasks, [&](Index task) {
    const Index p_begin = task % image_tasks * images * image_pixels;
    const Index p_end = std::min(P, p_begin + images * image_pixels);
    const Index k_begin = task / image_tasks * channels * kernel;
    const Index k_end = std::min(IC * kernel, k_begin + channels * kernel);
    detail::Workspace workspace;
    T* const b = workspace.take<T>(B::b);
    T* const packed_a = workspace.take<T>(B::a);
    T* const c = workspace.take<T>(B::c);
    for (Index p = p_begin; p < p_end; p += B::pixels) {
      const Index count = std::min(B::pixels, p_end - p);
      for (Index k = k_begin; k < k_end; k += B::rows) {
        const Index rows = std::min(B::rows, k_end - k);
        for (Index m = 0; m < M; m += B::depth) {
          const Index depth = std::min(B::depth, M - m);
          pack_pixels(dy, m, depth, p, count, set.columns, b);
          pack_rows(a.from(k, m), rows, depth, set, T(1), packed_a);
          const auto place = [&](Index i, Index j) -> Strided<T> { return {c + i * B::c_row + j, B::c_row, 1}; };
          const auto store = [&](Index i, Index j, Index tile_rows, Index tile_columns, const T* tile) {
            for (Index r = 0; r < tile_rows; ++r) {
              for (Index q = 0; q < tile_columns; ++q) {
                T& to = c[(i + r) * B::c_row + j + q];
                to = m == 0 ? tile[r * set.columns + q] : to + tile[r * set.columns + q];
              }
            }
          };
          multiply_packed(set, rows, count, depth, packed_a, b, m == 0, place, store);
        }
        // Image by image, so that the sums of one run in the same order whatever the batch.
        for (Index q = 0; q < count; q += image_pixels) {
          unpack_pixels(dx, k, rows, p + q, std::min(image_pixels, count - q), c + q, B::c_row, false);
        }
      }
    }
  });
}

}  // namespace unfold::engine
