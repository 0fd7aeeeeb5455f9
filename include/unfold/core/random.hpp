// SPDX-License-Identifier: MIT
// Random: a seeded stream of numbers with the same bits on every machine and compiler.
// Only integers and exact steps are used, so no math library and no contraction can change them.
#pragma once

#include <unfold/core/shape.hpp>

#include <cstdint>

namespace unfold {

/// SplitMix64: a 64-bit counter and a mixing function; the counter is the whole state.
///
/// Source  G. Steele, D. Lea, C. Flood, Fast splittable pseudorandom number generators, OOPSLA 2014
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t state() const { return state_; }
  void set_state(std::uint64_t state) { state_ = state; }

  /// 64 uniform bits.
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  /// Uniform in [0, 1), a multiple of 2^-53.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

  /// Mean 0, variance 1, in (-6, 6): the sum of twelve uniforms less 6, added as integers of 32 bits.
  double normal() {
    std::int64_t sum = -(std::int64_t{6} << 32) + 6;  // + 12 * 1/2: the mean of an integer in [0, 2^32) is 2^31 - 1/2
    for (int i = 0; i < 6; ++i) {
      const std::uint64_t bits = next();
      sum += static_cast<std::int64_t>(bits >> 32) + static_cast<std::int64_t>(bits & 0xffffffff);
    }
    return static_cast<double>(sum) * 0x1p-32;
  }

  /// Uniform in [0, n).
  /// Errors: ShapeError unless n >= 1
  Index below(Index n) {
    detail::require(n >= 1, "Random::below", "n must be >= 1", n);
    const auto range = static_cast<std::uint64_t>(n);
    const std::uint64_t whole = UINT64_MAX - UINT64_MAX % range;  // a multiple of n: no value is favoured
    std::uint64_t value = next();
    while (value >= whole) value = next();
    return static_cast<Index>(value % range);
  }

 private:
  std::uint64_t state_;
};

}  // namespace unfold
