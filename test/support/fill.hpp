// SPDX-License-Identifier: MIT
// Test data: small integers, whose sums are exact in float in every order; normal numbers; NaN.
#pragma once

#include "support/problems.hpp"

#include <unfold/core/random.hpp>
#include <unfold/core/tensor.hpp>

#include <algorithm>  // std::copy, std::max
#include <limits>
#include <stdexcept>  // std::logic_error
#include <vector>

namespace unfold::test {

inline constexpr Index largest_integer = 8;

/// Sets every element to next(), in row-major order.
template <class T, int Rank, class Next>
void fill_with(const TensorView<T, Rank>& view, Next&& next) {
  view.for_each_run([&](T* run, Index n, Index step) {
    for (Index i = 0; i < n; ++i) run[i * step] = T(next());
  });
}

/// A tensor of these elements.
inline Tensor<double, 1> vector(const std::vector<double>& values) {
  Tensor<double, 1> tensor({static_cast<Index>(values.size())});
  std::copy(values.begin(), values.end(), tensor.data());
  return tensor;
}

/// Integers in [-largest, largest]: the same ones for every T.
template <class T, int Rank>
void fill_integers(const TensorView<T, Rank>& view, Random& random, Index largest = largest_integer) {
  fill_with(view, [&] { return static_cast<double>(random.below(2 * largest + 1) - largest); });
}

/// A tensor of such integers; of rank 4 where the shape is a list in braces.
template <class T, int Rank = 4>
Tensor<T, Rank> integers(const Shape<Rank>& shape, std::uint64_t seed, Index largest = largest_integer) {
  Random random(seed);
  Tensor<T, Rank> tensor(shape);
  fill_integers(tensor.view(), random, largest);
  return tensor;
}

/// Mean 0, variance 1. T = float rounds what T = double gets.
template <class T, int Rank>
void fill_normal(const TensorView<T, Rank>& view, Random& random) {
  fill_with(view, [&] { return random.normal(); });
}

/// A tensor of NaN: an output that must be overwritten wholly, or a scratch that must not be read.
template <class T, int Rank>
Tensor<T, Rank> poisoned(const Shape<Rank>& shape) {
  return Tensor<T, Rank>(shape, std::numeric_limits<T>::quiet_NaN());
}

/// The largest number of products in one element of y, dx or dw.
inline Index longest_sum(const Conv2DGeometry& g) { return std::max({g.K(), g.OC / g.G * g.KH * g.KW, g.P()}); }

/// The largest integer, at most 8, for which every sum is exact in float, whatever its order, also where a bias
/// is added and a gradient is added to another: 2*(terms*n*n + n) < 2^24. Throws if there is none.
inline Index largest_exact_integer(const Conv2DGeometry& g) {
  for (Index n = largest_integer; n >= 1; --n) {
    if (2 * (longest_sum(g) * n * n + n) < (Index{1} << 24)) return n;
  }
  throw std::logic_error("sums of " + std::to_string(longest_sum(g)) + " integers are not exact in float");
}

/// What a convolution and its gradients take.
template <class T>
struct ConvolutionData {
  Tensor<T, 4> x, w, dy;
  Tensor<T, 1> b;

  explicit ConvolutionData(const Conv2DGeometry& g) : x(g.x_shape()), w(g.w_shape()), dy(g.y_shape()), b({g.OC}) {}
};

template <class T>
ConvolutionData<T> integer_data(const Conv2DGeometry& g, std::uint64_t seed) {
  const Index largest = largest_exact_integer(g);
  Random random(seed);
  ConvolutionData<T> data(g);
  fill_integers(data.x.view(), random, largest);
  fill_integers(data.w.view(), random, largest);
  fill_integers(data.dy.view(), random, largest);
  fill_integers(data.b.view(), random, largest);
  return data;
}

template <class T>
ConvolutionData<T> normal_data(const Conv2DGeometry& g, std::uint64_t seed) {
  Random random(seed);
  ConvolutionData<T> data(g);
  fill_normal(data.x.view(), random);
  fill_normal(data.w.view(), random);
  fill_normal(data.dy.view(), random);
  fill_normal(data.b.view(), random);
  return data;
}

/// Sets `to` to the elements of `from`, converted to its element type.
template <class To, class From, int Rank>
void copy_into(const TensorView<To, Rank>& to, const Tensor<From, Rank>& from) {
  if (to.shape() != from.shape()) throw std::logic_error("copy_into: " + to_string(to.shape()));
  const From* next = from.data();
  fill_with(to, [&] { return *next++; });
}

/// The same numbers in another element type.
template <class To, class From, int Rank>
Tensor<To, Rank> converted(const Tensor<From, Rank>& from) {
  Tensor<To, Rank> to(from.shape());
  copy_into(to.view(), from);
  return to;
}

}  // namespace unfold::test
