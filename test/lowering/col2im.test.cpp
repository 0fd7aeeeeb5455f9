// SPDX-License-Identifier: MIT
#include <unfold/lowering/col2im.hpp>

#include "support/catch.hpp"
#include "support/matrices.hpp"
#include "support/tensor_matcher.hpp"

using namespace unfold;
using Catch::Matchers::Message;
using test::difference;
using test::Dual;
using test::equals;
using test::integer_matrix;
using test::integer_tensor;
using test::MatrixX;

namespace {

/// start with the adjoint of M added, by loops.
template <class T>
Tensor<T, 4> with_added(const Tensor<T, 4>& start, const Conv2DOptions& options, Index group, const MatrixX<T>& M) {
  Tensor<T, 4> sum = start;
  test::add_patches_by_loops(test::plain_tensor<T>(M), options, group, sum);
  return sum;
}

/// Two tensors of any scalar as matrices.
template <class T>
std::string difference_of(const TensorView<const T, 4>& a, const Tensor<T, 4>& b) {
  return difference(Tensor<T, 4>(a).matrix(), b.matrix());
}

}  // namespace

TEMPLATE_TEST_CASE("col2im adds every entry to the element that im2col reads there", "", float, double, long double,
                   std::complex<double>, Dual) {
  using T = TestType;
  test::for_each_problem<T>([](const auto& options, const auto& start, Index group, const auto& plain) {
    const MatrixX<T> M = integer_matrix<T>(plain.rows(), plain.cols(), 2);
    const auto once = with_added(start, options, group, M);
    auto dx = start;
    const auto view = col2im(dx, options, group);
    CHECK(view.rows() == plain.rows());
    CHECK(view.cols() == plain.cols());
    view += M;
    CHECK(difference_of<T>(dx, once) == "");
    view.noalias() += M - T(2) * M;  // an expression; and the sum is taken back
    CHECK(difference_of<T>(dx, start) == "");
    view += M.transpose().eval().transpose();
    CHECK(difference_of<T>(dx, once) == "");
    view += MatrixX<T>::Zero(plain.rows(), plain.cols());
    CHECK(difference_of<T>(dx, once) == "");
    dx = start;
    view += im2col(start, options, group);  // the product of im2col with its adjoint
    CHECK(difference_of<T>(dx, with_added(start, options, group, plain)) == "");
  });
}

TEMPLATE_TEST_CASE("col2im adds a product", "", float, double, long double, std::complex<double>, Dual) {
  using T = TestType;
  test::for_each_problem<T>([](const auto& options, const auto& start, Index group, const auto& plain) {
    const MatrixX<T> A = integer_matrix<T>(plain.rows(), 5, 2), B = integer_matrix<T>(5, plain.cols(), 3);
    const auto expected = with_added(start, options, group, test::times(A, B));
    const auto check = [&](auto&& product) {
      auto dx = start;
      col2im(dx, options, group) += product;
      CHECK(difference_of<T>(dx, expected) == "");
      dx = start;
      col2im(dx, options, group).noalias() += product;
      CHECK(difference_of<T>(dx, expected) == "");
    };
    check(A * B);
    if constexpr (FloatOrDouble<T>) {  // the engine takes each of them as it lies
      const test::RowMajorX<T> A_rows = A, B_rows = B;
      check(A_rows * B_rows);
      const MatrixX<T> A_turned = A.transpose(), B_turned = B.transpose();
      check(A_turned.transpose() * B_turned.transpose());
      check((A + A - A) * (B + B - B));
    }
  });
}

TEMPLATE_TEST_CASE("col2im adds W^T * channels(dy), from any strides into any strides", "", float, double, Dual) {
  using T = TestType;
  test::for_each_problem<T>([](const auto& options, const auto& start, Index group, const auto& plain) {
    const Conv2DGeometry g = conv2d_geometry("test", options, start.shape());
    const MatrixX<T> W = integer_matrix<T>(2, plain.rows(), 2);
    Tensor<T, 4> around = integer_tensor<T>(Shape{g.N, 6, g.OH + 1, g.OW + 2}, 3);
    const auto dy = around.slice(1, 1, 4).slice(2, 1, g.OH).slice(3, 1, g.OW);
    const auto expected = with_added(start, options, group, test::times(W.transpose(), channels(dy, 2, 1)));
    auto dx = start;
    col2im(dx, options, group).noalias() += W.transpose() * channels(dy, 2, 1);
    CHECK(difference_of<T>(dx, expected) == "");

    // dx inside a larger tensor, its axes in another order; what lies around must stay.
    Tensor<T, 4> memory({g.IW + 1, g.IC, g.N + 1, g.IH}, T(-77));
    const TensorView<T, 4> turned(memory.data() + memory.stride(0), g.x_shape(),
                                  {memory.stride(2), memory.stride(1), memory.stride(3), memory.stride(0)});
    const T* next = start.data();
    turned.for_each_run([&](T* run, Index n, Index step) {
      for (Index i = 0; i < n; ++i) run[i * step] = *next++;
    });
    col2im(turned, options, group).noalias() += W.transpose() * channels(dy, 2, 1);
    CHECK(difference_of<T>(turned, expected) == "");
    CHECK((memory.array() == T(-77)).count() >= memory.size() - start.size());
  });
}

