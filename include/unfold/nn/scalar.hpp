// SPDX-License-Identifier: MIT
// What the layers ask of a scalar type, be it float, long double, complex, half or AutoDiffScalar:
// an order, derivatives, constants of it, and the type in which sums of it are taken.
#pragma once

#include <unfold/core/error.hpp>  // what it refuses: is_nan needs NaN

#include <Eigen/Core>

#include <concepts>

namespace unfold::detail {

/// Scalars with an order: all but the complex ones.
template <class T>
concept Ordered = requires(const T& a) {
  { a < a } -> std::convertible_to<bool>;
};

/// Scalars such as Eigen's AutoDiffScalar: a value and its derivatives.
template <class T>
concept CarriesDerivatives = requires(const T& a) {
  a.value();
  T(a.value(), a.derivatives());
};

/// True for the one value that differs from itself.
template <Ordered T>
bool is_nan(const T& value) {
  return value != value;  // NOLINT(misc-redundant-expression): std::isnan knows the built-in scalars alone
}

/// A real constant as a T, through the type in which T's own literals are written.
template <class T>
T constant(long double value) {
  return T(static_cast<typename Eigen::NumTraits<T>::Literal>(value));
}

/// The type that sums many T: with more digits than T where that costs little.
template <class T>
struct AccumulatorOf {
  using type = T;
};
template <>
struct AccumulatorOf<float> {
  using type = double;
};
template <>
struct AccumulatorOf<Eigen::half> {
  using type = float;
};
template <>
struct AccumulatorOf<Eigen::bfloat16> {
  using type = float;
};
template <class T>
using Accumulator = typename AccumulatorOf<T>::type;

}  // namespace unfold::detail
