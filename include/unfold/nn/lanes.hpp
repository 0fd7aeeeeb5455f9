// SPDX-License-Identifier: MIT
// Loops over memory without gaps, in the vectors of the machine where the elements are float or double:
// y[i] = f(i), and the sum of f(i). The passes of the layers consist of these, piece by piece of the memory: what one
// loop has read or written is in the first-level cache for the next, and several loops cost one pass.
#pragma once

#include <unfold/core/shape.hpp>
#include <unfold/engine/isa.hpp>

#include <algorithm>  // std::min
#include <concepts>

namespace unfold::detail {

// NOLINTBEGIN(performance-unnecessary-value-param): a kernel's arguments are its own, so that what it writes cannot be
// one

/// f(begin, count) for the pieces of [0, n), in order.
template <class F>
void for_each_piece(Index n, const F& f) {
  constexpr Index piece = 1024;  // three of double fill the first-level cache
  for (Index begin = 0; begin < n; begin += piece) f(begin, std::min(piece, n - begin));
}

#if defined(__x86_64__)
/// AVX2 without its fused multiply-adds, so that an element is the same bits in a vector, left over from one, and under
/// any instruction set. Wider vectors would only wait for the memory. All is inlined: a call from here of what g++ has
/// compiled for other vectors costs a hundred instructions, as it leaves the upper halves of the registers as they are.
struct LaneSet {
  template <class Kernel, class... Arguments>
  [[gnu::target("avx2"), gnu::flatten]] static void run(Arguments... arguments) {
    Kernel::template body<32>(arguments...);
  }
};
#endif

inline constexpr Index lane_count = 8;  // elements that a loop takes at a time

/// Runs a kernel over n elements T: here if they are too few for a vector.
template <class T, class Kernel, class... Arguments>
void run_lanes(Index n, Arguments... arguments) {
  if (n < lane_count) return Kernel::template body<16>(n, arguments...);
#if defined(__x86_64__)
  if constexpr (FloatOrDouble<T>) {
    if (engine::isa() != engine::Isa::baseline) return LaneSet::run<Kernel>(n, arguments...);
  }
#endif
  engine::Baseline::run<Kernel>(n, arguments...);
}

template <class T, class First, class Second>
struct MapLanes {
  template <int VectorBytes>
  [[gnu::always_inline]] static void body(Index n, T* y, First first, Second second) {
    Index i = 0;
    if constexpr (FloatOrDouble<T>) {
      using Memory = typename engine::VectorOf<T, VectorBytes>::InMemory;
      constexpr Index V = engine::VectorOf<T, VectorBytes>::lanes;
      for (; i + lane_count <= n; i += lane_count) {
        T lanes[lane_count];  // registers: nothing else can be here, so the compilers make vectors of the loops
        for (Index l = 0; l < lane_count; ++l) lanes[l] = first(i + l);
        for (Index l = 0; l < lane_count; ++l) lanes[l] = second(i + l, lanes[l]);
        for (Index l = 0; l < lane_count; l += V) {
          *reinterpret_cast<Memory*>(y + i + l) = *reinterpret_cast<const Memory*>(lanes + l);
        }
      }
    }
    for (; i < n; ++i) y[i] = second(i, T(first(i)));
  }
};

/// y[i] = second(i, first(i)) for i < n; both may read y[i], but no other element of y. In two steps a choice between
/// two numbers, the first, is a mask of a vector; in one g++ 12 would make the product with it a branch.
template <class T, class First, class Second>
  requires std::invocable<Second, Index, const T&>
void map_lanes(T* y, Index n, const First& first, const Second& second) {
  run_lanes<T, MapLanes<T, First, Second>>(n, y, first, second);
}

/// y[i] = f(i) for i < n; f may read y[i], but no other element of y.
template <class T, class F>
void map_lanes(T* y, Index n, const F& f) {
  map_lanes(y, n, f, [](Index, const T& value) { return value; });
}

template <class A, class Term>
struct SumLanes {
  template <int VectorBytes>
  [[gnu::always_inline]] static void body(Index n, A* sum, Term term) {
    A lanes[lane_count] = {A(0), A(0), A(0), A(0), A(0), A(0), A(0), A(0)};
    Index i = 0;
    for (; i + lane_count <= n; i += lane_count) {
      for (Index l = 0; l < lane_count; ++l) lanes[l] += term(i + l);
    }
    for (; i < n; ++i) lanes[0] += term(i);
    for (Index half = lane_count / 2; half > 0; half /= 2) {
      for (Index l = 0; l < half; ++l) lanes[l] += lanes[l + half];
    }
    *sum = lanes[0];
  }
};

// NOLINTEND(performance-unnecessary-value-param)

/// The sum of term(i) over [0, n), in eight interleaved sums, whatever the vectors.
template <class A, class Term>
A lane_sum(Index n, const Term& term) {
  A sum(0);
  run_lanes<A, SumLanes<A, Term>>(n, &sum, term);
  return sum;
}

}  // namespace unfold::detail
