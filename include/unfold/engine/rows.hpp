// SPDX-License-Identifier: MIT
// Kernels that move rows of pixels: into the panels of the tiles, back to where they came from, transposed.
#pragma once

#include <unfold/core/shape.hpp>
#include <unfold/engine/isa.hpp>

#include <algorithm>  // std::min, std::max
#include <utility>    // std::integer_sequence

namespace unfold::engine {

/// A stretch of pixels in memory order: `count` of them, at `at` in a block, at `from` in a tensor.
struct Run {
  Index from, at, count;
};

/// to[i] = or += from[i], in whole vectors as far as they go; touches no other element.
template <class T, int VectorBytes>
[[gnu::always_inline]] inline void move_row(const T* from, T* to, Index n, bool overwrite) {
  using Memory = typename VectorOf<T, VectorBytes>::InMemory;
  constexpr Index L = VectorOf<T, VectorBytes>::lanes;
  Index i = 0;
  if (overwrite) {
    for (; i + L <= n; i += L) *reinterpret_cast<Memory*>(to + i) = *reinterpret_cast<const Memory*>(from + i);
    if (i > 0) {  // the last vector ends with the row
      if (i < n) *reinterpret_cast<Memory*>(to + n - L) = *reinterpret_cast<const Memory*>(from + n - L);
      return;
    }
  } else {
    for (; i + L <= n; i += L) *reinterpret_cast<Memory*>(to + i) += *reinterpret_cast<const Memory*>(from + i);
  }
  if constexpr (VectorBytes > 16) {
    if (i < n) move_row<T, VectorBytes / 2>(from + i, to + i, n - i, overwrite);
  } else {
    for (; i < n; ++i) to[i] = overwrite ? from[i] : to[i] + from[i];
  }
}

/// packed[k, run.at + i] = source[offsets[k] + run.from + i] for all runs; `packed` has row stride `packed_row`.
/// `offsets` has gather_ahead more entries, of rows to be read soon. Unless `exact`, a run is read and written up to a
/// vector's end beyond its own: the runs must be in the order of `at`.
inline constexpr Index gather_ahead = 8;  // rows lie far apart, where no hardware prefetcher looks

template <class T>
struct Gather {
  using Function = void (*)(const T* source, const Index* offsets, Index depth, const Run* runs, Index used, T* packed,
                            Index packed_row, bool exact);

  template <int VectorBytes>
  [[gnu::always_inline]] static void body(const T* source, const Index* offsets, Index depth, const Run* runs,
                                          Index used, T* packed, Index packed_row, bool exact) {
    using Memory = typename VectorOf<T, VectorBytes>::InMemory;
    constexpr Index L = VectorOf<T, VectorBytes>::lanes;
    if (used == 1 && runs[0].count == 2 * L) {
      packed += runs[0].at;
      for (Index k = 0; k < depth; ++k, packed += packed_row) {
        const T* const from = source + offsets[k] + runs[0].from;
        const T* const later = source + offsets[k + gather_ahead] + runs[0].from;
        __builtin_prefetch(later);
        __builtin_prefetch(later + L);
        *reinterpret_cast<Memory*>(packed) = *reinterpret_cast<const Memory*>(from);
        *reinterpret_cast<Memory*>(packed + L) = *reinterpret_cast<const Memory*>(from + L);
      }
    } else if (exact) {
      for (Index k = 0; k < depth; ++k, packed += packed_row) {
        for (Index r = 0; r < used; ++r) {
          move_row<T, VectorBytes>(source + offsets[k] + runs[r].from, packed + runs[r].at, runs[r].count, true);
        }
      }
    } else {
      for (Index k = 0; k < depth; ++k, packed += packed_row) {
        for (Index r = 0; r < used; ++r) {
          const T* const from = source + offsets[k] + runs[r].from;
          T* const to = packed + runs[r].at;
          for (Index i = 0; i < runs[r].count; i += L) {
            *reinterpret_cast<Memory*>(to + i) = *reinterpret_cast<const Memory*>(from + i);
          }
        }
      }
    }
  }
};

/// The adjoint: target[offsets[k] + run.from + i] = or += block[k, run.at + i]; touches no other element.
template <class T>
struct Scatter {
  using Function = void (*)(const T* block, Index block_row, const Index* offsets, Index depth, const Run* runs,
                            Index used, T* target, bool overwrite);

  template <int VectorBytes>
  [[gnu::always_inline]] static void body(const T* block, Index block_row, const Index* offsets, Index depth,
                                          const Run* runs, Index used, T* target, bool overwrite) {
    for (Index k = 0; k < depth; ++k, block += block_row) {
      for (Index r = 0; r < used; ++r) {
        move_row<T, VectorBytes>(block + runs[r].at, target + offsets[k] + runs[r].from, runs[r].count, overwrite);
      }
    }
  }
};

/// One axis of a padded copy: its element i is the source's element first + i*step, or 0 outside [0, source).
class Padded {
 public:
  Index source, first, step, count;

