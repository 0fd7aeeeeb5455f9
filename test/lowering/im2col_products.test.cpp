// SPDX-License-Identifier: MIT
// Products with im2col on either side against products by loops. All are in integers, so the two are equal whatever the
// order of their sums; destinations that are overwritten hold NaN before.
#include <unfold/lowering/im2col.hpp>

#include "support/catch.hpp"
#include "support/matrices.hpp"

using namespace unfold;
using test::difference;
using test::integer_matrix;
using test::MatrixX;
using test::poisoned_matrix;
using test::times;

namespace {

/// Checks `product` in every kind of assignment, with and without noalias.
template <class T, class Product>
void check_assignments(const Product& product, const MatrixX<T>& expected) {
  const Index rows = expected.rows(), cols = expected.cols();
  const MatrixX<T> start = integer_matrix<T>(rows, cols, 9), sum = start + expected, rest = start - expected;
  auto y = poisoned_matrix<MatrixX<T>>(rows, cols);
  y = product;
  CHECK(difference(y, expected) == "");
  y = start;
  y += product;
  CHECK(difference(y, sum) == "");
  y = start;
  y -= product;
  CHECK(difference(y, rest) == "");
  y = poisoned_matrix<MatrixX<T>>(rows, cols);
  y.noalias() = product;
  CHECK(difference(y, expected) == "");
  y = start;
  y.noalias() += product;
  CHECK(difference(y, sum) == "");
  y = start;
  y.noalias() -= product;
  CHECK(difference(y, rest) == "");
  const MatrixX<T> made = product;
  CHECK(difference(made, expected) == "");
}

}  // namespace

TEMPLATE_TEST_CASE("A * X and A * X^T", "", float, double) {
  using T = TestType;
  test::for_each_problem<T>([](const auto& options, const auto& x, Index group, const auto& plain) {
    const auto X = im2col(x, options, group);
    for (const Index rows : {1, 5, 13}) {
      CAPTURE(rows);
      const auto A = integer_matrix<T>(rows, X.rows(), 2), C = integer_matrix<T>(rows, X.cols(), 3);
      check_assignments(A * X, times(A, plain));
      check_assignments(C * X.transpose(), times(C, plain.transpose()));
    }
  });
}

TEMPLATE_TEST_CASE("X * B and X^T * B", "", float, double) {
  using T = TestType;
  test::for_each_problem<T>([](const auto& options, const auto& x, Index group, const auto& plain) {
    const auto X = im2col(x, options, group);
    for (const Index cols : {1, 5, 13}) {
      CAPTURE(cols);
      const auto B = integer_matrix<T>(X.cols(), cols, 2), L = integer_matrix<T>(X.rows(), cols, 3);
      check_assignments(X * B, times(plain, B));
      check_assignments(X.transpose() * L, times(plain.transpose(), L));
    }
  });
}

TEMPLATE_TEST_CASE("X * X^T, X^T * X, and the products of two views", "", float, double) {
  using T = TestType;
  test::for_each_problem<T>([](const auto& options, const auto& x, Index group, const auto& plain) {
    const auto X = im2col(x, options, group);
    check_assignments(X * X.transpose(), times(plain, plain.transpose()));
    check_assignments(X.transpose() * X, times(plain.transpose(), plain));
    const auto other_x = test::integer_tensor<T>(x.shape(), 7);
    const auto Z = im2col(other_x, options, group);
    const auto plain_z = test::plain_patches(other_x, options, group);
    check_assignments(Z * X.transpose(), times(plain_z, plain.transpose()));
    check_assignments(Z.transpose() * X, times(plain_z.transpose(), plain));
  });
}

TEMPLATE_TEST_CASE("X * Z of views whose sizes fit, and Z^T * X^T", "", float, double) {
  using T = TestType;  // X is 4 x 6, Z is 6 x 10
  const auto x = test::integer_tensor<T>(Shape{1, 1, 3, 4}, 1), z = test::integer_tensor<T>(Shape{1, 3, 3, 5}, 2);
  const Conv2DOptions two{.in_channels = 1, .out_channels = 1, .kernel = {2, 2}};
  const Conv2DOptions three{.in_channels = 3, .out_channels = 1, .kernel = {2, 1}};
  const MatrixX<T> expected = times(test::plain_patches(x, two), test::plain_patches(z, three));
  CHECK(difference(im2col(x, two) * im2col(z, three), expected) == "");
  CHECK(difference(im2col(z, three).transpose() * im2col(x, two).transpose(), expected.transpose()) == "");
}
