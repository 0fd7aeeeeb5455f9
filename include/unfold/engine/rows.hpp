// SPDX-License-Identifier: MIT
// Kernels that move rows of pixels: into the panels of the tiles, back to where they came from, with their padding.
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
inline constexpr Index gather_ahead = 16;  // rows lie far apart, where no hardware prefetcher looks

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

/// to = every second element of a, then of b. (Vectors have names before they are given to a function: clang++ does not
/// align what is made of memory within a call.)
template <class Vector, int... I>
[[gnu::always_inline]] inline void evens(const Vector& a, const Vector& b, Vector& to,
                                         std::integer_sequence<int, I...>) {
  to = __builtin_shufflevector(a, b, (2 * I)...);
}

/// low, high = a and b in turn: a[0], b[0], a[1], ...
template <class Vector, int... I>
[[gnu::always_inline]] inline void in_turn(const Vector& a, const Vector& b, Vector& low, Vector& high,
                                           std::integer_sequence<int, I...>) {
  constexpr int L = sizeof...(I);
  low = __builtin_shufflevector(a, b, (I / 2 + I % 2 * L)...);
  high = __builtin_shufflevector(a, b, (L / 2 + I / 2 + I % 2 * L)...);
}

/// to[i] = from[i * step] for step 2 or 4, a vector of them.
template <class T, int VectorBytes>
[[gnu::always_inline]] inline void take_vector(const T* from, Index step, T* to) {
  using Vector = typename VectorOf<T, VectorBytes>::InRegister;
  using Memory = typename VectorOf<T, VectorBytes>::InMemory;
  constexpr Index L = VectorOf<T, VectorBytes>::lanes;
  constexpr std::make_integer_sequence<int, L> lanes;
  const auto pairs = [&](const T* at, Vector& evens_of_two) {
    const Vector a = *reinterpret_cast<const Memory*>(at), b = *reinterpret_cast<const Memory*>(at + L);
    evens(a, b, evens_of_two, lanes);
  };
  Vector taken;
  pairs(from, taken);
  if (step == 4) {
    Vector rest;
    pairs(from + 2 * L, rest);
    evens(taken, rest, taken, lanes);
  }
  *reinterpret_cast<Memory*>(to) = taken;
}

/// to[i] = from[i * step]
template <class T, int VectorBytes>
[[gnu::always_inline]] inline void take_every(const T* from, Index step, T* to, Index n) {
  constexpr Index L = VectorOf<T, VectorBytes>::lanes;
  Index i = 0;
  for (; (step == 2 || step == 4) && i + L < n; i += L) {  // less than: what lies behind the last may be no one's
    take_vector<T, VectorBytes>(from + i * step, step, to + i);
  }
  if constexpr (VectorBytes > 16) {
    take_every<T, VectorBytes / 2>(from + i * step, step, to + i, n - i);
  } else {
    for (; i < n; ++i) to[i] = from[i * step];
  }
}

/// to[i] = or += rows[i % step, i / step] for i < n, `row` being the row stride.
template <class T>
struct Interleave {
  using Function = void (*)(const T* rows, Index row, Index step, T* to, Index n, bool overwrite);

  template <int VectorBytes>
  [[gnu::always_inline]] static void body(const T* rows, Index row, Index step, T* to, Index n, bool overwrite) {
    using Vector = typename VectorOf<T, VectorBytes>::InRegister;
    using Memory = typename VectorOf<T, VectorBytes>::InMemory;
    constexpr Index L = VectorOf<T, VectorBytes>::lanes;
    Index i = 0;
    for (; step == 2 && i + 2 * L <= n; i += 2 * L) {
      const Vector even = *reinterpret_cast<const Memory*>(rows + i / 2);
      const Vector odd = *reinterpret_cast<const Memory*>(rows + row + i / 2);
      Vector a, b;
      in_turn(even, odd, a, b, std::make_integer_sequence<int, L>());
      Memory &low = *reinterpret_cast<Memory*>(to + i), &high = *reinterpret_cast<Memory*>(to + i + L);
      low = overwrite ? a : low + a;
      high = overwrite ? b : high + b;
    }
    if constexpr (VectorBytes > 16) {
      if (step == 2) return body<VectorBytes / 2>(rows + i / 2, row, step, to + i, n - i, overwrite);
    }
    const Index done = i;  // whole steps
    for (Index j = 0; j < step; ++j, rows += row) {
      for (Index at = done + j, r = done / step; at < n; at += step, ++r) {
        to[at] = overwrite ? rows[r] : to[at] + rows[r];
      }
    }
  }
};

