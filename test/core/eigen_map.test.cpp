// SPDX-License-Identifier: MIT
#include <unfold/core/eigen_map.hpp>

#include "support/catch.hpp"

#include <complex>
#include <cstdint>
#include <numeric>  // std::iota

using namespace unfold;
using Catch::Matchers::Message;

namespace {

template <int Rank>
Tensor<double, Rank> counted(const Shape<Rank>& shape) {
  Tensor<double, Rank> tensor(shape);
  std::iota(tensor.data(), tensor.data() + tensor.size(), 0.0);
  return tensor;
}

}  // namespace

TEST_CASE("The matrix of a tensor has a row for each index of axis 0, over the tensor's own memory") {
  Tensor<double, 4> t = counted(Shape{2, 3, 4, 5});
  auto m = t.matrix();
  CHECK(m.rows() == 2);
  CHECK(m.cols() == 60);
  CHECK(m.data() == t.data());
  CHECK(m(1, 27) == t(1, 1, 1, 2));
  m(0, 59) = -1;
  CHECK(t(0, 2, 3, 4) == -1);
  m.row(1).setZero();
  CHECK(t[1].array().abs().sum() == 0);
  CHECK(counted(Shape{7}).matrix().rows() == 7);
  CHECK(counted(Shape{7}).matrix().cols() == 1);
}

TEST_CASE("The array of a tensor has all its elements in row-major order") {
  Tensor<double, 3> t = counted(Shape{2, 3, 4});
  CHECK(t.array().size() == 24);
  t.array() = t.array().square() + 1;
  CHECK(t(1, 2, 3) == 23 * 23 + 1);
  CHECK((t.array() > 500).count() == 1);
}

TEST_CASE("The maps of a constant tensor are over its own memory too") {
  const Tensor<double, 3> t = counted(Shape{2, 3, 4});
  CHECK(t.matrix().rows() == 2);
  CHECK(t.matrix().cols() == 12);
  CHECK(t.matrix().data() == t.data());
  CHECK(t.matrix()(1, 7) == t(1, 1, 3));
  CHECK(t.array().size() == 24);
  CHECK(t.array().data() == t.data());
  CHECK(t.array()(19) == t(1, 1, 3));
}

TEST_CASE("Maps are as constant as what they map") {
  using T = Tensor<float, 2>;
  STATIC_REQUIRE(std::is_same_v<decltype(std::declval<T&>().matrix()), AlignedMatrixMap<float>>);
  STATIC_REQUIRE(std::is_same_v<decltype(std::declval<const T&>().matrix()), AlignedMatrixMap<const float>>);
  STATIC_REQUIRE(std::is_same_v<decltype(std::declval<T&>().array()), AlignedArrayMap<float>>);
  STATIC_REQUIRE(std::is_same_v<decltype(std::declval<const T&>().array()), AlignedArrayMap<const float>>);
  STATIC_REQUIRE(std::is_same_v<decltype(TensorView<float, 2>().matrix()), MatrixMap<float>>);
  STATIC_REQUIRE(std::is_same_v<decltype(TensorView<const float, 2>().matrix()), MatrixMap<const float>>);
  STATIC_REQUIRE(std::is_same_v<decltype(TensorView<const float, 2>().array()), ArrayMap<const float>>);
  STATIC_REQUIRE(std::is_same_v<decltype(std::declval<T&>().matrix()(0, 0)), float&>);
  STATIC_REQUIRE(std::is_same_v<decltype(TensorView<float, 2>().matrix()(0, 0)), float&>);
  STATIC_REQUIRE(!std::is_same_v<decltype(std::declval<const T&>().matrix()(0, 0)), float&>);
  STATIC_REQUIRE(!std::is_same_v<decltype(TensorView<const float, 2>().matrix()(0, 0)), float&>);
}