TEST_CASE("col2im is the adjoint of im2col: <im2col(x), M> = <x, col2im M>") {
  test::for_each_problem<double>([](const auto& options, const auto& x, Index group, const auto& plain) {
    const MatrixX<double> M = integer_matrix<double>(plain.rows(), plain.cols(), 4);
    Tensor<double, 4> dx(x.shape());
    col2im(dx, options, group) += M;
    CHECK(im2col(x, options, group).cwiseProduct(M).sum() == (x.array() * dx.array()).sum());
  });
}

TEMPLATE_TEST_CASE("A sum from zero forgets what was there, even NaN: of a matrix, and of a product", "", float, double,
                   long double) {
  using T = TestType;
  const Conv2DOptions options{.in_channels = 2, .out_channels = 3, .kernel = {2, 3}, .stride = {1, 2}};
  const Tensor<T, 4> zeros({2, 2, 4, 7});
  const Conv2DGeometry g = conv2d_geometry("test", options, zeros.shape());
  const MatrixX<T> A = integer_matrix<T>(g.K(), 3, 1), B = integer_matrix<T>(3, g.P(), 2), M = A * B;
  const Tensor<T, 4> expected = with_added(zeros, options, 0, M);
  Tensor<T, 4> dx(zeros.shape(), std::numeric_limits<T>::quiet_NaN());
  col2im(dx, options).from_zero() += M;
  CHECK_THAT(dx, equals(expected));
  dx.fill(std::numeric_limits<T>::quiet_NaN());
  col2im(dx, options).from_zero() += A * B;
  CHECK_THAT(dx, equals(expected));
}

TEST_CASE("Elements under no window and other groups keep what they have, even NaN; NaN over padding is dropped") {
  const Conv2DOptions options{
      .in_channels = 4, .out_channels = 2, .kernel = {2, 2}, .stride = {3, 4}, .padding = {1, 1, 1, 2}, .groups = 2};
  const Shape<4> shape{2, 4, 7, 9};
  const Conv2DGeometry g = conv2d_geometry("test", options, shape);
  Tensor<float, 4> start = test::poisoned<float>(shape);
  test::for_each_entry(g, options, 1, [&](Index, Index, auto... at) { start(at...) = 3; });
  const Index reached = (start.array() == 3.0f).count();
  MatrixX<float> M = test::poisoned_matrix<MatrixX<float>>(g.K(), g.P());
  test::for_each_entry(g, options, 1, [&](Index tap, Index pixel, auto...) { M(tap, pixel) = 1; });
  auto dx = start;
  col2im(dx, options, 1) += M;
  CHECK((dx.array() == 4.0f).count() == reached);
  CHECK(dx.array().isNaN().count() == dx.size() - reached);
  dx = start;
  const MatrixX<float> A = MatrixX<float>::Constant(g.K(), 1, 2), B = MatrixX<float>::Ones(1, g.P());
  col2im(dx, options, 1) += A * B;
  CHECK((dx.array() == 5.0f).count() == reached);
  CHECK(dx.array().isNaN().count() == dx.size() - reached);
}

TEST_CASE("col2im refuses a matrix of another shape, and adds nothing of it") {
  const Conv2DOptions options{.in_channels = 2, .out_channels = 1, .kernel = {2, 2}};
  Tensor<double, 4> dx({1, 2, 3, 4});
  CHECK_THROWS_MATCHES(col2im(dx, options) += MatrixX<double>::Ones(8, 5), ShapeError,
                       Message("unfold::col2im: the matrix added must be [8, 6], got [8, 5]"));
  CHECK_THROWS_MATCHES((col2im(dx, options) += MatrixX<double>::Ones(7, 2) * MatrixX<double>::Ones(2, 6)), ShapeError,
                       Message("unfold::col2im: the matrix added must be [8, 6], got [7, 6]"));
  CHECK((dx.array() == 0).all());
  CHECK_THROWS_MATCHES(col2im(dx, options, 1), ShapeError, Message("unfold::col2im: group must be in [0, 1), got 1"));
  CHECK_THROWS_MATCHES(col2im(dx, {.in_channels = 3, .out_channels = 1}), ShapeError,
                       Message("unfold::col2im: x must be [N, 3, IH, IW] with IH, IW >= 1, got [1, 2, 3, 4]"));
}

TEST_CASE("An empty batch takes a matrix without columns") {
  Tensor<float, 4> dx({0, 2, 3, 4});
  const Conv2DOptions options{.in_channels = 2, .out_channels = 1, .kernel = {2, 2}};
  col2im(dx, options) += Eigen::MatrixXf(8, 0);
  col2im(dx, options) += Eigen::MatrixXf::Ones(8, 3) * Eigen::MatrixXf(3, 0);
  CHECK(dx.size() == 0);
}
