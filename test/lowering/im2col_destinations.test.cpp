// SPDX-License-Identifier: MIT
// Products with im2col into every kind of destination: matrices of both orders, blocks, maps, transposes, and the
// channels of tensors. What stands around a destination must stay as it was.
#include <unfold/lowering/im2col.hpp>

#include "support/catch.hpp"
#include "support/matrices.hpp"
#include "support/tensor_matcher.hpp"

using namespace unfold;
using test::difference;
using test::integer_matrix;
using test::MatrixX;
using test::times;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// The four products: A * X, C * X^T, X * B and X^T * L, each with what it must be.
template <class T, class F>
void for_each_product(F&& f) {
  test::for_each_problem<T>([&](const auto& options, const auto& x, Index group, const auto& plain) {
    const auto X = im2col(x, options, group);
    const auto A = integer_matrix<T>(6, X.rows(), 2), C = integer_matrix<T>(6, X.cols(), 3);
    const auto B = integer_matrix<T>(X.cols(), 6, 4), L = integer_matrix<T>(X.rows(), 6, 5);
    f(A * X, times(A, plain));
    f(C * X.transpose(), times(C, plain.transpose()));
    f(X * B, times(plain, B));
    f(X.transpose() * L, times(plain.transpose(), L));
  });
}

/// Assigns, adds and subtracts `product` through `y`, which shows the inner part of `all`; NaN stands around it.
template <class All, class Destination, class Product, class T>
void check_inside(All& all, Destination&& y, const Product& product, const MatrixX<T>& expected) {
  all.setConstant(T(not_a_number));
  y.noalias() = product;
  CHECK(difference(y, expected) == "");
  y.noalias() += product;
  CHECK(difference(y, MatrixX<T>(expected + expected)) == "");
  y.noalias() -= product;
  CHECK(difference(y, expected) == "");
  CHECK((all.array() == all.array()).count() == expected.size());
  all.setConstant(T(not_a_number));
  y = product;
  CHECK(difference(y, expected) == "");
  y += product;
  CHECK(difference(y, MatrixX<T>(expected + expected)) == "");
  y -= product;
  CHECK(difference(y, expected) == "");
  CHECK((all.array() == all.array()).count() == expected.size());
}

}  // namespace

TEMPLATE_TEST_CASE("A column-major or row-major matrix or block of one is written", "", float, double) {
  using T = TestType;
  for_each_product<T>([](const auto& product, const MatrixX<T>& expected) {
    const Index rows = expected.rows(), cols = expected.cols();
    MatrixX<T> column_major(rows, cols), around(rows + 3, cols + 2);
    check_inside(column_major, column_major, product, expected);
    check_inside(around, around.block(2, 1, rows, cols), product, expected);
    test::RowMajorX<T> row_major(rows, cols), around_rows(rows + 3, cols + 2);
    check_inside(row_major, row_major, product, expected);
    check_inside(around_rows, around_rows.block(1, 2, rows, cols), product, expected);
  });
}

TEMPLATE_TEST_CASE("A map of any strides, a reference, or a transposed matrix is written", "", float, double) {
  using T = TestType;
  for_each_product<T>([](const auto& product, const MatrixX<T>& expected) {
    const Index rows = expected.rows(), cols = expected.cols();
    Eigen::Matrix<T, Eigen::Dynamic, 1> memory(6 * rows * cols);
    using Strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
    check_inside(memory, Eigen::Map<MatrixX<T>, 0, Strides>(memory.data() + 1, rows, cols, Strides(2 * rows, 2)),
                 product, expected);
    check_inside(
        memory,
        Eigen::Map<MatrixX<T>, 0, Strides>(memory.data() + memory.size() - 1, rows, cols, Strides(-3, -3 * cols)),
        product, expected);
    MatrixX<T> matrix(rows + 1, cols), turned(cols, rows + 2);
    Eigen::Ref<MatrixX<T>> ref = matrix.topRows(rows);
    check_inside(matrix, ref, product, expected);
    check_inside(turned, turned.leftCols(rows).transpose(), product, expected);
  });
}

TEMPLATE_TEST_CASE("A view of a tensor is written as a matrix", "", float, double) {
  using T = TestType;
  for_each_product<T>([](const auto& product, const MatrixX<T>& expected) {
    Tensor<T, 2> tensor({expected.rows() + 1, expected.cols() + 2});
    auto all = tensor.array();
    check_inside(all, tensor.slice(0, 1, expected.rows()).slice(1, 1, expected.cols()).matrix(), product, expected);
  });
}

