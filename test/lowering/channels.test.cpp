// SPDX-License-Identifier: MIT
#include <unfold/lowering/channels.hpp>

#include "support/catch.hpp"
#include "support/matrices.hpp"

using namespace unfold;
using Catch::Matchers::Message;
using test::difference;
using test::Dual;
using test::integer_matrix;
using test::integer_tensor;
using test::MatrixX;

namespace {

/// A row for each channel of the group, a column for each pixel, by loops.
template <class T>
MatrixX<T> plain_channels(const TensorView<const T, 4>& y, Index groups = 1, Index group = 0) {
  const Index channels = y.shape(1) / groups, OH = y.shape(2), OW = y.shape(3);
  MatrixX<T> m(channels, y.shape(0) * OH * OW);
  for (Index c = 0; c < channels; ++c) {
    for (Index p = 0; p < m.cols(); ++p) m(c, p) = y(p / (OH * OW), group * channels + c, p / OW % OH, p % OW);
  }
  return m;
}

/// Views of all kinds over twice as much memory as they need.
template <class T>
std::vector<TensorView<T, 4>> views(Tensor<T, 4>& base) {  // base [4, 6, 5, 8]
  return {base.view(),
          base.slice(0, 1, 2),
          base.slice(1, 0, 3),
          base.slice(1, 3, 3).slice(2, 1, 3).slice(3, 2, 5),
          base.slice(2, 4, 1),
          base.slice(3, 0, 1),
          TensorView<T, 4>(base.data(), {8, 6, 5, 4}, {1, 40, 8, 240}),            // images along the width
          TensorView<T, 4>(base.data(), {3, 6, 5, 8}, {240, 1, 6, 30}),            // channels innermost
          TensorView<T, 4>(base.data() + 959, {4, 6, 5, 8}, {-240, -40, -8, -1}),  // turned over
          TensorView<T, 4>(base.data() + 39, {2, 3, 5, 4}, {480, 80, -8, -2}),  // images turned, every second element
          TensorView<T, 4>(base.data(), {2, 3, 5, 4}, {480, 80, 16, 2})};       // every second row and element
}

}  // namespace

TEMPLATE_TEST_CASE("channels has a row for each channel and a column for each pixel, of any view", "", float, double,
                   long double, std::complex<double>, Dual) {
  using T = TestType;
  Tensor<T, 4> base = integer_tensor<T>(Shape{4, 6, 5, 8}, 1);
  for (const auto& view : views(base)) {
    CAPTURE(to_string(view.shape()), to_string(view.strides()));
    CHECK(difference(channels(view), plain_channels<T>(view)) == "");
    for (const Index group : {0, 1, 2}) {
      CHECK(difference(channels(view, 3, group), plain_channels<T>(view, 3, group)) == "");
    }
    const auto Y = channels(view, 3, 1);
    const MatrixX<T> plain = plain_channels<T>(view, 3, 1);
    CHECK(Y.rows() == plain.rows());
    CHECK(Y.cols() == plain.cols());
    CHECK(test::same<T>(Y.coeff(0, 3), plain(0, 3)));
    CHECK(difference(Y.transpose(), plain.transpose()) == "");
    CHECK(difference(Y.col(2) + Y.col(1), plain.col(2) + plain.col(1)) == "");
    CHECK(test::same<T>(Y.sum(), plain.sum()));
  }
}

TEMPLATE_TEST_CASE("Products with channels are those of the plain matrix", "", double, Dual) {
  using T = TestType;
  Tensor<T, 4> base = integer_tensor<T>(Shape{4, 6, 5, 8}, 1);
  for (const auto& view : views(base)) {
    CAPTURE(to_string(view.shape()), to_string(view.strides()));
    const auto Y = channels(view, 3, 1);
    const MatrixX<T> plain = plain_channels<T>(view, 3, 1);
    const MatrixX<T> A = integer_matrix<T>(2, plain.rows(), 5), B = integer_matrix<T>(plain.cols(), 2, 6);
    CHECK(difference(A * Y, test::times(A, plain)) == "");
    CHECK(difference(Y * B, test::times(plain, B)) == "");
  }
}

