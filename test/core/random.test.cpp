// SPDX-License-Identifier: MIT
// The bounds on frequencies and moments are five standard deviations of the estimate; the seeds are fixed.
#include <unfold/core/random.hpp>

#include "support/catch.hpp"

#include <array>
#include <cmath>
#include <limits>

using namespace unfold;

namespace {

constexpr int samples = 200000;

struct Moments {
  double mean = 0, variance = 0, skewness = 0, kurtosis = 0, low = 1e9, high = -1e9;
};

template <class Draw>
Moments moments(const Draw& draw) {
  std::array<double, 5> powers{};
  Moments m;
  for (int i = 0; i < samples; ++i) {
    const double v = draw();
    m.low = std::min(m.low, v);
    m.high = std::max(m.high, v);
    double power = 1;
    for (double& sum : powers) sum += power / samples, power *= v;
  }
  const double mean = powers[1];
  m.mean = mean;
  m.variance = powers[2] - mean * mean;
  m.skewness = powers[3] - 3 * mean * powers[2] + 2 * mean * mean * mean;
  m.kurtosis = powers[4] - 4 * mean * powers[3] + 6 * mean * mean * powers[2] - 3 * mean * mean * mean * mean;
  return m;
}

/// Five standard deviations of the mean of samples whose variance is v.
double five_sigma(double v) { return 5 * std::sqrt(v / samples); }

}  // namespace

TEST_CASE("The stream is SplitMix64: these numbers are published with it") {
  Random zero(0);
  for (const std::uint64_t expected :
       {0xe220a8397b1dcdafu, 0x6e789e6aa1b965f4u, 0x06c45d188009454fu, 0xf88bb8a8724c81ecu, 0x1b39896a51a8749bu}) {
    CHECK(zero.next() == expected);
  }
  Random other(1234567);
  for (const std::uint64_t expected : {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
                                       4593380528125082431u, 16408922859458223821u}) {
    CHECK(other.next() == expected);
  }
}

TEST_CASE("The state is the whole stream: a generator set to it goes on with the same numbers") {
  Random random(42);
  CHECK(random.state() == 42);
  random.next();
  random.normal();
  const std::uint64_t state = random.state();
  const double a = random.uniform(), b = random.normal();
  Random again(7);
  again.set_state(state);
  CHECK(again.uniform() == a);
  CHECK(again.normal() == b);
  CHECK(again.state() == random.state());
}

TEST_CASE("The first uniform and normal numbers have these bits on every machine") {
  Random uniform(1);
  CHECK(uniform.uniform() == 0x1.22145bd91204bp-1);
  CHECK(uniform.uniform() == 0x1.7dd71b42cb1ddp-1);
  Random normal(1);
  CHECK(normal.normal() == 0x1.143832d900000p+1);
  CHECK(normal.normal() == -0x1.b29bdf3000000p-1);
  CHECK(normal.normal() == 0x1.9d03a58000000p-5);
}

TEST_CASE("Uniform numbers lie in [0, 1), are multiples of 2^-53, and spread evenly") {
  Random random(11);
  std::array<int, 16> bins{};
  for (int i = 0; i < samples; ++i) {
    const double u = random.uniform();
    if (!(u >= 0 && u < 1) || std::floor(u * 0x1p53) != u * 0x1p53) FAIL(u);
    ++bins.at(static_cast<std::size_t>(u * 16));
  }
  for (const int count : bins) CHECK(std::abs(count / double{samples} - 1.0 / 16) < five_sigma(15.0 / 256));
  const Moments m = moments([&] { return random.uniform(); });
  CHECK(std::abs(m.mean - 0.5) < five_sigma(1.0 / 12));
  CHECK(std::abs(m.variance - 1.0 / 12) < five_sigma(1.0 / 80 - 1.0 / 144));
}

TEST_CASE("Normal numbers have mean 0, variance 1, no skew, the kurtosis of twelve uniforms, and lie in (-6, 6)") {
  Random random(12);
  const Moments m = moments([&] { return random.normal(); });
  CHECK(std::abs(m.mean) < five_sigma(1));
  CHECK(std::abs(m.variance - 1) < five_sigma(2));
  CHECK(std::abs(m.skewness) < five_sigma(15));
  CHECK(std::abs(m.kurtosis - (3 - 0.1)) < five_sigma(96));  // excess of one uniform -6/5, of the sum of 12 a twelfth
  CHECK(m.low > -6);
  CHECK(m.high < 6);
  CHECK(m.low < -3.5);
  CHECK(m.high > 3.5);
}

TEST_CASE("below(n) gives every integer of [0, n) equally often, and nothing else") {
  Random random(13);
  for (const Index n : {1, 2, 3, 7, 10}) {
    std::array<int, 10> counts{};
    for (int i = 0; i < samples; ++i) ++counts.at(static_cast<std::size_t>(random.below(n)));
    const double p = 1 / static_cast<double>(n);
    for (Index v = 0; v < 10; ++v) {
      CAPTURE(n, v);
      const double frequency = counts.at(static_cast<std::size_t>(v)) / double{samples};
      CHECK(std::abs(frequency - (v < n ? p : 0)) <= five_sigma(p * (1 - p)));
    }
  }
}

TEST_CASE("below(n) favours no integer where n does not divide 2^64") {
  // A remainder modulo n = 3*2^61 would give its lowest third 3/8 of the draws instead of 1/3.
  Random random(14);
  const Index n = Index{3} << 61;
  int low = 0;
  for (int i = 0; i < samples; ++i) {
    const Index v = random.below(n);
    if (v < 0 || v >= n) FAIL(v);
    low += v < n / 3;
  }
  CHECK(std::abs(low / double{samples} - 1.0 / 3) < five_sigma(2.0 / 9));
  CHECK(random.below(std::numeric_limits<Index>::max()) >= 0);
}