TEST_CASE("What no product can write directly is written through a copy") {
  const Conv2DOptions options{.in_channels = 2, .out_channels = 1, .kernel = {3, 2}};
  const auto x = test::integer_tensor<double>(Shape{2, 2, 5, 6}, 1);
  const auto X = im2col(x, options);
  const auto plain = test::plain_patches(x, options);
  const auto A = integer_matrix<double>(6, X.rows(), 2), C = integer_matrix<double>(6, X.cols(), 3);
  const MatrixX<double> AX = times(A, plain), CX = times(C, plain.transpose());
  const std::vector<Index> rows{4, 0, 5, 1, 7, 3};
  MatrixX<double> y = MatrixX<double>::Constant(8, X.cols(), not_a_number),
                  z = MatrixX<double>::Constant(8, X.rows(), not_a_number);
  y(rows, Eigen::all) = A * X;
  CHECK(difference(y(rows, Eigen::all), AX) == "");
  y(rows, Eigen::all) += A * X;
  CHECK(difference(y(rows, Eigen::all), 2 * AX) == "");
  y(rows, Eigen::all).noalias() = A * X;
  CHECK(difference(y(rows, Eigen::all), AX) == "");
  y(rows, Eigen::all).noalias() += A * X;
  CHECK(difference(y(rows, Eigen::all), 2 * AX) == "");
  CHECK(y.row(2).array().isNaN().all());
  z(rows, Eigen::all) = C * X.transpose();
  CHECK(difference(z(rows, Eigen::all), CX) == "");
  z(rows, Eigen::all).noalias() -= C * X.transpose();
  CHECK(z(rows, Eigen::all).isZero(0));
  MatrixX<double> reversed = MatrixX<double>::Constant(6, X.cols(), not_a_number);
  reversed.colwise().reverse() = A * X;
  CHECK(difference(reversed, AX.colwise().reverse()) == "");
  MatrixX<double> arrays = AX;
  arrays.array() += (A * X).array();
  CHECK(difference(arrays, 2 * AX) == "");
}

TEST_CASE("Without noalias a destination may be a factor of the product") {
  const Conv2DOptions options{.in_channels = 1, .out_channels = 1, .kernel = {2, 3}};  // K 6, P 6
  const auto x = test::integer_tensor<float>(Shape{1, 1, 4, 4}, 1);
  const auto X = im2col(x, options);
  const auto plain = test::plain_patches(x, options);
  const MatrixX<float> start = integer_matrix<float>(6, 6, 2);
  MatrixX<float> m = start;
  m = m * X;
  CHECK(difference(m, times(start, plain)) == "");
  m = start;
  m = X.transpose() * m;
  CHECK(difference(m, times(plain.transpose(), start)) == "");
  m = start;
  m += m * X.transpose();
  CHECK(difference(m, start + times(start, plain.transpose())) == "");
  // ... and may be the image itself, through its channels.
  auto y = x;
  const MatrixX<float> row = integer_matrix<float>(1, 9, 3);
  const Conv2DOptions same{.in_channels = 1, .out_channels = 1, .kernel = {3, 3}, .padding = {1, 1, 1, 1}};
  channels(y) = row * im2col(y, same);
  CHECK(difference(channels(y), times(row, test::plain_patches(x, same))) == "");
}

TEMPLATE_TEST_CASE("The channels of a tensor are written where they lie, and their transpose", "", float, double) {
  using T = TestType;
  test::for_each_problem<T>([](const auto& options, const auto& x, Index group, const auto& plain) {
    const auto X = im2col(x, options, group);
    const Conv2DGeometry g = conv2d_geometry("test", options, x.shape());
    const auto A = integer_matrix<T>(4, X.rows(), 2);
    const MatrixX<T> AX = times(A, plain);
    // Twelve channels in three groups, between channels, rows and columns that are none of theirs.
    Tensor<T, 4> tensor({g.N + 1, 14, g.OH + 2, g.OW + 3});
    auto all = tensor.array();
    const auto y = tensor.slice(0, 1, g.N).slice(1, 1, 12).slice(2, 1, g.OH).slice(3, 2, g.OW);
    check_inside(all, channels(y, 3, 1), A * X, AX);
    const TensorView<T, 4> turned(tensor.data(), {g.N, 12, g.OH, g.OW}, {1, g.N * g.OW, g.N * g.OW * 12, g.N});
    check_inside(all, channels(turned, 3, 2), A * X, AX);
    all.setConstant(T(not_a_number));
    channels(turned, 3, 0).transpose() = X.transpose() * A.transpose();
    CHECK(difference(channels(turned, 3, 0), AX) == "");
    channels(turned, 3, 0).transpose() += X.transpose() * A.transpose();
    CHECK(difference(channels(turned, 3, 0), AX + AX) == "");
    channels(turned, 3, 0).transpose().noalias() = X.transpose() * A.transpose();
    CHECK(difference(channels(turned, 3, 0), AX) == "");
    CHECK((all == all).count() == AX.size());
  });
}