  /// The elements [low(), high()) of the copy are the source's.
  Index low() const { return std::min(count, first < 0 ? steps(-first) : 0); }
  Index high() const { return std::max(low(), std::min(count, first < source ? steps(source - first) : 0)); }

 private:
  Index steps(Index length) const { return step == 1 ? length : (length + step - 1) / step; }
};

/// to[i] = 0, in whole vectors: up to one past the end.
template <class T, int VectorBytes>
[[gnu::always_inline]] inline void clear_row(T* to, Index n) {
  using Vector = typename VectorOf<T, VectorBytes>::InRegister;
  using Memory = typename VectorOf<T, VectorBytes>::InMemory;
  T zero(0);
  asm("" : "+m"(zero));  // else the compiler knows it, and calls memset for a few bytes
  const Vector zeros = zero - Vector{};
  for (Index i = 0; i < n; i += VectorBytes / static_cast<int>(sizeof(T))) *reinterpret_cast<Memory*>(to + i) = zeros;
}

/// to[i] = from[i * step]
template <class T>
[[gnu::always_inline]] inline void take_every(const T* from, Index step, T* to, Index n) {
  using Vector = typename VectorOf<T, 16>::InRegister;
  using Memory = typename VectorOf<T, 16>::InMemory;
  constexpr Index L = 16 / static_cast<Index>(sizeof(T));
  Index i = 0;
  if (step == 2) {
    for (; i + L < n; i += L) {  // less than: the last odd element may be no one's
      const Vector a = *reinterpret_cast<const Memory*>(from + 2 * i);
      const Vector b = *reinterpret_cast<const Memory*>(from + 2 * i + L);
      if constexpr (L == 4) *reinterpret_cast<Memory*>(to + i) = __builtin_shufflevector(a, b, 0, 2, 4, 6);
      if constexpr (L == 2) *reinterpret_cast<Memory*>(to + i) = __builtin_shufflevector(a, b, 0, 2);
    }
  }
  for (; i < n; ++i) to[i] = from[i * step];
}

/// copy[r, i] = plane[rows.first + r*rows.step, columns.first + i*columns.step], zero in the padding; whole vectors of
/// zeros, so that the copy needs room for one past its end.
template <class T>
struct Pad {
  using Function = void (*)(const T* plane, Index next, Index plane_row, Index plane_column, Padded rows,
                            Padded columns, T* copy);

  /// The plane that is copied next is `next` elements further: its rows are asked for meanwhile.
  template <int VectorBytes>
  [[gnu::always_inline]] static void body(const T* plane, Index next, Index plane_row, Index plane_column, Padded rows,
                                          Padded columns, T* copy) {
    constexpr Index line = 64 / static_cast<Index>(sizeof(T));
    const Index top = rows.low(), bottom = rows.high(), low = columns.low(), high = columns.high();
    const Index step = columns.step * plane_column, count = columns.count;
    clear_row<T, VectorBytes>(copy, top * count + (top < bottom ? low : 0));
    for (Index r = top; r < bottom; ++r) {
      T* const to = copy + r * count;
      const T* const from = plane + (rows.first + r * rows.step) * plane_row + columns.first * plane_column;
      for (Index i = low * step; i < high * step; i += line) __builtin_prefetch(from + next + i);
      if (step == 1) {
        move_row<T, VectorBytes>(from + low, to + low, high - low, true);
      } else {
        take_every(from + low * step, step, to + low, high - low);
      }
      clear_row<T, VectorBytes>(to + high, count - high + (r + 1 < bottom ? low : 0));  // and the next row's begin
    }
    clear_row<T, VectorBytes>(copy + bottom * count, (rows.count - bottom) * count);
  }
};

/// The adjoint: adds what Pad would have copied; the copy of the padding is dropped.
template <class T>
struct AddPadded {
  using Function = void (*)(const T* copy, Padded rows, Padded columns, T* plane, Index plane_row, Index plane_column);

  template <int VectorBytes>
  [[gnu::always_inline]] static void body(const T* copy, Padded rows, Padded columns, T* plane, Index plane_row,
                                          Index plane_column) {
    const Index low = columns.low(), high = columns.high(), step = columns.step * plane_column;
    for (Index r = rows.low(); r < rows.high(); ++r) {
      const T* const from = copy + r * columns.count;
      T* const to = plane + (rows.first + r * rows.step) * plane_row + columns.first * plane_column;
      if (step == 1) {
        move_row<T, VectorBytes>(from + low, to + low, high - low, false);
      } else {
        for (Index i = low; i < high; ++i) to[i * step] += from[i];
      }
    }
  }
};

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
