// SPDX-License-Identifier: MIT
// Products with im2col of scalars that the engine does not multiply: Eigen's own product takes the same source.
#include <unfold/lowering/im2col.hpp>

#include "support/catch.hpp"
#include "support/matrices.hpp"

using namespace unfold;
using test::difference;
using test::Dual;
using test::integer_matrix;
using test::integer_tensor;
using test::MatrixX;
using test::times;

TEMPLATE_TEST_CASE("Products on either side, into matrices, blocks and channels", "", long double, std::complex<double>,
                   Dual) {
  using T = TestType;
  test::for_each_problem<T>([](const auto& options, const auto& x, Index group, const auto& plain) {
    const auto X = im2col(x, options, group);
    const Conv2DGeometry g = conv2d_geometry("test", options, x.shape());
    const auto A = integer_matrix<T>(4, X.rows(), 2), C = integer_matrix<T>(4, X.cols(), 3);
    const auto B = integer_matrix<T>(X.cols(), 3, 4);
    const MatrixX<T> AX = times(A, plain), CX = times(C, plain.transpose()), XB = times(plain, B);
    CHECK(difference(A * X, AX) == "");
    CHECK(difference(C * X.transpose(), CX) == "");
    CHECK(difference(X * B, XB) == "");
    CHECK(difference(A * X.col(0), AX.col(0)) == "");

    MatrixX<T> y = C, w = A;
    y.noalias() += A * X;
    w.noalias() -= C * X.transpose();
    CHECK(difference(y, C + AX) == "");
    CHECK(difference(w, A - CX) == "");
    Tensor<T, 4> tensor = integer_tensor<T>(Shape{g.N, 12, g.OH, g.OW}, 5);
    const MatrixX<T> old = channels(tensor, 3, 1);
    channels(tensor, 3, 1).noalias() += A * X;
    CHECK(difference(channels(tensor, 3, 1), old + AX) == "");
    channels(tensor, 3, 1) = A * X;
    CHECK(difference(channels(tensor, 3, 1), AX) == "");
    w.noalias() = channels(tensor, 3, 1) * X.transpose();
    CHECK(difference(w, times(AX, plain.transpose())) == "");
  });
}

TEST_CASE("Half precision is multiplied too") {
  const Conv2DOptions options{.in_channels = 2, .out_channels = 1, .kernel = {2, 2}};
  const auto x = integer_tensor<Eigen::half>(Shape{1, 2, 3, 4}, 1);
  const auto X = im2col(x, options);
  const auto A = integer_matrix<Eigen::half>(2, 8, 2);
  CHECK(difference(A * X, times(A, test::plain_patches(x, options))) == "");
}

TEST_CASE("Conjugates and adjoints of complex patches are those of the plain matrix") {
  using T = std::complex<double>;
  const Conv2DOptions options{.in_channels = 2, .out_channels = 1, .kernel = {2, 3}, .padding = {1, 0, 0, 2}};
  const auto x = integer_tensor<T>(Shape{2, 2, 4, 5}, 1);
  const auto X = im2col(x, options);
  const MatrixX<T> plain = test::plain_patches(x, options), C = integer_matrix<T>(3, X.cols(), 2);
  CHECK(difference(X.conjugate(), plain.conjugate()) == "");
  CHECK(difference(C * X.adjoint(), times(C, plain.adjoint())) == "");
  CHECK(difference(X * X.adjoint(), times(plain, plain.adjoint())) == "");
}
