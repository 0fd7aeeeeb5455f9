// SPDX-License-Identifier: MIT
// Kernels for few channels: pixels as the vectors, read where they lie in a laid-out source, without packing.
//   FewRows   c [rows, pixels] (+)= a * stencil(x)     a few rows of filters
//   Dots      partial sums of dy [rows, pixels] * stencil(x)^T
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
    constexpr Index L = VectorOf<T, VectorBytes>::lanes;
    for (Index line = 0; line < lines; ++line, source += source_line, c += c_line) {
      const Index q = vectors<VectorBytes, Vectors>(0, depth, a, source, offsets, exact ? count / L * L : count, c,
                                                    c_row, overwrite);
      if (exact && q < count) vectors<VectorBytes, 1>(count - L, depth, a, source, offsets, count, c, c_row, overwrite);
    }
  }

 private:
  /// The columns from q on, V vectors at a time, then fewer; returns where it ended.
  template <int VectorBytes, int V>
  [[gnu::always_inline]] static Index vectors(Index q, Index depth, const T* a, const T* source, const Index* offsets,
                                              Index count, T* c, Index c_row, bool overwrite) {
    using Vector = typename VectorOf<T, VectorBytes>::InRegister;
    using Memory = typename VectorOf<T, VectorBytes>::InMemory;
    constexpr Index L = VectorOf<T, VectorBytes>::lanes;
    for (; q + (V - 1) * L < count; q += V * L) {
      Vector sum[Rows][V] = {};
      for (Index k = 0; k < depth; ++k) {
        const T* const from = source + offsets[k] + q;
#pragma GCC unroll 16
        for (int v = 0; v < V; ++v) {
          const Vector b = *reinterpret_cast<const Memory*>(from + v * L);
#pragma GCC unroll 16
          for (int i = 0; i < Rows; ++i) sum[i][v] += a[k * Rows + i] * b;
        }
      }
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
        for (int v = 0; v < V; ++v) {
          Memory& to = *reinterpret_cast<Memory*>(c + i * c_row + q + v * L);
          to = overwrite ? sum[i][v] : to + sum[i][v];
        }
      }
    }
    if constexpr (V > 1) q = vectors<VectorBytes, V / 2>(q, depth, a, source, offsets, count, c, c_row, overwrite);
    return q;
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

}  // namespace unfold::engine
