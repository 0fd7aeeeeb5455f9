// SPDX-License-Identifier: MIT
// Products of im2col with vectors, with matrices of fixed size, with scaled and summed ones, and products of products.
#include <unfold/lowering/im2col.hpp>

#include "support/catch.hpp"
#include "support/matrices.hpp"

using namespace unfold;
using test::difference;
using test::integer_matrix;
using test::MatrixX;
using test::times;

TEMPLATE_TEST_CASE("Products with vectors, and the scalar product", "", float, double) {
  using T = TestType;
  using Column = Eigen::Matrix<T, Eigen::Dynamic, 1>;
  using Row = Eigen::Matrix<T, 1, Eigen::Dynamic>;
  test::for_each_problem<T>([](const auto& options, const auto& x, Index group, const auto& plain) {
    const auto X = im2col(x, options, group);
    const Column k = integer_matrix<T>(X.rows(), 1, 2), p = integer_matrix<T>(X.cols(), 1, 3);
    const MatrixX<T> Xp = times(plain, p), Xk = times(plain.transpose(), k);
    Column y = Column::Constant(X.rows(), std::numeric_limits<T>::quiet_NaN());
    y.noalias() = X * p;
    CHECK(difference(y, Xp) == "");
    y += X * p;
    CHECK(difference(y, Xp + Xp) == "");
    const Column t = X.transpose() * k;
    CHECK(difference(t, Xk) == "");
    Row r = Row::Constant(X.cols(), std::numeric_limits<T>::quiet_NaN());
    r.noalias() = k.transpose() * X;
    CHECK(difference(r, Xk.transpose()) == "");
    const Row s = p.transpose() * X.transpose();
    CHECK(difference(s, Xp.transpose()) == "");
    const T whole = k.transpose() * X * p;
    CHECK(whole == times(k.transpose(), Xp)(0, 0));
    CHECK(k.transpose() * X.col(0) == Xk(0, 0));
  });
}

TEMPLATE_TEST_CASE("Products with factors and results of fixed size", "", float, double) {
  using T = TestType;
  const Conv2DOptions options{.in_channels = 2, .out_channels = 1, .kernel = {3, 2}};  // K 12, P 20
  const auto x = test::integer_tensor<T>(Shape{1, 2, 6, 6}, 1);
  const auto X = im2col(x, options);
  const auto plain = test::plain_patches(x, options);
  const Eigen::Matrix<T, 3, 12> A = integer_matrix<T>(3, 12, 2);
  const Eigen::Matrix<T, 20, 2> B = integer_matrix<T>(20, 2, 3);
  const MatrixX<T> AX = times(A, plain), XB = times(plain, B);
  Eigen::Matrix<T, 3, 20> ax = A * X;
  CHECK(difference(ax, AX) == "");
  ax.noalias() -= A * X;
  CHECK(ax.isZero(0));
  const Eigen::Matrix<T, 12, 2> xb = X * B;
  CHECK(difference(xb, XB) == "");
  const Eigen::Matrix<T, 2, 12> bx = B.transpose() * X.transpose();
  CHECK(difference(bx, XB.transpose()) == "");
  const Eigen::Matrix<T, 3, 2> axb = A * X * B;
  CHECK(difference(axb, times(A, XB)) == "");
  const Eigen::Matrix<T, 3, Eigen::Dynamic, Eigen::RowMajor> half_fixed = A * X;
  CHECK(difference(half_fixed, AX) == "");
}

TEST_CASE("Scaled, negated and summed products, and products of scaled views") {
  using T = double;
  test::for_each_problem<T>([](const auto& options, const auto& x, Index group, const auto& plain) {
    const auto X = im2col(x, options, group);
    const auto A = integer_matrix<T>(4, X.rows(), 2), B = integer_matrix<T>(X.cols(), 3, 3);
    const auto C = integer_matrix<T>(4, X.cols(), 4);
    const T two(2);
    const MatrixX<T> AX = times(A, plain), XB = times(plain, B), CX = times(C, plain.transpose());
    const MatrixX<T> twice_AX = AX + AX, twice_XB = XB + XB, twice_CX = CX + CX, minus_XB = -XB;
    CHECK(difference(two * A * X, twice_AX) == "");
    CHECK(difference((A + A) * X, twice_AX) == "");
    CHECK(difference(two * (A * X), twice_AX) == "");
    CHECK(difference((A * X) * two, twice_AX) == "");
    CHECK(difference(A * (two * X), twice_AX) == "");
    CHECK(difference(two * (X * B), twice_XB) == "");
    CHECK(difference((X * two) * B, twice_XB) == "");
    CHECK(difference(-(X * B), minus_XB) == "");
    CHECK(difference((-X) * B, minus_XB) == "");
    CHECK(difference(C * (two * X.transpose()), twice_CX) == "");
    CHECK(difference(C * (two * X).transpose(), twice_CX) == "");
    CHECK(difference(C + A * X, C + AX) == "");
    CHECK(difference(C - A * X, C - AX) == "");
    MatrixX<T> y = C;
    y.noalias() += two * (A * X);
    CHECK(difference(y, C + twice_AX) == "");
    y.noalias() -= two * A * X;
    CHECK(difference(y, C) == "");
  });
}

TEST_CASE("Products of products, reductions and parts of products") {
  using T = double;
  test::for_each_problem<T>([](const auto& options, const auto& x, Index group, const auto& plain) {
    const auto X = im2col(x, options, group);
    const auto A = integer_matrix<T>(4, X.rows(), 2), S = integer_matrix<T>(2, 4, 3);
    const MatrixX<T> AX = times(A, plain);
    CHECK(difference(S * A * X, times(S, AX)) == "");
    CHECK(difference(S * (A * X), times(S, AX)) == "");
    CHECK(difference((A * X).transpose(), AX.transpose()) == "");
    CHECK(difference((A * X).cwiseAbs(), AX.cwiseAbs()) == "");
    CHECK(difference((A * X).col(0), AX.col(0)) == "");
    CHECK(difference((A * X).template cast<long double>(), AX.template cast<long double>()) == "");
    CHECK((A * X).sum() == AX.sum());
    CHECK((A * X)(3, 0) == AX(3, 0));
    CHECK((X * X.transpose()).trace() == plain.squaredNorm());
    CHECK(difference(A.leftCols(1) * X.topRows(1), times(A.leftCols(1), plain.topRows(1))) == "");
    CHECK(difference(A * X.rightCols(1), times(A, plain.rightCols(1))) == "");
  });
}

TEST_CASE("A lazy product is one coefficient after the other") {
  const Conv2DOptions options{.in_channels = 2, .out_channels = 1, .kernel = {3, 2}};
  const auto x = test::integer_tensor<double>(Shape{2, 2, 5, 4}, 1);
  const auto X = im2col(x, options);
  const MatrixX<double> plain = test::plain_patches(x, options), A = integer_matrix<double>(3, 12, 2);
  CHECK(difference(A.lazyProduct(X), times(A, plain)) == "");
}
