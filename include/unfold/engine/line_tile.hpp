// SPDX-License-Identifier: MIT
// The register tiles of a sum over pixels, in vector extensions.
//   c [rows, columns] (+)= sum over pixels p of source[offsets[row] + p] * b[p, columns]
// The pixels stand in the lines of images, where they lie; b is packed, `columns` one vector or two. The sum of an
// element runs over the pixels in order, whatever the tile's height and width or the element's place in it.
#pragma once

#include <unfold/engine/tile.hpp>

namespace unfold::engine {

/// Pixels in lines of images: pixel (n, i, q) lies at n*image + i*line + q.
struct Lines {
  Index length, lines, line, images, image;

  /// A single line of them.
  static Lines one(Index length) { return {length, 1, 0, 1, 0}; }
};

/// c has row stride `c_row` and is overwritten or added to.
template <class T>
using LineTileFunction = void (*)(Lines pixels, const T* source, const Index* offsets, const T* b, T* c, Index c_row,
                                  bool overwrite);

template <class T, int Rows, int Vectors>
struct LineTile {
  template <int VectorBytes>
  [[gnu::always_inline]] static void body(Lines pixels, const T* source, const Index* offsets, const T* b, T* c,
                                          Index c_row, bool overwrite) {
    using Vector = typename VectorOf<T, VectorBytes>::InRegister;
    using Memory = typename VectorOf<T, VectorBytes>::InMemory;
    constexpr Index L = VectorOf<T, VectorBytes>::lanes;
    Vector sum[Rows][Vectors] = {};  // [Rows, Vectors*L]
    Index row[Rows];
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) row[r] = offsets[r];
    prefetch_tile<T, VectorBytes, Rows, Vectors>(c, c_row, 0);
    for (Index n = 0; n < pixels.images; ++n) {
      for (Index i = 0; i < pixels.lines; ++i) {
        const T* pixel = source + n * pixels.image + i * pixels.line;
        for (Index q = 0; q < pixels.length; ++q, ++pixel, b += Vectors * L) {
          asm("" : "+r"(pixel));  // else there are as many pointers to move as rows
          Vector column[Vectors];
#pragma GCC unroll 2
          for (int v = 0; v < Vectors; ++v) column[v] = *reinterpret_cast<const Memory*>(b + v * L);
#pragma GCC unroll 16
          for (int r = 0; r < Rows; ++r) {
            const T factor = pixel[row[r]];
#pragma GCC unroll 2
            for (int v = 0; v < Vectors; ++v) sum[r][v] += factor * column[v];
          }
        }
      }
    }
    store_tile<T, VectorBytes>(sum, c, c_row, 0, overwrite);
  }
};

/// The line tiles of one width.
template <class T>
struct LineTiles : Heights<LineTileFunction<T>> {
  /// c (+)= the sums of any number of rows, without a gap in c: in the highest tiles that they fill.
  void run(Index n, const Lines& pixels, const T* source, const Index* offsets, const T* b, T* c, Index c_row,
           bool overwrite) const {
    while (n > 0) {
      const Index height = this->highest(n);
      this->of_height[height](pixels, source, offsets, b, c, c_row, overwrite);
      n -= height, offsets += height, c += height * c_row;
    }
  }
};

template <class T, class Set, int Vectors, int... Rows>
consteval LineTiles<T> line_tiles_of() {
  LineTiles<T> tiles{};
  ((tiles.rows = Rows,
    tiles.of_height[Rows] =
        &Set::template run<LineTile<T, Rows, Vectors>, Lines, const T*, const Index*, const T*, T*, Index, bool>),
   ...);
  return tiles;
}

/// The line tiles of one instruction set; [v] of v+1 vectors.
template <class T>
struct LineTileSet {
  LineTiles<T> of_vectors[2];
};

template <class T, class Set>
constexpr LineTileSet<T> line_tile_set_of() {
  if constexpr (Set::registers == 32) {
    return {{line_tiles_of<T, Set, 1, 1, 4, 12>(), line_tiles_of<T, Set, 2, 1, 2, 4, 8, 12>()}};
  } else {
    return {{line_tiles_of<T, Set, 1, 1, 6>(), line_tiles_of<T, Set, 2, 1, 2, 6>()}};
  }
}

}  // namespace unfold::engine
