// SPDX-License-Identifier: MIT
// The register tile: c [rows, columns] (+)= a^T [rows, depth] * b [depth, columns], both packed.
// The same few lines in vector extensions are compiled for each instruction set, with no flag needed.
// Vectors stay inside the function. The sum of an element runs over the depth in order, whatever the
// tile's height or the element's place in it.
#pragma once

#include <unfold/core/shape.hpp>
#include <unfold/engine/isa.hpp>

namespace unfold::engine {

/// a [depth, rows], b [depth, columns] -> c with row stride `c_row`; overwritten or added to.
template <class T>
using TileFunction = void (*)(Index depth, const T* a, const T* b, T* c, Index c_row, bool overwrite);

template <class T, int VectorBytes, int Rows>
[[gnu::always_inline]] inline void tile_body(Index depth, const T* a, const T* b, T* c, Index c_row, bool overwrite) {
  typedef T Vector [[gnu::vector_size(VectorBytes)]];
  typedef T Memory [[gnu::vector_size(VectorBytes), gnu::aligned(alignof(T)), gnu::may_alias]];
  constexpr Index L = VectorBytes / static_cast<int>(sizeof(T));  // elements of a vector
  Vector sum[Rows][2] = {};                                       // [Rows, 2*L]
  for (Index k = 0; k < depth; ++k, a += Rows, b += 2 * L) {
    const Vector b0 = *reinterpret_cast<const Memory*>(b);
    const Vector b1 = *reinterpret_cast<const Memory*>(b + L);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      sum[i][0] += a[i] * b0;
      sum[i][1] += a[i] * b1;
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i, c += c_row) {
    Memory& c0 = *reinterpret_cast<Memory*>(c);
    Memory& c1 = *reinterpret_cast<Memory*>(c + L);
    c0 = overwrite ? sum[i][0] : c0 + sum[i][0];
    c1 = overwrite ? sum[i][1] : c1 + sum[i][1];
  }
}

struct Baseline {
  static constexpr int vector_bytes = 16, rows = 6;
  template <class T, int Rows>
  static void tile(Index depth, const T* a, const T* b, T* c, Index c_row, bool overwrite) {
    tile_body<T, vector_bytes, Rows>(depth, a, b, c, c_row, overwrite);
  }
};

#if defined(__x86_64__)
struct Avx2 {
  static constexpr int vector_bytes = 32, rows = 6;
  template <class T, int Rows>
  [[gnu::target("avx2,fma")]] static void tile(Index depth, const T* a, const T* b, T* c, Index c_row, bool overwrite) {
    tile_body<T, vector_bytes, Rows>(depth, a, b, c, c_row, overwrite);
  }
};

struct Avx512 {
  static constexpr int vector_bytes = 64, rows = 14;
  template <class T, int Rows>
  [[gnu::target("avx512f,avx512vl,avx512dq,fma")]] static void tile(Index depth, const T* a, const T* b, T* c,
                                                                    Index c_row, bool overwrite) {
    tile_body<T, vector_bytes, Rows>(depth, a, b, c, c_row, overwrite);
  }
};
#endif

/// The tiles of one instruction set: `columns` wide, and at most `rows` high.
template <class T>
struct Tiles {
  Index rows, columns;
  TileFunction<T> of_height[15];  // nullptr where there is no tile of this height

  /// The lowest tile that covers n rows, 1 <= n.
  Index height(Index n) const {
    if (n >= rows) return rows;
    while (of_height[n] == nullptr) ++n;
    return n;
  }
};

template <class T, class Set>
constexpr Tiles<T> tiles_of() {
  Tiles<T> tiles{Set::rows, 2 * Set::vector_bytes / static_cast<int>(sizeof(T)), {}};
  tiles.of_height[1] = Set::template tile<T, 1>;
  tiles.of_height[2] = Set::template tile<T, 2>;
  tiles.of_height[4] = Set::template tile<T, 4>;
  if constexpr (Set::rows > 8) tiles.of_height[8] = Set::template tile<T, 8>;
  tiles.of_height[Set::rows] = Set::template tile<T, Set::rows>;
  return tiles;
}

/// The widest tile of any instruction set, in elements.
template <class T>
inline constexpr Index most_columns = 128 / static_cast<Index>(sizeof(T));
inline constexpr Index most_rows = 14;

template <class T>
const Tiles<T>& tiles() {
  static constexpr Tiles<T> baseline = tiles_of<T, Baseline>();
#if defined(__x86_64__)
  static constexpr Tiles<T> avx2 = tiles_of<T, Avx2>();
  static constexpr Tiles<T> avx512 = tiles_of<T, Avx512>();
  if (isa() == Isa::avx512) return avx512;
  if (isa() == Isa::avx2) return avx2;
#endif
  return baseline;
}

}  // namespace unfold::engine
