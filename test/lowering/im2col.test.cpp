// SPDX-License-Identifier: MIT
#include <unfold/lowering/im2col.hpp>

#include "support/catch.hpp"
#include "support/matrices.hpp"

using namespace unfold;
using Catch::Matchers::Message;
using test::difference;
using test::Dual;
using test::MatrixX;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace

TEMPLATE_TEST_CASE("im2col has a row for each tap, a column for each pixel, and 0 in the padding", "", float, double,
                   long double, std::complex<double>, Dual) {
  test::for_each_problem<TestType>([](const auto& options, const auto& x, Index group, const auto& expected) {
    const auto X = im2col(x, options, group);
    CHECK(X.rows() == expected.rows());
    CHECK(X.cols() == expected.cols());
    const MatrixX<TestType> assigned = X;
    CHECK(difference(assigned, expected) == "");
    const test::RowMajorX<TestType> row_major = X;
    CHECK(difference(row_major, expected) == "");
  });
}

TEMPLATE_TEST_CASE("im2col is an expression: it can be indexed, cut, transposed and nested", "", float, double,
                   long double, std::complex<double>, Dual) {
  test::for_each_problem<TestType>([](const auto& options, const auto& x, Index group, const auto& expected) {
    const auto X = im2col(x, options, group);
    const Index k = X.rows() - 1, p = X.cols() / 2;
    CHECK(test::same<TestType>(X.coeff(k, p), expected(k, p)));
    CHECK(test::same<TestType>(X(k, p), expected(k, p)));
    CHECK(difference(X.transpose(), expected.transpose()) == "");
    CHECK(difference(X.col(p), expected.col(p)) == "");
    CHECK(difference(X.row(k), expected.row(k)) == "");
    CHECK(difference(X.block(k / 2, p / 2, k - k / 2, p - p / 2), expected.block(k / 2, p / 2, k - k / 2, p - p / 2)) ==
          "");
    CHECK(difference(X + TestType(2) * X.cwiseProduct(X) - expected, TestType(2) * expected.cwiseProduct(expected)) ==
          "");
    CHECK(difference(X.transpose().bottomRows(1) * TestType(3), expected.transpose().bottomRows(1) * TestType(3)) ==
          "");
    CHECK(test::same<TestType>(X.sum(), expected.sum()));
    CHECK(difference(X.rowwise().sum(), expected.rowwise().sum()) == "");
    CHECK(difference(X.colwise().reverse(), expected.colwise().reverse()) == "");
    CHECK(difference(X.array().square().matrix(), expected.array().square().matrix()) == "");
  });
}

TEST_CASE("im2col of reals can be reduced, compared, cast and searched as any expression") {
  test::for_each_problem<double>([](const auto& options, const auto& x, Index group, const auto& expected) {
    const auto X = im2col(x, options, group);
    CHECK(X.maxCoeff() == expected.maxCoeff());
    Index k = 0, p = 0;
    const double least = X.minCoeff(&k, &p);
    CHECK(least == expected.minCoeff());
    CHECK(least == expected(k, p));
    CHECK(X.squaredNorm() == expected.squaredNorm());
    CHECK(X == expected);
    CHECK((X.array() > 0).count() == (expected.array() > 0).count());
    CHECK(difference(X.template cast<float>(), expected.template cast<float>()) == "");
    CHECK(difference(X.template cast<std::complex<double>>(), expected.template cast<std::complex<double>>()) == "");
    CHECK(difference(X.unaryExpr([](double v) { return 2 * v + 1; }), (2 * expected.array() + 1).matrix()) == "");
    CHECK(difference(X.replicate(2, 1), expected.replicate(2, 1)) == "");
    MatrixX<double> sum = expected;
    sum += X;
    sum.row(0) -= X.row(0);
    CHECK(difference(sum.bottomRows(sum.rows() - 1), 2 * expected.bottomRows(sum.rows() - 1)) == "");
    CHECK(difference(sum.row(0), expected.row(0)) == "");
  });
}

TEST_CASE("im2col reads x when it is read, and copies nothing when it is made") {
  Tensor<double, 4> x({1, 1, 2, 2});
  const auto X = im2col(x, {.in_channels = 1, .out_channels = 1, .kernel = {2, 2}});
  x(0, 0, 1, 0) = 7;
  CHECK(X(2, 0) == 7);
  const auto copy = X;
  x(0, 0, 1, 0) = 8;
  CHECK(copy(2, 0) == 8);
}

