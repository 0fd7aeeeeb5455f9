// SPDX-License-Identifier: MIT
// Claim: a tensor that outputs depend on, and the gradient that is claimed for it; what every engine is given.
// Here too what a caller may ask of a check, and which coordinates and directions are drawn.
#pragma once

#include <unfold/core/random.hpp>
#include <unfold/core/tensor.hpp>
#include <unfold/nn/layer.hpp>
#include <unfold/verify/gradient_report.hpp>

#include <limits>
#include <utility>  // std::move

namespace unfold {

/// How a check measures derivatives of code as it is. (Of code over dual or complex numbers: see gradient_check.)
///   differences  central differences, extrapolated, with an estimate of their error: any function
///   integers     differences with step 1 on small integers, equal or wrong: maps linear in each tensor by itself
///   adjoint      <J u, c> = <u, J^T c> for directions u: the same maps; cheap, but names no entry
///   taylor       how fast the remainder f(q + t*u) - f(q) - t*<g, u> falls with t: any smooth function; cheap
enum class GradientEngine : std::uint8_t { differences, integers, adjoint, taylor };

struct GradientCheckOptions {
  /// Of the weighting of the outputs, the choice of coordinates, the directions, and the integers.
  std::uint64_t seed = 1;
  GradientEngine engine = GradientEngine::differences;
  /// At most so many coordinates of each tensor are checked.
  Index coordinates = std::numeric_limits<Index>::max();
  /// So many directions in each tensor are checked, by the engines that use them.
  Index directions = 4;
  /// How many roundings a number may carry, in units of epsilon times the largest of its kind. Differences measure how
  /// many there are before they call a claim wrong.
  double roundings = 32;
  /// Whether backward adds to the gradients of parameters, as the layers of the library do, or overwrites them.
  bool accumulates = true;
};

inline std::string to_string(GradientEngine engine) {
  switch (engine) {
    case GradientEngine::differences: return "central differences";
    case GradientEngine::integers: return "integers, step 1";
    case GradientEngine::adjoint: return "adjoint";
    case GradientEngine::taylor: break;
  }
  return "Taylor remainders";
}

namespace detail {

/// What one rounding may be beside 1: in T, or in double, in which the checks add up and report.
template <class T>
inline constexpr double rounding_unit =
    std::max<double>(std::numeric_limits<T>::epsilon(), std::numeric_limits<double>::epsilon());

template <class T>
struct Claim {
  std::string name;
  std::vector<Index> shape;
  std::vector<T*> at;       // the elements q_j, in row-major order
  std::vector<T> gradient;  // the claimed derivatives of sum c_i*y_i by them

  std::size_t size() const { return at.size(); }
  TensorReport report(bool directions) const { return {name, shape, {}, directions, rounding_unit<T>}; }
};

/// Calls f(element) for every element of a view, in row-major order.
template <class T, int Rank, class F>
void for_each_element(const TensorView<T, Rank>& view, F&& f) {
  view.for_each_run([&](T* run, Index n, Index step) {
    for (Index i = 0; i < n; ++i) f(run[i * step]);
  });
}

template <class T, int Rank>
std::vector<std::remove_const_t<T>> elements(const TensorView<T, Rank>& view) {
  std::vector<std::remove_const_t<T>> values;
  values.reserve(static_cast<std::size_t>(view.size()));
  for_each_element(view, [&](T& value) { values.push_back(value); });
  return values;
}

template <class T, int Rank>
std::vector<T*> addresses(const TensorView<T, Rank>& view) {
  std::vector<T*> places;
  places.reserve(static_cast<std::size_t>(view.size()));
  for_each_element(view, [&](T& value) { places.push_back(&value); });
  return places;
}

template <class T, int Rank>
Claim<T> claim(std::string_view name, const TensorView<T, Rank>& value) {
  return {std::string(name), {value.shape().begin(), value.shape().end()}, addresses(value), {}};
}

template <AnyTensor X>
ReadableView<X> readable(const X& x) {
  return x;
}

/// A number of either sign, at least 1 in magnitude where it is an integer: a weight 0 would hide an output.
inline double draw(Random& random, bool integer) {
  if (!integer) return random.normal();
  const Index n = random.below(8);
  return static_cast<double>(n < 4 ? n - 4 : n - 3);
}

/// Calls f(j) for at most `wanted` of the numbers j < size, in order, so that every choice is equally likely.
template <class F>
void for_each_chosen(Random& random, std::size_t size, Index wanted, F&& f) {
  Index left = static_cast<Index>(size);
  wanted = std::min(wanted, left);
  for (std::size_t j = 0; j < size; ++j, --left) {
    if (random.below(left) >= wanted) continue;
    f(j);
    --wanted;
  }
}

}  // namespace detail
}  // namespace unfold