/// copy[r, i] = plane[rows.first + r*rows.step, columns.first + i*columns.step], zero in the padding; whole vectors of
/// zeros and of pixels, so that the copy needs room for one past its end.
template <class T>
struct Pad {
  using Function = void (*)(const T* plane, Index next, Index plane_row, Index plane_column, const Padded& rows,
                            const Padded& columns, T* copy);

  /// The plane that is copied next is `next` elements further: its rows are asked for meanwhile, unless all is one.
  template <int VectorBytes>
  [[gnu::always_inline]] static void body(const T* plane, Index next, Index plane_row, Index plane_column,
                                          const Padded& rows, const Padded& columns, T* copy) {
    constexpr Index line = 64 / static_cast<Index>(sizeof(T));
    const Index top = rows.low(), bottom = rows.high(), low = columns.low(), high = columns.high();
    const Index step = columns.step * plane_column, count = columns.count, n = high - low;
    clear_row<T, VectorBytes>(copy, top * count + (top < bottom ? low : 0));
    const Index first = (rows.first + top * rows.step) * plane_row + columns.first * plane_column + low * step;
    if (top < bottom && low == 0 && n == count && step == 1 && rows.step == 1 && plane_row == count) {
      move_row<T, VectorBytes>(plane + first, copy + top * count, (bottom - top) * count, true);  // all rows are one
    } else {
      Some some{top, bottom, n, first, rows.step * plane_row, step, next, count, count - high};
      // What is read past a row is the plane's, where there are no gaps between its rows.
      if (n > 0 && plane_row == columns.source && plane_column == 1 && (step == 1 || step == 2 || step == 4)) {
        whole_vectors<VectorBytes>(plane, rows.source * plane_row, copy + low, some);
      }
      for (; some.row < bottom; ++some.row, some.at += some.row_step) {
        T* const to = copy + some.row * count + low;
        const T* const from = plane + some.at;
        for (Index i = 0; i < n * step; i += line) __builtin_prefetch(from + next + i);
        if (step == 1) {
          move_row<T, VectorBytes>(from, to, n, true);
        } else {
          take_every<T, VectorBytes>(from, step, to, n);
        }
        clear_row<T, VectorBytes>(to + n, some.zeros());
      }
    }
    clear_row<T, VectorBytes>(copy + bottom * count, (rows.count - bottom) * count);
  }

 private:
  /// The rows [row, end) of n pixels that are still to be copied, the first of which is at `at` in the plane.
  struct Some {
    Index row, end, n, at, row_step, step, next, count, right;

    /// What is cleared after a row: its padding, and that before the next one.
    Index zeros() const { return row + 1 < end ? count - n : right; }
  };

  /// Copies rows in whole vectors, the last half full at least, as far as they lie in a plane of `size` elements.
  template <int VectorBytes>
  [[gnu::always_inline]] static void whole_vectors(const T* plane, Index size, T* copy, Some& some) {
    using Memory = typename VectorOf<T, VectorBytes>::InMemory;
    constexpr Index L = VectorOf<T, VectorBytes>::lanes;
    if constexpr (VectorBytes > 16) {
      if (some.n <= L / 2) return whole_vectors<VectorBytes / 2>(plane, size, copy, some);
    }
    const Index n = (some.n + L - 1) / L * L;
    T* to = copy + some.row * some.count;
    for (; some.row < some.end && some.at + n * some.step <= size; ++some.row, to += some.count) {
      const T* const from = plane + some.at;
      for (Index i = 0; i < n; i += L) {
        __builtin_prefetch(from + some.next + i * some.step);
        if (some.step == 1) {
          *reinterpret_cast<Memory*>(to + i) = *reinterpret_cast<const Memory*>(from + i);
        } else {
          __builtin_prefetch(from + some.next + (i + L) * some.step - 1);
          take_vector<T, VectorBytes>(from + i * some.step, some.step, to + i);
        }
      }
      clear_row<T, VectorBytes>(to + some.n, some.zeros());
      some.at += some.row_step;
    }
  }
};

/// The adjoint: adds what Pad would have copied; the copy of the padding is dropped.
template <class T>
struct AddPadded {
  using Function = void (*)(const T* copy, const Padded& rows, const Padded& columns, T* plane, Index plane_row,
                            Index plane_column);

  template <int VectorBytes>
  [[gnu::always_inline]] static void body(const T* copy, const Padded& rows, const Padded& columns, T* plane,
                                          Index plane_row, Index plane_column) {
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

}  // namespace unfold::engine
