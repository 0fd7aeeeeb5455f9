// SPDX-License-Identifier: MIT
#include <unfold/nn/exponential.hpp>

#include "support/catch.hpp"

#include <algorithm>  // std::max
#include <cmath>
#include <limits>

using namespace unfold;

namespace {

/// Points of either sign, from 2^-30 to the largest z with a finite e^z.
template <class T, class F>
void for_each_point(F&& f) {
  for (int e = -30; e < 10; ++e) {
    for (int i = 0; i < 64; ++i) {
      const T z = std::ldexp(T(1) + T(i) / T(64.5), e);
      if (z < std::log(std::numeric_limits<T>::max())) f(z), f(-z);
    }
  }
}

template <class T>
double error_in_epsilons(T got, long double exact) {
  return static_cast<double>(std::abs((got - exact) / exact) / std::numeric_limits<T>::epsilon());
}

}  // namespace

// Two roundings of r leave it off by epsilon/2 of itself and n*low's rounding, p is then off by two epsilons of itself
// and its last sum by a half; 2^n*(1 + p) adds one rounding of p's part and one of the sum, at |p| < 0.42.
TEMPLATE_TEST_CASE("The exponential is right to two epsilons, less one to three, and tanh to four", "", float, double) {
  using T = TestType;
  double exponential = 0, less_one = 0, tangent = 0;
  for_each_point<T>([&](T z) {
    const long double Z = z;
    if (z > detail::ExponentialParts<T>::lowest) {
      exponential = std::max(exponential, error_in_epsilons(detail::exponential(z), std::exp(Z)));
    }
    less_one = std::max(less_one, error_in_epsilons(detail::exp_minus_one(z), std::expm1(Z)));
    tangent = std::max(tangent, error_in_epsilons(detail::hyperbolic_tangent(z), std::tanh(Z)));
  });
  CHECK(exponential <= 2);
  CHECK(less_one <= 3);
  CHECK(tangent <= 4);
}

TEMPLATE_TEST_CASE("Far out the exponentials have their limits, and of NaN they are NaN", "", float, double) {
  using T = TestType;
  const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  for (const T z : {std::log(std::numeric_limits<T>::max()) * T(1.001), T(1e30), inf}) {
    CHECK(detail::exponential(z) == inf);
    CHECK(detail::exp_minus_one(z) == inf);
    CHECK(detail::hyperbolic_tangent(z) == 1);
    CHECK(detail::exponential(-z) <= std::numeric_limits<T>::min() * 8);
    CHECK(detail::exp_minus_one(-z) == -1);
    CHECK(detail::hyperbolic_tangent(-z) == -1);
  }
  CHECK(detail::exponential(T(0)) == 1);
  CHECK(detail::exp_minus_one(T(0)) == 0);
  CHECK(detail::hyperbolic_tangent(T(0)) == 0);
  CHECK(std::isnan(detail::exponential(nan)));
  CHECK(std::isnan(detail::exp_minus_one(nan)));
  CHECK(std::isnan(detail::hyperbolic_tangent(nan)));
}
