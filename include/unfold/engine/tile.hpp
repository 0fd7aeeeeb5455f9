// SPDX-License-Identifier: MIT
// The register tiles: blocks of a matrix product that stay in registers, in vector extensions.
//   c [rows, columns] (+)= sum over k of a(row, k) * b[k, columns],   b packed, `columns` one vector or two
// The rows of `a` are neighbours in a packed or laid-out source, at offsets[k] + row, the upper half of them a gap
// further. The next k may be anywhere, and is asked for ahead.
// The sum of an element runs over the depth in order, whatever the tile's height and width or the element's place in
// it.
#pragma once

#include <unfold/core/shape.hpp>
#include <unfold/engine/rows.hpp>

#include <algorithm>  // std::min

namespace unfold::engine {

/// Asks for the lines of c, which may be far away: they come while the sums are made.
template <class T, int VectorBytes, int Rows, int Vectors>
[[gnu::always_inline]] inline void prefetch_tile(const T* c, Index c_row, Index c_gap) {
  constexpr Index L = VectorOf<T, VectorBytes>::lanes;
#pragma GCC unroll 32
  for (int i = 0; i < Rows; ++i) {
    if (i == (Rows + 1) / 2) c += c_gap;
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) __builtin_prefetch(c + i * c_row + (v + 1) * L - 1, 1);
  }
}

/// c = or += sum
template <class T, int VectorBytes, class Vector, int Rows, int Vectors>
[[gnu::always_inline]] inline void store_tile(const Vector (&sum)[Rows][Vectors], T* c, Index c_row, Index c_gap,
                                              bool overwrite) {
  using Memory = typename VectorOf<T, VectorBytes>::InMemory;
#pragma GCC unroll 32
  for (int i = 0; i < Rows; ++i, c += c_row) {
    if (i == (Rows + 1) / 2) c += c_gap;
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) {
      Memory& to = *reinterpret_cast<Memory*>(c + v * VectorOf<T, VectorBytes>::lanes);
      to = overwrite ? sum[i][v] : to + sum[i][v];
    }
  }
}

/// c has row stride `c_row` and is overwritten or added to. `gap` stands before the upper half of the rows of a, and
/// `c_gap` before that of c; it begins with row (rows + 1) / 2. Offsets have gather_ahead more entries.
template <class T>
using TileFunction = void (*)(Index depth, const T* a, Index gap, const Index* offsets, const T* b, T* c, Index c_row,
                              Index c_gap, bool overwrite);

template <class T, int Rows, int Vectors>
struct Tile {
  template <int VectorBytes>
  [[gnu::always_inline]] static void body(Index depth, const T* a, Index gap, const Index* offsets, const T* b, T* c,
                                          Index c_row, Index c_gap, bool overwrite) {
    using Vector = typename VectorOf<T, VectorBytes>::InRegister;
    using Memory = typename VectorOf<T, VectorBytes>::InMemory;
    constexpr Index L = VectorOf<T, VectorBytes>::lanes;
    Vector sum[Rows][Vectors] = {};  // [Rows, Vectors*L]
    prefetch_tile<T, VectorBytes, Rows, Vectors>(c, c_row, c_gap);
    for (Index k = 0; k < depth; ++k, b += Vectors * L) {
      Vector column[Vectors];
      if constexpr (Vectors == 2 && Rows > 6) {  // in the shade of multiply-adds
        __builtin_prefetch(a + offsets[k + gather_ahead / 2]);
        __builtin_prefetch(a + offsets[k + gather_ahead / 2] + gap + Rows - 1);
      }
#pragma GCC unroll 32
      for (int v = 0; v < Vectors; ++v) column[v] = *reinterpret_cast<const Memory*>(b + v * L);
      const T* const lower = a + offsets[k];
      const T* upper = lower + gap;
      asm("" : "+r"(upper));  // one pointer, not a sum for each row
#pragma GCC unroll 32
      for (int i = 0; i < Rows; ++i) {
        const T factor = (i < (Rows + 1) / 2 ? lower : upper)[i];
#pragma GCC unroll 32
        for (int v = 0; v < Vectors; ++v) sum[i][v] += factor * column[v];
      }
    }
    store_tile<T, VectorBytes>(sum, c, c_row, c_gap, overwrite);
  }
};

/// A tile of `Rows` neighbours, packed [depth, Rows], and two vectors, which reads a source besides.
///   packs        b [depth, columns] = source[offsets[k] + column], before it is multiplied; what lies `pace` panels
///                further is asked for meanwhile. `offsets` has gather_ahead more entries, of rows to be read soon
///   otherwise    b is packed; the rows of the source at offsets[k >> pace] are asked for meanwhile, pace >= 1
template <class T>
using PanelTileFunction = void (*)(Index depth, const T* a, const T* source, const Index* offsets, Index pace, T* b,
                                   T* c, Index c_row, bool overwrite);