TEST_CASE("The matrix of a strided view steps over what the view leaves out") {
  Tensor<double, 3> t = counted(Shape{4, 5, 6});
  const auto rows = t.slice(0, 1, 2).matrix();  // whole inner axes
  CHECK(rows.rows() == 2);
  CHECK(rows.cols() == 30);
  CHECK(rows(1, 29) == t(2, 4, 5));
  const auto middle = t.slice(1, 1, 3).matrix();  // still one stride: rows of the inner axis are whole
  CHECK(middle.cols() == 18);
  CHECK(middle(3, 17) == t(3, 3, 5));
  const auto column = t.slice(2, 4, 1).matrix();  // the last axis has one element: the stride is the axis before
  CHECK(column.cols() == 5);
  CHECK(column(2, 3) == t(2, 3, 4));
  auto second = t[2].slice(1, 0, 3).matrix();
  second *= 2;
  CHECK(t(2, 1, 2) == 2 * (60 + 6 + 2));
  CHECK(t(2, 1, 3) == 60 + 6 + 3);
}

TEST_CASE("Transposed, turned and repeated views have maps too") {
  Tensor<double, 2> t = counted(Shape{4, 6});
  const TensorView<const double, 2> transposed(t.data(), {6, 4}, {1, 6});
  CHECK(transposed.matrix() == t.matrix().transpose());
  const TensorView<const double, 2> turned(t.data() + 23, {4, 6}, {-6, -1});
  CHECK(turned.matrix() == t.matrix().reverse());
  CHECK((turned.array() == t.array().reverse()).all());
  const TensorView<const double, 2> repeated(t.data(), {3, 6}, {0, 1});
  CHECK(repeated.matrix() == t.matrix().row(0).replicate(3, 1));
  const TensorView<const double, 2> constant(t.data() + 5, {3, 6}, {0, 0});
  CHECK((constant.array() == 5).all());
  CHECK(constant.array().size() == 18);
}

TEST_CASE("The array of a strided view needs one stride") {
  Tensor<double, 3> t = counted(Shape{4, 5, 6});
  CHECK(t.slice(2, 2, 1).array().size() == 20);
  CHECK(t.slice(2, 2, 1).array()(7) == t(1, 2, 2));
  CHECK(t.slice(0, 3, 1).slice(1, 2, 3).array()(17) == t(3, 4, 5));
  t.slice(2, 2, 1).array() = 0;
  CHECK(t(3, 4, 2) == 0);
  CHECK(t(3, 4, 3) != 0);
  CHECK_THROWS_MATCHES(t.slice(2, 1, 2).array(), ShapeError,
                       Message("unfold::TensorView::array: axes from 0 on must lie in one stride (copy the view "
                               "first), got shape [4, 5, 2] with strides [30, 6, 1]"));
  CHECK_THROWS_AS(t.slice(1, 1, 2).array(), ShapeError);
}

TEST_CASE("A matrix whose inner axes do not lie in one stride is refused") {
  Tensor<double, 3> t = counted(Shape{4, 5, 6});
  CHECK_THROWS_MATCHES(t.slice(2, 1, 2).matrix(), ShapeError,
                       Message("unfold::TensorView::matrix: axes from 1 on must lie in one stride (copy the view "
                               "first), got shape [4, 5, 2] with strides [30, 6, 1]"));
  const TensorView<double, 3> swapped(t.data(), {4, 6, 5}, {30, 1, 6});
  CHECK_THROWS_AS(swapped.matrix(), ShapeError);
  CHECK(swapped.slice(1, 3, 1).matrix()(2, 4) == t(2, 4, 3));
}

TEST_CASE("Empty tensors and views have empty maps") {
  Tensor<double, 3> t({3, 0, 4});
  CHECK(t.matrix().rows() == 3);
  CHECK(t.matrix().cols() == 0);
  CHECK(t.array().size() == 0);
  CHECK(t.view().matrix().size() == 0);
  CHECK(t.view().array().sum() == 0);
  Tensor<double, 3> whole = counted(Shape{3, 2, 4});
  CHECK(whole.slice(2, 1, 0).matrix().cols() == 0);
  CHECK(whole.slice(2, 1, 3).slice(1, 0, 0).matrix().rows() == 3);  // no element, so no stride to disagree on
  CHECK(whole.slice(2, 1, 3).slice(0, 0, 0).array().size() == 0);
}

TEMPLATE_TEST_CASE("Maps have the element type of the tensor", "", float, long double, std::complex<double>,
                   std::uint8_t) {
  Tensor<TestType, 2> t({2, 3}, TestType(2));
  STATIC_REQUIRE(std::is_same_v<typename decltype(t.matrix())::Scalar, TestType>);
  CHECK(t.matrix().sum() == TestType(12));
  CHECK(t.view().array().prod() == TestType(64));
}
