// SPDX-License-Identifier: MIT
// The kernel that transposes a matrix.
#pragma once

#include <unfold/core/shape.hpp>
#include <unfold/engine/isa.hpp>

#include <algorithm>  // std::min
#include <utility>    // std::integer_sequence

namespace unfold::engine {

/// to[j*to_row + i] = from[i*from_row + j], i < rows, j < columns.
///
/// In blocks whose short side is 16 bytes and whose long side a vector: a vector is made of 16 bytes of several rows,
/// so that all shuffles stay within 16 bytes. The blocks go along the longer side of the matrix; rows across them that
/// all have the same place in the first-level cache are taken 16 bytes at a time.
template <class T>
struct Transpose {
  using Function = void (*)(const T* from, Index from_row, Index rows, Index columns, T* to, Index to_row);

  template <int VectorBytes>
  [[gnu::always_inline]] static void body(const T* from, Index from_row, Index rows, Index columns, T* to,
                                          Index to_row) {
    if (rows < side || columns < side) {
      for (Index i = 0; i < rows; ++i) {
        for (Index j = 0; j < columns; ++j) to[j * to_row + i] = from[i * from_row + j];
      }
    } else if (rows >= VectorOf<T, VectorBytes>::lanes || rows >= columns) {
      from_row % page == 0 ? blocks<16, true>(0, rows, columns, from, from_row, to, to_row)
                           : blocks<VectorBytes, true>(0, rows, columns, from, from_row, to, to_row);
    } else {
      to_row % page == 0 ? blocks<16, false>(0, columns, rows, from, from_row, to, to_row)
                         : blocks<VectorBytes, false>(0, columns, rows, from, from_row, to, to_row);
    }
  }

 private:
  static constexpr Index side = 16 / static_cast<Index>(sizeof(T));
  static constexpr Index page = 4096 / static_cast<Index>(sizeof(T));
  template <int VectorBytes>
  using Vector = typename VectorOf<T, VectorBytes>::InRegister;

  /// From `begin` on, a vector's rows (tall) or columns at a time, then fewer; the last are moved back.
  template <int VectorBytes, bool Tall>
  [[gnu::always_inline]] static void blocks(Index begin, Index across, Index along, const T* from, Index from_row,
                                            T* to, Index to_row) {
    constexpr Index L = VectorOf<T, VectorBytes>::lanes;
    for (; begin + (VectorBytes > 16 ? L : 1) <= across; begin += L) {
      const Index b = std::min(begin, across - L);
      for (Index n = 0; n < along; n += side) {
        n = std::min(n, along - side);
        if constexpr (Tall) {
          tall<VectorBytes>(from + b * from_row + n, from_row, to + n * to_row + b, to_row);
        } else {
          wide<VectorBytes>(from + n * from_row + b, from_row, to + b * to_row + n, to_row);
        }
      }
    }
    if constexpr (VectorBytes > 16) {
      blocks<VectorBytes / 2, Tall>(begin, across, along, from, from_row, to, to_row);
    }
  }

  /// L x side
  template <int VectorBytes>
  [[gnu::always_inline]] static void tall(const T* from, Index from_row, T* to, Index to_row) {
    Vector<VectorBytes> rows[side];
#pragma GCC unroll 4
    for (Index i = 0; i < side; ++i) join<VectorBytes>(from + i * from_row, side * from_row, rows[i]);
    turn<VectorBytes>(rows);
#pragma GCC unroll 4
    for (Index i = 0; i < side; ++i) {
      *reinterpret_cast<typename VectorOf<T, VectorBytes>::InMemory*>(to + i * to_row) = rows[i];
    }
  }

  /// side x L
  template <int VectorBytes>
  [[gnu::always_inline]] static void wide(const T* from, Index from_row, T* to, Index to_row) {
    Vector<VectorBytes> rows[side];
#pragma GCC unroll 4
    for (Index i = 0; i < side; ++i) {
      rows[i] = *reinterpret_cast<const typename VectorOf<T, VectorBytes>::InMemory*>(from + i * from_row);
    }
    turn<VectorBytes>(rows);
#pragma GCC unroll 4
    for (Index i = 0; i < side; ++i) part<VectorBytes>(rows[i], to + i * to_row, side * to_row);
  }

  /// to = 16 bytes at each of from, from + step, ...
  template <int VectorBytes>
  [[gnu::always_inline]] static void join(const T* from, Index step, Vector<VectorBytes>& to) {
    if constexpr (VectorBytes == 16) {
      to = *reinterpret_cast<const typename VectorOf<T, 16>::InMemory*>(from);
    } else {
      constexpr int half = VectorOf<T, VectorBytes>::lanes / 2;
      Vector<VectorBytes / 2> low, high;
      join<VectorBytes / 2>(from, step, low);
      join<VectorBytes / 2>(from + half / side * step, step, high);
      [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
        to = __builtin_shufflevector(low, high, I...);
      }(std::make_integer_sequence<int, 2 * half>());
    }
  }

  /// 16 bytes of `from` to each of to, to + step, ...
  template <int VectorBytes>
  [[gnu::always_inline]] static void part(const Vector<VectorBytes>& from, T* to, Index step) {
    if constexpr (VectorBytes == 16) {
      *reinterpret_cast<typename VectorOf<T, 16>::InMemory*>(to) = from;
    } else {
      constexpr int half = VectorOf<T, VectorBytes>::lanes / 2;
      Vector<VectorBytes / 2> low, high;
      [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
        low = __builtin_shufflevector(from, from, I...);
        high = __builtin_shufflevector(from, from, (half + I)...);
      }(std::make_integer_sequence<int, half>());
      part<VectorBytes / 2>(low, to, step);
      part<VectorBytes / 2>(high, to + half / side * step, step);
    }
  }

  /// Transposes the side x side block in each 16 bytes of the rows.
  template <int VectorBytes>
  [[gnu::always_inline]] static void turn(Vector<VectorBytes> (&rows)[side]) {
    Vector<VectorBytes> low, high;
    if constexpr (side == 2) {
      interleave<VectorBytes, 1>(rows[0], rows[1], low, high);
      rows[0] = low, rows[1] = high;
    } else {
      Vector<VectorBytes> low2, high2;
      interleave<VectorBytes, 1>(rows[0], rows[1], low, high);
      interleave<VectorBytes, 1>(rows[2], rows[3], low2, high2);
      interleave<VectorBytes, 2>(low, low2, rows[0], rows[1]);
      interleave<VectorBytes, 2>(high, high2, rows[2], rows[3]);
    }
  }

  /// In each 16 bytes: units of a and of b in turn, from the lower half of both and from the upper.
  template <int VectorBytes, int Unit>
  [[gnu::always_inline]] static void interleave(const Vector<VectorBytes>& a, const Vector<VectorBytes>& b,
                                                Vector<VectorBytes>& low, Vector<VectorBytes>& high) {
    constexpr int L = VectorOf<T, VectorBytes>::lanes, S = static_cast<int>(side);
    [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
      low = __builtin_shufflevector(a, b, (I % S / Unit % 2 * L + I / S * S + I % S / Unit / 2 * Unit + I % Unit)...);
      high = __builtin_shufflevector(
          a, b, (I % S / Unit % 2 * L + I / S * S + S / 2 + I % S / Unit / 2 * Unit + I % Unit)...);
    }(std::make_integer_sequence<int, L>());
  }
};

}  // namespace unfold::engine
