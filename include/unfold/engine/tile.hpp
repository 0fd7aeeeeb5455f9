// SPDX-License-Identifier: MIT
// The register tiles: blocks of a matrix product that stay in registers, in vector extensions.
//   c [rows, columns] (+)= sum over k of a(row, k) * b[k, columns],   b packed, `columns` one vector or two
// The rows of `a` are packed together, [depth, rows]; or lie apart, [rows, depth] with a row stride; or are
// neighbours in a laid-out source, at offsets[k] + row; or two stretches of such neighbours, a_row apart. The sum of an element runs over the depth in order,
// whatever the tile's height and width or the element's place in it.
#pragma once

#include <unfold/core/shape.hpp>
#include <unfold/engine/isa.hpp>

namespace unfold::engine {

enum class RowsOf : unsigned char { packed, strided, neighbours, two_stretches };

/// c has row stride `c_row` and is overwritten or added to. a_row and offsets: of the kinds that have them.
template <class T>
using TileFunction = void (*)(Index depth, const T* a, Index a_row, const Index* offsets, const T* b, T* c,
                              Index c_row, bool overwrite);

template <class T, RowsOf Kind, int Rows, int Vectors>
struct Tile {
  template <int VectorBytes>
  [[gnu::always_inline]] static inline void body(Index depth, const T* a, Index a_row, const Index* offsets,
                                                 const T* b, T* c, Index c_row, bool overwrite) {
    typedef T Vector [[gnu::vector_size(VectorBytes)]];
    typedef T Memory [[gnu::vector_size(VectorBytes), gnu::aligned(alignof(T)), gnu::may_alias]];
    constexpr Index L = VectorBytes / static_cast<int>(sizeof(T));  // lanes: elements of a vector
    Vector sum[Rows][Vectors] = {};                                 // [Rows, Vectors*L]
    const T* row_of[Rows];                                          // of strided rows
    for (int i = 0; i < Rows; ++i) row_of[i] = a + i * a_row;
    if constexpr (Kind == RowsOf::packed) {  // c may be far away: its lines come while the sums are made
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
        for (int v = 0; v < Vectors; ++v) __builtin_prefetch(c + i * c_row + v * L, 1);
      }
    }
    for (Index k = 0; k < depth; ++k, b += Vectors * L) {
      Vector column[Vectors];
#pragma GCC unroll 16
      for (int v = 0; v < Vectors; ++v) column[v] = *reinterpret_cast<const Memory*>(b + v * L);
      const T* const at = Kind == RowsOf::packed ? a + k * Rows : Kind == RowsOf::strided ? a : a + offsets[k];
      const T* const second = at + a_row - Rows / 2;  // of two stretches
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) {
        const T factor = Kind == RowsOf::strided                        ? row_of[i][k]
                         : Kind == RowsOf::two_stretches && i >= Rows / 2 ? second[i]
                                                                          : at[i];
#pragma GCC unroll 16
        for (int v = 0; v < Vectors; ++v) sum[i][v] += factor * column[v];
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i, c += c_row) {
#pragma GCC unroll 16
      for (int v = 0; v < Vectors; ++v) {
        Memory& to = *reinterpret_cast<Memory*>(c + v * L);
        to = overwrite ? sum[i][v] : to + sum[i][v];
      }
    }
  }
};

/// The tiles of one kind and width: for n rows, 1 <= n <= rows, the lowest tile that covers them.
template <class T>
struct Tiles {
  static constexpr Index most_rows = 14;

  Index rows;                               // of the highest
  TileFunction<T> covering[most_rows + 1];
  Index height[most_rows + 1];              // of covering[n]
};

template <class T, class Set, RowsOf Kind, int Vectors, int... Heights>
constexpr Tiles<T> tiles_of() {
  Tiles<T> tiles{};
  const auto add = [&tiles](Index height, TileFunction<T> function) {
    for (Index n = tiles.rows + 1; n <= height; ++n) tiles.covering[n] = function, tiles.height[n] = height;
    tiles.rows = height;
  };
  (add(Heights, &Set::template run<Tile<T, Kind, Heights, Vectors>, Index, const T*, Index, const Index*, const T*, T*,
                                   Index, bool>),
   ...);
  return tiles;
}

/// All tiles of one instruction set; [v] of v+1 vectors.
template <class T>
struct TileSet {
  Tiles<T> packed[2], strided, neighbours[2], two_stretches[2];
};

template <class T, class Set>
constexpr TileSet<T> tile_set_of() {
  using enum RowsOf;
  if constexpr (Set::registers == 32) {
    return {{tiles_of<T, Set, packed, 1, 2, 4, 6, 8, 10, 12, 14>(), tiles_of<T, Set, packed, 2, 2, 4, 6, 8, 10, 12, 14>()},
            tiles_of<T, Set, strided, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12>(),
            {tiles_of<T, Set, neighbours, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14>(),
             tiles_of<T, Set, neighbours, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14>()},
            {tiles_of<T, Set, two_stretches, 1, 2, 4, 6, 8, 10, 12, 14>(),
             tiles_of<T, Set, two_stretches, 2, 2, 4, 6, 8, 10, 12, 14>()}};
  } else {
    return {{tiles_of<T, Set, packed, 1, 2, 4, 6>(), tiles_of<T, Set, packed, 2, 2, 4, 6>()},
            tiles_of<T, Set, strided, 2, 1, 2, 3, 4, 5, 6>(),
            {tiles_of<T, Set, neighbours, 1, 1, 2, 3, 4, 5, 6>(), tiles_of<T, Set, neighbours, 2, 1, 2, 3, 4, 5, 6>()},
            {tiles_of<T, Set, two_stretches, 1, 2, 4, 6>(), tiles_of<T, Set, two_stretches, 2, 2, 4, 6>()}};
  }
}

}  // namespace unfold::engine
