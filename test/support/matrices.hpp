// SPDX-License-Identifier: MIT
// For tests of Eigen expressions: integer data of any scalar, tensors as plain matrices, and what differs between two
// expressions, which is compared with == in value and in derivatives.
#pragma once

#include "support/patch_reference.hpp"

#include <Eigen/Core>
#include <unsupported/Eigen/AutoDiff>

#include <complex>
#include <sstream>
#include <string>

namespace unfold::test {

using Dual = Eigen::AutoDiffScalar<Eigen::Vector2d>;

template <class T>
using MatrixX = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
template <class T>
using RowMajorX = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// A whole number in [-8, 8]; of a complex number both parts, of a dual number the derivatives too.
template <class T>
T integer(Random& random) {
  const auto next = [&] { return static_cast<double>(random.below(2 * largest_integer + 1) - largest_integer); };
  if constexpr (std::is_same_v<T, std::complex<double>>) {
    const double real = next();
    return {real, next()};
  } else if constexpr (std::is_same_v<T, Dual>) {
    const double value = next(), d0 = next();
    return Dual(value, Eigen::Vector2d(d0, next()));
  } else {
    return T(next());
  }
}

template <class T, int Rank>
Tensor<T, Rank> integer_tensor(const Shape<Rank>& shape, std::uint64_t seed) {
  Random random(seed);
  Tensor<T, Rank> tensor(shape);
  for (Index i = 0; i < tensor.size(); ++i) tensor.data()[i] = integer<T>(random);
  return tensor;
}

template <class T>
MatrixX<T> integer_matrix(Index rows, Index cols, std::uint64_t seed) {
  return integer_tensor<T>(Shape{rows, cols}, seed).matrix();
}

template <class T, class M>
Tensor<T, 2> plain_tensor(const M& m) {
  Tensor<T, 2> tensor({m.rows(), m.cols()});
  tensor.matrix() = m;
  return tensor;
}

/// NaN throughout: a destination that must be overwritten.
template <class Matrix>
Matrix poisoned_matrix(Index rows, Index cols) {
  return Matrix::Constant(rows, cols, std::numeric_limits<double>::quiet_NaN());
}

/// im2col as a plain matrix in memory, found by the loops of the reference.
template <TensorOfRank<4> X>
MatrixX<ValueOf<X>> plain_patches(const X& x, const Conv2DOptions& options, Index group = 0) {
  return patches_by_loops(x, options, group).matrix();
}

template <class T>
bool same(const T& a, const T& b) {
  if constexpr (std::is_same_v<T, Dual>) {
    return a.value() == b.value() && a.derivatives() == b.derivatives();
  } else {
    return a == b;
  }
}

template <class T>
std::string text(const T& value) {
  std::ostringstream out;
  if constexpr (std::is_same_v<T, Dual>) {
    out << value.value() << " d(" << value.derivatives().transpose() << ')';
  } else {
    out << value;
  }
  return out.str();
}

/// a * b in plain loops: no product of Eigen's is asked.
template <class A, class B>
MatrixX<typename A::Scalar> times(const A& a, const B& b) {
  using T = typename A::Scalar;
  return product_by_loops(plain_tensor<T>(a), plain_tensor<T>(b)).matrix();
}

/// "" where both are the same matrix; otherwise what is not.
template <class T>
std::string difference_of_matrices(const MatrixX<T>& actual, const MatrixX<T>& expected) {
  std::ostringstream out;
  if (actual.rows() != expected.rows() || actual.cols() != expected.cols()) {
    out << actual.rows() << " x " << actual.cols() << " instead of " << expected.rows() << " x " << expected.cols();
    return out.str();
  }
  Index wrong = 0;
  for (Index i = 0; i < actual.rows(); ++i) {
    for (Index j = 0; j < actual.cols(); ++j) {
      if (same<T>(actual(i, j), expected(i, j)) || wrong++ > 0) continue;
      out << "(" << i << ", " << j << ") is " << text(actual(i, j)) << " instead of " << text(expected(i, j));
    }
  }
  if (wrong > 0) out << "; " << wrong << " of " << actual.size() << " are wrong";
  return out.str();
}

/// The same of any two expressions. Use: CHECK(difference(X * B, expected) == "")
template <class A, class B>
std::string difference(const A& actual, const B& expected) {
  return difference_of_matrices<typename A::Scalar>(actual, expected);
}

/// Calls f(problem's options, x, group, plain patches) for the first and last group of every problem, x in integers.
template <class T, class F>
void for_each_problem(F&& f) {
  for (const auto& problem : problems()) {
    INFO(problem);
    const auto x = integer_tensor<T>(problem.x, 1);
    for (Index group = 0; group < problem.groups; group += std::max<Index>(1, problem.groups - 1)) {
      CAPTURE(group);
      f(problem.options(), x, group, plain_patches(x, problem.options(), group));
    }
  }
}

}  // namespace unfold::test