TEST_CASE("im2col of any strided view is that of a copy of it") {
  const Tensor<double, 4> base = test::integer_tensor<double>(Shape{4, 6, 9, 10}, 3);
  const Conv2DOptions options{.in_channels = 3,
                              .out_channels = 1,
                              .kernel = {3, 2},
                              .stride = {1, 2},
                              .padding = {1, 0, 2, 1},
                              .dilation = {2, 1}};
  const auto check = [&](const TensorView<const double, 4>& view) {
    CHECK(difference(im2col(view, options), test::plain_patches(Tensor<double, 4>(view), options)) == "");
  };
  check(base.slice(0, 1, 2).slice(1, 2, 3));                       // images and channels of a batch
  check(base.slice(1, 0, 3).slice(2, 3, 6).slice(3, 1, 8));        // a window of every image
  check({base.data(), {5, 3, 8, 9}, {432, 144, 9, 1}});            // other sizes over the same memory
  check({base.data(), {10, 3, 8, 9}, {1, 9, 27, 216}});            // every axis in the reverse order
  check({base.data(), {2, 3, 9, 10}, {0, 90, 10, 1}});             // one image twice
  check({base.data() + 539, {1, 3, 9, 10}, {540, -90, -10, -1}});  // turned over
}

TEST_CASE("What no window covers is not read, and infinities beside the padding stay where they are") {
  const Conv2DOptions options{
      .in_channels = 1, .out_channels = 1, .kernel = {2, 2}, .stride = {3, 4}, .padding = {1, 1, 1, 2}};
  Tensor<double, 4> x({2, 1, 7, 9}, std::numeric_limits<double>::quiet_NaN());
  const Conv2DGeometry g = conv2d_geometry("test", options, x.shape());
  test::for_each_entry(g, options, 0, [&](Index, Index, auto... at) { x(at...) = infinity; });
  const MatrixX<double> X = im2col(x, options);
  CHECK(!X.hasNaN());
  CHECK((X.array() == infinity).count() + (X.array() == 0).count() == X.size());
  CHECK((X.array() == 0).count() > 0);
}

TEST_CASE("im2col of a 1x1 kernel at stride 1 is the channels-by-pixels matrix") {
  const auto x = test::integer_tensor<float>(Shape{2, 6, 3, 5}, 1);
  const Conv2DOptions options{.in_channels = 6, .out_channels = 2, .groups = 2};
  for (const Index group : {0, 1}) CHECK(difference(im2col(x, options, group), channels(x, 2, group)) == "");
}

TEST_CASE("im2col of an empty batch has no column") {
  const Tensor<float, 4> x({0, 2, 5, 5});
  const auto X = im2col(x, {.in_channels = 2, .out_channels = 1, .kernel = {3, 3}});
  CHECK(X.rows() == 18);
  CHECK(X.cols() == 0);
  const Eigen::MatrixXf none = Eigen::MatrixXf::Ones(4, 18) * X;
  CHECK(none.cols() == 0);
  const Eigen::MatrixXf zero = Eigen::MatrixXf(4, 0) * X.transpose();
  CHECK(difference(zero, Eigen::MatrixXf::Zero(4, 18)) == "");
}

TEST_CASE("im2col refuses a group, an option or an image that does not fit") {
  const Tensor<float, 4> x({2, 6, 7, 11});
  const Conv2DOptions options{.in_channels = 6, .out_channels = 4, .kernel = {3, 3}, .groups = 2};
  CHECK_THROWS_MATCHES(im2col(x, options, 2), ShapeError, Message("unfold::im2col: group must be in [0, 2), got 2"));
  CHECK_THROWS_MATCHES(im2col(x, options, -1), ShapeError, Message("unfold::im2col: group must be in [0, 2), got -1"));
  CHECK_THROWS_MATCHES(im2col(x, {.in_channels = 5, .out_channels = 4}), ShapeError,
                       Message("unfold::im2col: x must be [N, 5, IH, IW] with IH, IW >= 1, got [2, 6, 7, 11]"));
  CHECK_THROWS_MATCHES(im2col(x, {.in_channels = 6, .out_channels = 4, .groups = 4}), ShapeError,
                       Message("unfold::im2col: groups must divide in_channels and out_channels, got 4 for 6 and 4"));
  CHECK_THROWS_MATCHES(im2col(x, {.in_channels = 6, .out_channels = 4, .kernel = {8, 1}}), ShapeError,
                       Message("unfold::im2col: the kernel must fit the padded image (kernel {8, 1}, dilation {1, 1}, "
                               "padding {0, 0, 0, 0}), got x [2, 6, 7, 11]"));
}
