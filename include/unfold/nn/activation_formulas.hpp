// SPDX-License-Identifier: MIT
// The formulas of the activations, one type each: value(z) = f(z) and slope = f'(z), the slope read off
// the output y = f(z) for the fourteen monotone ones, off the input z for Silu and Gelu.
// The value of a NaN is a NaN. A scalar that meets no constraint of a formula does not have that activation.
#pragma once

#include <unfold/nn/exponential.hpp>
#include <unfold/nn/scalar.hpp>

#include <algorithm>  // std::clamp, std::max, std::min
#include <cmath>

namespace unfold::detail {

template <class T>
T round_down(const T& z) {
  if constexpr (CarriesDerivatives<T>) {
    return T(round_down(z.value()));  // of slope 0
  } else {
    using std::floor;
    return T(floor(z));
  }
}

/// Scalars whose error function is known.
template <class T>
concept HasErfc = std::floating_point<T> || CarriesDerivatives<T>;

/// The density of the standard normal distribution: exp(-z^2/2) / sqrt(2 pi).
template <class T>
T normal_density(const T& z) {
  using std::exp;
  return T(constant<T>(0.398942280401432677939946059934381868L) * exp(constant<T>(-0.5L) * z * z));
}

/// The probability that a standard normal number is below z: erfc(-z/sqrt(2)) / 2.
template <HasErfc T>
T normal_cdf(const T& z) {
  if constexpr (CarriesDerivatives<T>) {
    return T(normal_cdf(z.value()), normal_density(z.value()) * z.derivatives());
  } else {
    return constant<T>(0.5L) * std::erfc(z * constant<T>(-0.707106781186547524400844362104849039L));
  }
}

struct Linear {
  template <class T>
  static T value(const T& z) {
    return z;
  }
  template <class T>
  static T slope(const T&) {
    return T(1);
  }
};

struct Logistic {  // 1 / (1 + e^-z)
  template <class T>
  static T value(const T& z) {
    return T(T(1) / (T(1) + exponential(T(-z))));
  }
  template <class T>
  static T slope(const T& y) {
    return T((T(1) - y) * y);
  }
};

struct Loggy {  // 2 / (1 + e^-z) - 1
  template <class T>
  static T value(const T& z) {
    return hyperbolic_tangent(T(constant<T>(0.5L) * z));
  }
  template <class T>
  static T slope(const T& y) {
    return T(constant<T>(0.5L) * (T(1) - y) * (T(1) + y));
  }
};

struct Relu {  // max(z, 0)
  template <Ordered T>
  static T value(const T& z) {
    return std::max(z, T(0));
  }
  template <Ordered T>
  static T slope(const T& y) {
    return y > T(0) ? T(1) : T(0);
  }
};

struct Elu {  // z above 0, e^z - 1 below
  template <Ordered T>
  static T value(const T& z) {
    const bool negative = z < T(0);
    return T(choose(negative, T(0), z) + exp_minus_one(choose(negative, z, T(0))));
  }
  template <Ordered T>
  static T slope(const T& y) {
    return std::min(T(y + T(1)), T(1));
  }
};

struct Selu {  // l*z above 0, l*a*(e^z - 1) below
  template <Ordered T>
  static T value(const T& z) {
    const T l = constant<T>(1.0507L), a = constant<T>(1.6732L);
    const bool negative = z < T(0);
    return T(l * choose(negative, T(0), z) + l * a * exp_minus_one(choose(negative, z, T(0))));
  }
  template <Ordered T>
  static T slope(const T& y) {
    const T l = constant<T>(1.0507L), a = constant<T>(1.6732L);
    return T(choose(y >= T(0), T(0), y) + choose(y >= T(0), l, T(l * a)));
  }
};

struct Relie {  // max(z/100, z)
  template <Ordered T>
  static T value(const T& z) {
    return std::max(T(constant<T>(0.01L) * z), z);
  }
  template <Ordered T>
  static T slope(const T& y) {
    return y > T(0) ? T(1) : constant<T>(0.01L);
  }
};

struct Ramp {  // 11/10 z above 0, z/10 below
  template <Ordered T>
  static T value(const T& z) {
    return T(std::max(z, T(0)) + constant<T>(0.1L) * z);
  }
  template <Ordered T>
  static T slope(const T& y) {
    return y > T(0) ? constant<T>(1.1L) : constant<T>(0.1L);
  }
};

struct Leaky {  // max(z/10, z)
  template <Ordered T>
  static T value(const T& z) {
    return std::max(T(constant<T>(0.1L) * z), z);
  }
  template <Ordered T>
  static T slope(const T& y) {
    return y > T(0) ? T(1) : constant<T>(0.1L);
  }
};

struct Tanh {
  template <class T>
  static T value(const T& z) {
    return hyperbolic_tangent(z);
  }
  template <class T>
  static T slope(const T& y) {
    return T((T(1) - y) * (T(1) + y));
  }
};

struct Plse {  // z/8 + 1/2 in [-4, 4], of slope 1/100 outside
  template <Ordered T>
  static T value(const T& z) {
    const T below = T(constant<T>(0.01L) * (z + T(4)));
    const T between = T(constant<T>(0.125L) * z + constant<T>(0.5L));
    const T above = T(constant<T>(0.01L) * (z - T(4)) + T(1));
    return std::max(below, std::min(between, above));
  }
  template <Ordered T>
  static T slope(const T& y) {
    return y < T(0) || y > T(1) ? constant<T>(0.01L) : constant<T>(0.125L);
  }
};

struct Stair {  // flat from 2k to 2k + 1, of slope 1 from there to 2k + 2
  template <Ordered T>
  static T value(const T& z) {
    const T step = round_down(z);
    const T level = round_down(T(constant<T>(0.5L) * z));
    const T rise = T(z - step + level);
    return choose(T(T(2) * level) == step, level, rise);
  }
  template <Ordered T>
  static T slope(const T& y) {
    return round_down(y) == y ? T(0) : T(1);
  }
};

struct Hardtan {  // z cut off at -1 and 1
  template <Ordered T>
  static T value(const T& z) {
    return std::clamp(z, T(-1), T(1));
  }
  template <Ordered T>
  static T slope(const T& y) {
    const bool between = (y > T(-1)) & (y < T(1));  // no branch
    return between ? T(1) : T(0);
  }
};

struct Lhtan {  // z in [0, 1], of slope 1/1000 outside
  template <Ordered T>
  static T value(const T& z) {
    const T below = T(constant<T>(0.001L) * z);
    const T above = T(constant<T>(0.001L) * (z - T(1)) + T(1));
    return std::max(below, std::min(z, above));
  }
  template <Ordered T>
  static T slope(const T& y) {
    const bool between = (y > T(0)) & (y < T(1));  // no branch
    return between ? T(1) : constant<T>(0.001L);
  }
};

struct Silu {  // z * logistic(z)
  template <class T>
  static T value(const T& z) {
    return T(z * Logistic::value(z));
  }
  template <class T>
  static T slope(const T& z) {
    const T s = Logistic::value(z);
    return T(s * (T(1) + z * (T(1) - s)));
  }
};

struct Gelu {  // z * normal_cdf(z)
  template <HasErfc T>
  static T value(const T& z) {
    return T(z * normal_cdf(z));
  }
  template <HasErfc T>
  static T slope(const T& z) {
    return T(normal_cdf(z) + z * normal_density(z));
  }
};

}  // namespace unfold::detail