TEST_CASE("Assigning to channels writes the elements of the group and no other") {
  using T = double;
  const Tensor<T, 4> start = integer_tensor<T>(Shape{4, 6, 5, 8}, 1);
  Tensor<T, 4> base = start;
  const auto all = views(base);
  for (std::size_t v = 0; v < all.size(); ++v) {
    const auto view = all[v];
    CAPTURE(to_string(view.shape()), to_string(view.strides()));
    const Index groups = 3, group = 1, rows = view.shape(1) / groups;
    const MatrixX<T> M = integer_matrix<T>(rows, view.shape(0) * view.shape(2) * view.shape(3), 2);
    const auto check = [&](auto&& write, const MatrixX<T>& expected) {
      base.assign(start);
      write(channels(view, groups, group));
      CHECK(difference(channels(view, groups, group), expected) == "");
      Index changed = 0;
      for (Index i = 0; i < base.size(); ++i) changed += base.data()[i] != start.data()[i];
      CHECK(changed <= M.size());
    };
    base.assign(start);
    const MatrixX<T> old = plain_channels<T>(view, groups, group);
    const MatrixX<T> A = integer_matrix<T>(rows, 4, 3), B = integer_matrix<T>(4, M.cols(), 4);
    const MatrixX<T> AB = test::times(A, B);
    check([&](auto Y) { Y = M; }, M);
    check([&](auto Y) { Y += M; }, old + M);
    check([&](auto Y) { Y -= M; }, old - M);
    check([&](auto Y) { Y *= T(3); }, T(3) * old);
    check([&](auto Y) { Y.transpose() = M.transpose(); }, M);
    check(
        [&](auto Y) {
          Y.col(1).setZero();
          Y.row(0) += M.row(0);
          Y.col(1) = M.col(1);
          Y = Y + M;
          Y = M;
        },
        M);
    check([&](auto Y) { Y = A * B; }, AB);
    check([&](auto Y) { Y += A * B; }, old + AB);
    check([&](auto Y) { Y.noalias() = A * B; }, AB);
    check([&](auto Y) { Y.noalias() += A * B; }, old + AB);
    check([&](auto Y) { Y.noalias() -= A * B; }, old - AB);
    check([&](auto Y) { Y.noalias() += M; }, old + M);
    check([&](auto Y) { Y.noalias() -= M; }, old - M);
    check([&](auto Y) { Y = (A * B).eval() - M; }, AB - M);
  }
}

TEST_CASE("Channels can be assigned to channels, whatever the strides of the two") {
  const auto x = integer_tensor<float>(Shape{2, 4, 3, 5}, 1);
  Tensor<float, 4> y({2, 4, 3, 5});
  auto Y = channels(y, 2, 0);
  Y = channels(x, 2, 1);
  CHECK(difference(channels(y, 2, 0), channels(x, 2, 1)) == "");
  CHECK(channels(y, 2, 1).isZero(0));
  const auto Z = channels(y, 2, 0);
  auto W = channels(y, 2, 1);
  W = Z;  // of one type: elements are copied, the view stays where it is
  CHECK(difference(channels(y, 2, 1), channels(x, 2, 1)) == "");
  const TensorView<float, 4> turned(y.data(), {5, 4, 3, 2}, {1, 15, 5, 60});
  channels(turned, 2, 0) = integer_matrix<float>(2, 30, 5);
  CHECK(difference(channels(turned, 2, 0), integer_matrix<float>(2, 30, 5)) == "");
}

TEST_CASE("A product with the channels of the destination itself is right without noalias") {
  auto y = integer_tensor<double>(Shape{2, 3, 2, 4}, 1);
  const MatrixX<double> plain = channels(y), A = integer_matrix<double>(3, 3, 2);
  channels(y) = A * channels(y);
  CHECK(difference(channels(y), test::times(A, plain)) == "");
}

TEST_CASE("channels are as constant as their tensor") {
  Tensor<float, 4> y({1, 2, 1, 1});
  const Tensor<float, 4>& fixed = y;
  STATIC_REQUIRE(std::is_same_v<decltype(channels(y)), Channels<float>>);
  STATIC_REQUIRE(std::is_same_v<decltype(channels(y.view())), Channels<float>>);
  STATIC_REQUIRE(std::is_same_v<decltype(channels(fixed)), Channels<const float>>);
  STATIC_REQUIRE(std::is_same_v<decltype(channels(fixed.view())), Channels<const float>>);
  STATIC_REQUIRE(std::is_assignable_v<Channels<float>&, Eigen::MatrixXf>);
  STATIC_REQUIRE(!std::is_assignable_v<Channels<const float>&, Eigen::MatrixXf>);
  CHECK(channels(fixed).rows() == 2);
}

TEST_CASE("An empty batch has channels without pixels") {
  Tensor<float, 4> y({0, 4, 3, 3});
  auto Y = channels(y, 2, 1);
  CHECK(Y.rows() == 2);
  CHECK(Y.cols() == 0);
  Y = Eigen::MatrixXf(2, 0);
  CHECK(Eigen::MatrixXf(Y * Y.transpose()).isZero(0));
}

TEST_CASE("channels refuses groups that do not divide, and a group that is none of them") {
  Tensor<float, 4> y({2, 6, 3, 4});
  CHECK_THROWS_MATCHES(channels(y, 4, 0), ShapeError,
                       Message("unfold::channels: groups must divide the channels, got 4 for [2, 6, 3, 4]"));
  CHECK_THROWS_MATCHES(channels(y, 0, 0), ShapeError,
                       Message("unfold::channels: groups must divide the channels, got 0 for [2, 6, 3, 4]"));
  CHECK_THROWS_MATCHES(channels(y, 3, 3), ShapeError, Message("unfold::channels: group must be in [0, 3), got 3"));
  CHECK_THROWS_MATCHES(channels(y, 3, -1), ShapeError, Message("unfold::channels: group must be in [0, 3), got -1"));
}
