// SPDX-License-Identifier: MIT
#include "peak.hpp"

#include <unfold/engine/isa.hpp>

namespace unfold::bench {
namespace {

constexpr int chains = 12;  // two units of latency four need eight, and sixteen registers bear twelve and the factors

/// sum = sum*a + b in twelve sums, each a chain of its own that the compiler may neither join with another, as they
/// begin differently, nor shorten, as it may not reorder what it rounds, nor drop, as all of them are written at last.
template <class T, int Bytes>
[[gnu::always_inline]] inline void multiply_add(long steps) {
  typedef T Vector [[gnu::vector_size(Bytes)]];
  volatile T opaque = T(0.5);  // the sums stay between 1 and 13: no denormal number, no overflow
  const Vector a = Vector{} + opaque, b = Vector{} + opaque;
  Vector sum[chains];
#pragma GCC unroll 16
  for (int c = 0; c < chains; ++c) sum[c] = Vector{} + T(c + 1);
  for (long step = 0; step < steps; ++step) {
#pragma GCC unroll 16
    for (int c = 0; c < chains; ++c) sum[c] = sum[c] * a + b;
  }
#pragma GCC unroll 16
  for (int c = 1; c < chains; ++c) sum[0] += sum[c];
  T lanes = 0;
  for (int i = 0; i < Bytes / static_cast<int>(sizeof(T)); ++i) lanes += sum[0][i];
  opaque = lanes;
}

#if defined(__x86_64__)
template <class T>
[[gnu::target("avx512f,fma")]] void avx512_loop(long steps) {
  multiply_add<T, 64>(steps);
}
template <class T>
[[gnu::target("avx2,fma")]] void avx2_loop(long steps) {
  multiply_add<T, 32>(steps);
}
#endif
template <class T>
void baseline_loop(long steps) {
  multiply_add<T, 16>(steps);
}

struct Loop {
  void (*run)(long steps);
  int bytes;  // of a vector
};

template <class T>
Loop best_loop() {
#if defined(__x86_64__)
  if (engine::supported(engine::Isa::avx512)) return {avx512_loop<T>, 64};
  if (engine::supported(engine::Isa::avx2)) return {avx2_loop<T>, 32};
#endif
  return {baseline_loop<T>, 16};
}

}  // namespace

template <class T>
Peak fma_peak() {
  const Loop loop = best_loop<T>();
  constexpr long steps = 50'000;
  return {[=] { loop.run(steps); }, 2.0 * chains * loop.bytes / sizeof(T) * steps};
}

template Peak fma_peak<float>();
template Peak fma_peak<double>();

}  // namespace unfold::bench
