// SPDX-License-Identifier: MIT
// The register tiles, in vector extensions: the same few lines are compiled for each instruction set,
// with no flag needed. Vectors stay inside the functions. The sum of an element runs over the depth in
// order, whatever the tile's height or the element's place in it.
//   multiply   c [rows, columns] (+)= a^T b     a [depth, rows], b [depth, columns], both packed
//   contract   c [rows, columns] (+)= a b       a [rows, depth] with a row stride, b [depth, columns] packed
//   copy       a run of elements
#pragma once

#include <unfold/core/shape.hpp>
#include <unfold/engine/isa.hpp>

#include <array>
#include <utility>  // std::integer_sequence

namespace unfold::engine {

/// a, b as above -> c with row stride `c_row`; overwritten or added to. a_row: of contract only.
template <class T>
using TileFunction = void (*)(Index depth, const T* a, Index a_row, const T* b, T* c, Index c_row, bool overwrite);

template <class T, int VectorBytes, int Rows, bool Packed>
[[gnu::always_inline]] inline void tile_body(Index depth, const T* a, Index a_row, const T* b, T* c, Index c_row,
                                             bool overwrite) {
  typedef T Vector [[gnu::vector_size(VectorBytes)]];
  typedef T Memory [[gnu::vector_size(VectorBytes), gnu::aligned(alignof(T)), gnu::may_alias]];
  constexpr Index L = VectorBytes / static_cast<int>(sizeof(T));  // elements of a vector
  Vector sum[Rows][2] = {};                                       // [Rows, 2*L]
  if constexpr (Packed) {
    for (Index k = 0; k < depth; ++k, a += Rows, b += 2 * L) {
      const Vector b0 = *reinterpret_cast<const Memory*>(b);
      const Vector b1 = *reinterpret_cast<const Memory*>(b + L);
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) {
        sum[i][0] += a[i] * b0;
        sum[i][1] += a[i] * b1;
      }
    }
  } else {
    const T* row[Rows];
    for (int i = 0; i < Rows; ++i) row[i] = a + i * a_row;
    for (Index k = 0; k < depth; ++k, b += 2 * L) {
      const Vector b0 = *reinterpret_cast<const Memory*>(b);
      const Vector b1 = *reinterpret_cast<const Memory*>(b + L);
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) {
        sum[i][0] += row[i][k] * b0;
        sum[i][1] += row[i][k] * b1;
      }
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

/// Copies n elements, whole vectors at a time, the last one overlapping; reads and writes no others.
template <class T, int VectorBytes>
[[gnu::always_inline]] inline void copy_body(const T* from, T* to, Index n) {
  typedef T Memory [[gnu::vector_size(VectorBytes), gnu::aligned(alignof(T)), gnu::may_alias]];
  constexpr Index L = VectorBytes / static_cast<int>(sizeof(T));
  if (n >= L) {
    Index i = 0;
    for (; i + L <= n; i += L) *reinterpret_cast<Memory*>(to + i) = *reinterpret_cast<const Memory*>(from + i);
    if (i < n) *reinterpret_cast<Memory*>(to + n - L) = *reinterpret_cast<const Memory*>(from + n - L);
  } else if constexpr (VectorBytes > 16) {
    copy_body<T, VectorBytes / 2>(from, to, n);
  } else {
    for (Index i = 0; i < n; ++i) to[i] = from[i];
  }
}

/// c[r, q] (+)= sum over k of a[k, r] * source[offsets[k] + q] for `count` columns q: few rows, read where
/// they lie. c is written, and source read, up to a vector's end past `count`.
template <class T>
using FewRowsFunction = void (*)(Index depth, const T* a, const T* source, const Index* offsets, Index count, T* c,
                                 Index c_row, bool overwrite);

template <class T, int VectorBytes, int Rows, int Vectors>
[[gnu::always_inline]] inline Index few_rows_body(Index q, Index depth, const T* a, const T* source,
                                                  const Index* offsets, Index count, T* c, Index c_row,
                                                  bool overwrite) {
  typedef T Vector [[gnu::vector_size(VectorBytes)]];
  typedef T Memory [[gnu::vector_size(VectorBytes), gnu::aligned(alignof(T)), gnu::may_alias]];
  constexpr Index L = VectorBytes / static_cast<int>(sizeof(T));
  for (; q + (Vectors - 1) * L < count; q += Vectors * L) {
    Vector sum[Rows][Vectors] = {};
    for (Index k = 0; k < depth; ++k) {
      const T* const from = source + offsets[k] + q;
#pragma GCC unroll 16
      for (int v = 0; v < Vectors; ++v) {
        const Vector b = *reinterpret_cast<const Memory*>(from + v * L);
#pragma GCC unroll 16
        for (int i = 0; i < Rows; ++i) sum[i][v] += a[k * Rows + i] * b;
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
      for (int v = 0; v < Vectors; ++v) {
        Memory& to = *reinterpret_cast<Memory*>(c + i * c_row + q + v * L);
        to = overwrite ? sum[i][v] : to + sum[i][v];
      }
    }
  }
  if constexpr (Vectors > 1) {
    q = few_rows_body<T, VectorBytes, Rows, Vectors / 2>(q, depth, a, source, offsets, count, c, c_row, overwrite);
  }
  return q;
}

/// sums[r, t, :] (+)= sum over q of dy[r, q] * source[offsets[t] + q], a vector of partial sums each; dy is zero past
/// `count` up to a vector's end.
template <class T>
using DotsFunction = void (*)(Index count, const T* dy, Index dy_row, const T* source, const Index* offsets, T* sums,
                              Index sums_row, bool overwrite);

template <class T, int VectorBytes, int Rows, int Taps>
[[gnu::always_inline]] inline void dots_body(Index count, const T* dy, Index dy_row, const T* source,
                                             const Index* offsets, T* sums, Index sums_row, bool overwrite) {
  typedef T Vector [[gnu::vector_size(VectorBytes)]];
  typedef T Memory [[gnu::vector_size(VectorBytes), gnu::aligned(alignof(T)), gnu::may_alias]];
  constexpr Index L = VectorBytes / static_cast<int>(sizeof(T));
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

/// A stretch of one output row within a panel: `count` pixels, at `at` in the panel, at `from` in the source.
struct Run {
  Index from, at, count;
};

/// packed[k][runs[r].at + i] = source[offsets[k] + runs[r].from + i]
template <class T>
using GatherFunction = void (*)(const T* source, const Index* offsets, Index depth, const Run* runs, Index used,
                                T* packed, Index packed_row);

template <class T, int VectorBytes>
[[gnu::always_inline]] inline void gather_body(const T* source, const Index* offsets, Index depth, const Run* runs,
                                               Index used, T* packed, Index packed_row) {
  typedef T Memory [[gnu::vector_size(VectorBytes), gnu::aligned(alignof(T)), gnu::may_alias]];
  constexpr Index L = VectorBytes / static_cast<int>(sizeof(T));
  if (used == 1 && runs[0].count == 2 * L) {
    for (Index k = 0; k < depth; ++k, packed += packed_row) {
      const T* const from = source + offsets[k] + runs[0].from;
      *reinterpret_cast<Memory*>(packed) = *reinterpret_cast<const Memory*>(from);
      *reinterpret_cast<Memory*>(packed + L) = *reinterpret_cast<const Memory*>(from + L);
    }
    return;
  }
  for (Index k = 0; k < depth; ++k, packed += packed_row) {
    const T* const from = source + offsets[k];
    for (Index r = 0; r < used; ++r) copy_body<T, VectorBytes>(from + runs[r].from, packed + runs[r].at, runs[r].count);
  }
}

/// The adjoint of gather: target[offsets[k] + runs[r].from + i] += block[k][runs[r].at + i]
template <class T>
using ScatterFunction = void (*)(const T* block, Index block_row, const Index* offsets, Index depth, const Run* runs,
                                 Index used, T* target);

template <class T, int VectorBytes>
[[gnu::always_inline]] inline void scatter_body(const T* block, Index block_row, const Index* offsets, Index depth,
                                                const Run* runs, Index used, T* target) {
  typedef T Memory [[gnu::vector_size(VectorBytes), gnu::aligned(alignof(T)), gnu::may_alias]];
  constexpr Index L = VectorBytes / static_cast<int>(sizeof(T));
  for (Index k = 0; k < depth; ++k, block += block_row) {
    for (Index r = 0; r < used; ++r) {
      T* const to = target + offsets[k] + runs[r].from;
      const T* const from = block + runs[r].at;
      Index i = 0;
      for (; i + L <= runs[r].count; i += L) {
        *reinterpret_cast<Memory*>(to + i) += *reinterpret_cast<const Memory*>(from + i);
      }
      for (; i < runs[r].count; ++i) to[i] += from[i];
    }
  }
}

struct Baseline {
  static constexpr int vector_bytes = 16;
  using Multiply = std::integer_sequence<int, 6, 4, 2>;  // heights of the tiles, highest first
  using Contract = std::integer_sequence<int, 6, 4, 2>;
  using FewRows = std::integer_sequence<int, 6, 4, 4, 3>;  // vectors of the tiles of 1, 2, 3, 4 rows
  using Dots = std::integer_sequence<int, 9, 3>;   // taps of the tiles of 1 and 4 rows

  template <class T, int Rows, bool Packed>
  static void tile(Index depth, const T* a, Index a_row, const T* b, T* c, Index c_row, bool overwrite) {
    tile_body<T, vector_bytes, Rows, Packed>(depth, a, a_row, b, c, c_row, overwrite);
  }
  template <class T, int Rows, int Vectors>
  static void few_rows(Index depth, const T* a, const T* source, const Index* offsets, Index count, T* c, Index c_row, bool overwrite) {
    few_rows_body<T, vector_bytes, Rows, Vectors>(0, depth, a, source, offsets, count, c, c_row, overwrite);
  }
  template <class T, int Rows, int Taps>
  static void dots(Index count, const T* dy, Index dy_row, const T* source, const Index* offsets, T* sums, Index sums_row, bool overwrite) {
    dots_body<T, vector_bytes, Rows, Taps>(count, dy, dy_row, source, offsets, sums, sums_row, overwrite);
  }
  template <class T>
  static void gather(const T* source, const Index* offsets, Index depth, const Run* runs, Index used, T* packed, Index packed_row) {
    gather_body<T, vector_bytes>(source, offsets, depth, runs, used, packed, packed_row);
  }
  template <class T>
  static void scatter(const T* block, Index block_row, const Index* offsets, Index depth, const Run* runs, Index used, T* target) {
    scatter_body<T, vector_bytes>(block, block_row, offsets, depth, runs, used, target);
  }
};

#if defined(__x86_64__)
struct Avx2 {
  static constexpr int vector_bytes = 32;
  using Multiply = std::integer_sequence<int, 6, 4, 2>;  // heights of the tiles, highest first
  using Contract = std::integer_sequence<int, 6, 4, 2>;
  using FewRows = std::integer_sequence<int, 6, 4, 4, 3>;  // vectors of the tiles of 1, 2, 3, 4 rows
  using Dots = std::integer_sequence<int, 9, 3>;   // taps of the tiles of 1 and 4 rows

  template <class T, int Rows, bool Packed>
  [[gnu::target("avx2,fma")]] static void tile(Index depth, const T* a, Index a_row, const T* b, T* c, Index c_row, bool overwrite) {
    tile_body<T, vector_bytes, Rows, Packed>(depth, a, a_row, b, c, c_row, overwrite);
  }
  template <class T, int Rows, int Vectors>
  [[gnu::target("avx2,fma")]] static void few_rows(Index depth, const T* a, const T* source, const Index* offsets, Index count, T* c, Index c_row, bool overwrite) {
    few_rows_body<T, vector_bytes, Rows, Vectors>(0, depth, a, source, offsets, count, c, c_row, overwrite);
  }
  template <class T, int Rows, int Taps>
  [[gnu::target("avx2,fma")]] static void dots(Index count, const T* dy, Index dy_row, const T* source, const Index* offsets, T* sums, Index sums_row, bool overwrite) {
    dots_body<T, vector_bytes, Rows, Taps>(count, dy, dy_row, source, offsets, sums, sums_row, overwrite);
  }
  template <class T>
  [[gnu::target("avx2,fma")]] static void gather(const T* source, const Index* offsets, Index depth, const Run* runs, Index used, T* packed, Index packed_row) {
    gather_body<T, vector_bytes>(source, offsets, depth, runs, used, packed, packed_row);
  }
  template <class T>
  [[gnu::target("avx2,fma")]] static void scatter(const T* block, Index block_row, const Index* offsets, Index depth, const Run* runs, Index used, T* target) {
    scatter_body<T, vector_bytes>(block, block_row, offsets, depth, runs, used, target);
  }
};

struct Avx512 {
  static constexpr int vector_bytes = 64;
  using Multiply = std::integer_sequence<int, 14, 13, 12, 10, 8, 6, 4, 2>;  // heights of the tiles, highest first
  using Contract = std::integer_sequence<int, 12, 9, 6, 3>;
  using FewRows = std::integer_sequence<int, 8, 8, 8, 6>;  // vectors of the tiles of 1, 2, 3, 4 rows
  using Dots = std::integer_sequence<int, 9, 6>;   // taps of the tiles of 1 and 4 rows

  template <class T, int Rows, bool Packed>
  [[gnu::target("avx512f,avx512vl,avx512dq,fma")]] static void tile(Index depth, const T* a, Index a_row, const T* b, T* c, Index c_row, bool overwrite) {
    tile_body<T, vector_bytes, Rows, Packed>(depth, a, a_row, b, c, c_row, overwrite);
  }
  template <class T, int Rows, int Vectors>
  [[gnu::target("avx512f,avx512vl,avx512dq,fma")]] static void few_rows(Index depth, const T* a, const T* source, const Index* offsets, Index count, T* c, Index c_row, bool overwrite) {
    few_rows_body<T, vector_bytes, Rows, Vectors>(0, depth, a, source, offsets, count, c, c_row, overwrite);
  }
  template <class T, int Rows, int Taps>
  [[gnu::target("avx512f,avx512vl,avx512dq,fma")]] static void dots(Index count, const T* dy, Index dy_row, const T* source, const Index* offsets, T* sums, Index sums_row, bool overwrite) {
    dots_body<T, vector_bytes, Rows, Taps>(count, dy, dy_row, source, offsets, sums, sums_row, overwrite);
  }
  template <class T>
  [[gnu::target("avx512f,avx512vl,avx512dq,fma")]] static void gather(const T* source, const Index* offsets, Index depth, const Run* runs, Index used, T* packed, Index packed_row) {
    gather_body<T, vector_bytes>(source, offsets, depth, runs, used, packed, packed_row);
  }
  template <class T>
  [[gnu::target("avx512f,avx512vl,avx512dq,fma")]] static void scatter(const T* block, Index block_row, const Index* offsets, Index depth, const Run* runs, Index used, T* target) {
    scatter_body<T, vector_bytes>(block, block_row, offsets, depth, runs, used, target);
  }
};
#endif

/// The tiles of one height.
template <class Function>
struct Tile {
  Index rows = 0;
  Function run = nullptr;
};

/// The kernels of one instruction set; its tiles are `columns` wide.
template <class T>
struct Tiles {
  using Heights = std::array<Tile<TileFunction<T>>, 8>;  // highest first, unused ones empty
  Index columns;
  Heights multiply, contract;
  std::array<FewRowsFunction<T>, 4> few_rows;  // by their rows less one
  Index dots_taps[2];                          // of 1 row, of 4 rows
  DotsFunction<T> dots[2];
  GatherFunction<T> gather;
  ScatterFunction<T> scatter;
};

/// The lowest of the tiles that is at least n high, or the highest.
template <class Heights>
const auto& tile_for(const Heights& tiles, Index n) {
  std::size_t best = 0;
  while (best + 1 < tiles.size() && tiles[best + 1].rows >= n) ++best;
  return tiles[best];
}

template <class T, class Set>
constexpr Tiles<T> tiles_of() {
  Tiles<T> tiles{};
  tiles.columns = 2 * Set::vector_bytes / static_cast<int>(sizeof(T));
  const auto heights = [&]<int... rows, bool packed>(typename Tiles<T>::Heights& to, std::integer_sequence<int, rows...>, std::bool_constant<packed>) {
    std::size_t i = 0;
    ((to[i++] = {rows, Set::template tile<T, rows, packed>}), ...);
  };
  heights(tiles.multiply, typename Set::Multiply(), std::true_type());
  heights(tiles.contract, typename Set::Contract(), std::false_type());
  [&]<int... vectors, int... row>(std::integer_sequence<int, vectors...>, std::integer_sequence<int, row...>) {
    tiles.few_rows = {Set::template few_rows<T, row + 1, vectors>...};
  }(typename Set::FewRows(), std::make_integer_sequence<int, 4>());
  [&]<int one, int four>(std::integer_sequence<int, one, four>) {
    tiles.dots_taps[0] = one, tiles.dots[0] = Set::template dots<T, 1, one>;
    tiles.dots_taps[1] = four, tiles.dots[1] = Set::template dots<T, 4, four>;
  }(typename Set::Dots());
  tiles.gather = Set::template gather<T>;
  tiles.scatter = Set::template scatter<T>;
  return tiles;
}

/// The widest and highest tile of any instruction set, in elements.
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