template <class T, int Rows, bool Packs>
struct PanelTile {
  template <int VectorBytes>
  [[gnu::always_inline]] static void body(Index depth, const T* a, const T* source, const Index* offsets, Index pace,
                                          T* b, T* c, Index c_row, bool overwrite) {
    using Vector = typename VectorOf<T, VectorBytes>::InRegister;
    using Memory = typename VectorOf<T, VectorBytes>::InMemory;
    constexpr Index L = VectorOf<T, VectorBytes>::lanes;
    Vector sum[Rows][2] = {};
    const T* line = c + L - 1;  // of c, to be asked for: a row each step
    for (Index k = 0; k < depth; ++k, a += Rows, b += 2 * L) {
      Vector column[2];
      __builtin_prefetch(line, 1);
      __builtin_prefetch(line + L, 1);
      line += k + 1 < Rows ? c_row : 0;
      if constexpr (!Packs) __builtin_prefetch(source + offsets[k >> pace] + ((k & 1) + 1) * L - 1, 0, 2);
#pragma GCC unroll 2
      for (int v = 0; v < 2; ++v) {
        if constexpr (Packs) {
          __builtin_prefetch(source + offsets[k + gather_ahead] + (v + 1) * L - 1);
          __builtin_prefetch(source + offsets[k] + (2 * pace + v + 1) * L - 1, 0, 2);
          column[v] = *reinterpret_cast<const Memory*>(source + offsets[k] + v * L);
          *reinterpret_cast<Memory*>(b + v * L) = column[v];
        } else {
          column[v] = *reinterpret_cast<const Memory*>(b + v * L);
        }
      }
#pragma GCC unroll 32
      for (int i = 0; i < Rows; ++i) {
        const T factor = a[i];
#pragma GCC unroll 2
        for (int v = 0; v < 2; ++v) sum[i][v] += factor * column[v];
      }
    }
    store_tile<T, VectorBytes>(sum, c, c_row, 0, overwrite);
  }
};

/// Tiles of several heights.
template <class Function>
struct Heights {
  static constexpr Index most_rows = 28;

  Index rows = 0;                          // of the highest
  Function of_height[most_rows + 1] = {};  // nullptr where there is none; there is one of height 1

  /// The rows of the highest tile that n rows fill, n > 0.
  Index highest(Index n) const {
    Index height = std::min(n, rows);
    while (of_height[height] == nullptr) --height;
    return height;
  }
  /// How many of them n rows fill, one after the other.
  Index tiles_of(Index n) const {
    Index count = 0;
    for (; n > 0; n -= highest(n)) ++count;
    return count;
  }
};

/// The tiles of one width.
template <class T>
struct Tiles : Heights<TileFunction<T>> {
  Index vectors = 0;

  /// c (+)= a b for any number of rows without a gap: in one tile where there is one, else in the highest that fit.
  void run(Index n, Index depth, const T* a, const Index* offsets, const T* b, T* c, Index c_row,
           bool overwrite) const {
    while (n > 0) {
      const Index height = this->highest(n);
      this->of_height[height](depth, a, 0, offsets, b, c, c_row, 0, overwrite);
      n -= height, a += height, c += height * c_row;
    }
  }
};

template <class T, class Set, int Vectors, int... Rows>
consteval Tiles<T> tiles_of() {
  Tiles<T> tiles{};
  tiles.vectors = Vectors;
  ((tiles.rows = Rows, tiles.of_height[Rows] = &Set::template run<Tile<T, Rows, Vectors>, Index, const T*, Index,
                                                                  const Index*, const T*, T*, Index, Index, bool>),
   ...);
  return tiles;
}

/// All tiles of one instruction set; [v] of v+1 vectors.
template <class T>
struct TileSet {
  Tiles<T> of_vectors[2];
  PanelTileFunction<T> packing, prefetching;  // as high as the highest of of_vectors[1]
};

template <class T, class Set, int Rows, bool Packs>
constexpr PanelTileFunction<T> panel_tile_of() {
  return &Set::template run<PanelTile<T, Rows, Packs>, Index, const T*, const T*, const Index*, Index, T*, T*, Index,
                            bool>;
}

template <class T, class Set>
constexpr TileSet<T> tile_set_of() {
  // Rows of an image are 1 to 14 pixels, of two images 28, or parts of so many; other heights serve what is left over.
  if constexpr (Set::registers == 32) {
    return {{tiles_of<T, Set, 1, 1, 2, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 26, 28>(),
             tiles_of<T, Set, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14>()},
            panel_tile_of<T, Set, 14, true>(),
            panel_tile_of<T, Set, 14, false>()};
  } else {
    return {{tiles_of<T, Set, 1, 1, 2, 6>(), tiles_of<T, Set, 2, 1, 2, 3, 4, 6>()},
            panel_tile_of<T, Set, 6, true>(),
            panel_tile_of<T, Set, 6, false>()};
  }
}

}  // namespace unfold::engine
