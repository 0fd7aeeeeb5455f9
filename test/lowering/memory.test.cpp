// SPDX-License-Identifier: MIT
// No product with im2col fills a K x P matrix: the bytes asked for stay below the workspace and the result.
#include <unfold/lowering/col2im.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/thread_count.hpp"

using namespace unfold;
using test::allocations_of;

namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

template <class T>
std::size_t bytes_of(Index elements) {
  return static_cast<std::size_t>(elements) * sizeof(T);
}

}  // namespace

TEMPLATE_TEST_CASE("Products with the patches of a big image need the workspace of each thread, and no more", "", float,
                   double) {
  using T = TestType;
  using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
  const Conv2DOptions options{.in_channels = 9, .out_channels = 1, .kernel = {7, 6}, .padding = {3, 3, 3, 2}};
  const Tensor<T, 4> x({1, 9, 600, 601}, T(1));
  const auto X = im2col(x, options);
  const Index K = X.rows(), P = X.cols();
  REQUIRE(bytes_of<T>(K * P) > 500 * mebibyte);
  const Matrix A = Matrix::Ones(1, K), B = Matrix::Ones(P, 1);
  Tensor<T, 4> y({1, 1, 600, 601}), dx(x.shape());
  Matrix dw(1, K), xb(K, 1), xl(P, 1);

  for (const int threads : {1, 2}) {
    const test::ThreadCount set(threads);
    CAPTURE(threads);
    const auto written = allocations_of([&] {
      channels(y).noalias() = A * X;
      dw.noalias() = channels(y) * X.transpose();
      col2im(dx, options).noalias() += A.transpose() * channels(y);
      xb.noalias() = X * B;
      xl.noalias() = X.transpose() * A.transpose();
    });
    CHECK(written.bytes < static_cast<std::size_t>(threads * workspace_bytes) + mebibyte);
    Matrix AX;
    const auto made = allocations_of([&] { AX = Matrix(A * X); });
    CHECK(made.bytes < bytes_of<T>(P) + mebibyte);
    CHECK(AX(0, 300 * 601 + 300) == T(9 * 7 * 6));
  }
}

TEST_CASE("Scaled, summed and chained products, and products of two views, do not fill the patches either") {
  using Matrix = Eigen::MatrixXf;
  const test::ThreadCount set(1);
  const Conv2DOptions options{.in_channels = 4, .out_channels = 1, .kernel = {5, 5}};
  const Tensor<float, 4> x({2, 4, 104, 105}, 1.0f);
  const auto X = im2col(x, options);
  const Index K = X.rows(), P = X.cols();
  const Matrix A = Matrix::Ones(2, K), B = Matrix::Ones(P, 2), C = Matrix::Ones(2, P);
  const Eigen::VectorXf p = B.col(0), k = A.row(0).transpose();
  // Three matrices of two rows or columns of P elements: a result, its copy where it may alias, a scaled factor.
  const std::size_t few = 3 * bytes_of<float>(2 * P);
  REQUIRE(few < bytes_of<float>(K * P) / 10);
  Matrix y(2, P), w(2, K), xb(K, 2), gram(K, K);
  y.noalias() = A * X;  // takes the workspace

  float number = 0;
  const auto check = [&](const char* what, auto&& product) {
    CAPTURE(what);
    CHECK(allocations_of(product).bytes <= few);
  };
  check("y = A*X", [&] { y = A * X; });
  check("y = 2*(A*X)", [&] { y = 2 * (A * X); });
  check("y = A*(2*X)", [&] { y.noalias() = A * (2 * X); });
  check("y -= A*(-X)", [&] { y -= A * (-X); });
  check("y = C + A*X", [&] { y = C + A * X; });
  check("w = C*X^T*2", [&] { w.noalias() = C * X.transpose() * 2; });
  check("w = C*(X*2)^T", [&] { w.noalias() = C * (X * 2).transpose(); });
  check("xb = 2*(X*B)", [&] { xb = 2 * (X * B); });
  check("xb = -X*B", [&] { xb.noalias() = -X * B; });
  check("A*X*B", [&] { const Matrix axb = A * X * B; });
  check("A*(X*B)", [&] { const Matrix axb = A * (X * B); });
  check("k^T*X*p", [&] { number = k.transpose() * X * p; });
  check("X*X^T", [&] { gram.noalias() = X * X.transpose(); });
  check("(X*X^T).trace()", [&] { number = (X * X.transpose()).trace(); });
  check("X^T*(X*B)", [&] { const Matrix xxb = X.transpose() * (X * B); });
  check("X.sum()", [&] { number = X.sum(); });
  CHECK(number > 0);
  check("X.rowwise().sum()", [&] { xb.col(0) = X.rowwise().sum(); });
  Tensor<float, 4> dx(x.shape());
  check("col2im(dx) += 2*A^T*C", [&] { col2im(dx, options) += 2 * A.transpose() * C; });
  check("col2im(dx) += X", [&] { col2im(dx, options) += X; });
}

TEST_CASE("Of X^T * X only the result is large: X^T is read in blocks of a sixteenth of the workspace") {
  const test::ThreadCount set(1);
  const Conv2DOptions options{.in_channels = 40, .out_channels = 1, .kernel = {9, 9}};
  const Tensor<float, 4> x({1, 40, 38, 38}, 1.0f);
  const auto X = im2col(x, options);  // 3240 x 900
  Eigen::MatrixXf gram(X.cols(), X.cols());
  const Eigen::MatrixXf A = Eigen::MatrixXf::Ones(1, X.rows());
  Eigen::MatrixXf y(1, X.cols());
  y.noalias() = A * X;
  const auto blocks = allocations_of([&] { gram.noalias() = X.transpose() * X; });
  CHECK(blocks.bytes <= static_cast<std::size_t>(workspace_bytes / 16));
  CHECK(gram(899, 0) == 3240);
}
