// SPDX-License-Identifier: MIT
// The exponential functions that activations are made of. For float and double they are sums and products without a
// branch, so that a loop over them is a loop over vectors; for other scalars those of the scalar.
#pragma once

#include <unfold/engine/isa.hpp>
#include <unfold/nn/scalar.hpp>

#include <bit>  // std::bit_cast
#include <cmath>
#include <cstdint>
#include <numbers>  // std::numbers::log2e_v
#include <utility>  // std::integer_sequence

namespace unfold::detail {

/// 1/Order!, for Order < 20: a constant, which no compiler computes for each element.
template <class T, int Order>
inline constexpr T inverse_factorial = inverse_factorial<T, Order - 1> / T(Order);
template <class T>
inline constexpr T inverse_factorial<T, 0> = T(1);

/// What e^z is made of: z = n*ln(2) + r with |r| <= ln(2)/2, hence e^z = 2^n * (1 + p) with p = e^r - 1.
///
/// `lowest` and `highest` bound the z for which 2^(n-1) is a number; beyond them e^z - 1 is -1 or infinite. ln(2) is
/// high + low, where n*high is exact. p is Taylor's sum up to r^terms/terms!, whose next term is below epsilon/4 of r.
template <class T>
struct ExponentialParts;
template <>
struct ExponentialParts<float> {
  using Bits = std::uint32_t;
  static constexpr int mantissa = 23, bias = 127, terms = 7;
  static constexpr float lowest = -86, highest = 89;
  static constexpr float high = 0x1.63p-1F, low = -0x1.bd0105p-13F;  // NOLINT(modernize-use-std-numbers): parts of it
};
template <>
struct ExponentialParts<double> {
  using Bits = std::uint64_t;
  static constexpr int mantissa = 52, bias = 1023, terms = 13;
  static constexpr double lowest = -707, highest = 710;
  static constexpr double high = 0x1.62e42feep-1, low = 0x1.a39ef35793c76p-33;  // NOLINT(modernize-use-std-numbers)
};

/// condition ? a : b, for float and double by a mask: of a constant and what follows g++ 12 would make a branch.
template <class T>
[[gnu::always_inline]] inline T choose(bool condition, const T& a, const T& b) {
  if constexpr (FloatOrDouble<T>) {
    using Bits = typename ExponentialParts<T>::Bits;
    const Bits mask = Bits(0) - Bits(condition);
    return std::bit_cast<T>((std::bit_cast<Bits>(a) & mask) | (std::bit_cast<Bits>(b) & ~mask));
  } else {
    return condition ? a : b;
  }
}

/// half = 2^(n-1) and p of ExponentialParts; p is NaN if z is.
template <FloatOrDouble T>
struct SplitExponential {
  T half, p;

  [[gnu::always_inline]] explicit SplitExponential(T z) {
    using Parts = ExponentialParts<T>;
    using Bits = typename Parts::Bits;
    constexpr T round =
        T(Bits{3} << (Parts::mantissa - 1));  // what is added to it becomes an integer, in its last bits
    z = choose<T>(z > Parts::highest, Parts::highest, z);
    z = choose<T>(z < Parts::lowest, Parts::lowest, z);
    const T shifted = z * std::numbers::log2e_v<T> + round;
    const T n = shifted - round;
    const T r = (z - n * Parts::high) - n * Parts::low;
    T q = 0;  // p = r + r^2*q
    [&]<int... I>(std::integer_sequence<int, I...>) {
      ((q = q * r + inverse_factorial<T, Parts::terms - I>), ...);
    }(std::make_integer_sequence<int, Parts::terms - 1>());
    p = r + r * r * q;
    half = std::bit_cast<T>((std::bit_cast<Bits>(shifted) + Bits(Parts::bias - 1)) << Parts::mantissa);
  }
};

/// e^z, but where it is below 1e-37 (float) or 1e-307 some number below that: to be added to something larger.
template <class T>
[[gnu::always_inline]] inline T exponential(const T& z) {
  if constexpr (FloatOrDouble<T>) {
    const SplitExponential<T> e(z);
    return (e.half * e.p + e.half) * 2;
  } else {
    using std::exp;
    return T(exp(z));
  }
}

/// e^z - 1, also for small z where the scalar offers it.
template <class T>
[[gnu::always_inline]] inline T exp_minus_one(const T& z) {
  using std::exp, std::expm1;
  if constexpr (FloatOrDouble<T>) {
    const SplitExponential<T> e(z);
    return (e.half * e.p + (e.half - T(0.5))) * 2;
  } else if constexpr (requires { T(expm1(z)); }) {
    return T(expm1(z));
  } else {
    return T(exp(z) - T(1));
  }
}

/// tanh(z) = -d/(d + 2) with d = e^(-2|z|) - 1, and z's sign.
template <class T>
[[gnu::always_inline]] inline T hyperbolic_tangent(const T& z) {
  if constexpr (FloatOrDouble<T>) {
    const T twice = 2 * z;
    const T d = exp_minus_one(twice < 0 ? twice : -twice);
    const T negative = d / (d + 2);
    return z > 0 ? -negative : negative;
  } else {
    using std::tanh;
    return T(tanh(z));
  }
}

}  // namespace unfold::detail
