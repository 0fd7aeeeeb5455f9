// SPDX-License-Identifier: MIT
#include <unfold/nn/pooling.hpp>
#include <unfold/verify/gradient_check.hpp>

#include "support/catch.hpp"
#include "support/fill.hpp"
#include "support/largest_allocation.hpp"
#include "support/tensor_matcher.hpp"

#include <cmath>
#include <vector>

using namespace unfold;
using Catch::Matchers::Message;
using test::equals;
using test::integers;

namespace {

struct Case {
  Shape<4> x;
  Pool2DOptions options;
};

const std::vector<Case> cases = {
    {{2, 3, 6, 8}, {.kernel = {2, 2}}},
    {{1, 2, 7, 5}, {.kernel = {3, 2}}},                                             // rows and columns left over
    {{3, 1, 5, 6}, {.kernel = {2, 3}, .stride = {1, 2}}},                           // windows overlap
    {{2, 2, 4, 9}, {.kernel = {2, 4}, .stride = {3, 5}}},                           // pixels under no window
    {{1, 3, 5, 7}, {.kernel = {3, 4}, .stride = {2, 3}, .padding = {2, 1, 3, 0}}},  // padding on each side
    {{2, 1, 1, 2}, {.kernel = {4, 5}, .stride = {1, 1}, .padding = {3, 3, 4, 4}}},  // larger than the image
    {{1, 2, 3, 4}, {.kernel = {3, 4}}},                                             // one window
};

Index positions(Index in, Index before, Index after, Index kernel, Index stride) {
  Index count = 0;
  for (Index start = -before; start + kernel <= in + after; start += stride) ++count;
  return count;
}

/// f(n, c, oh, ow, ih, iw) for every pixel of the image under every window.
template <class F>
void for_each_tap(const Case& c, F&& f) {
  const auto [PT, PB, PL, PR] = c.options.padding;
  const Index OH = positions(c.x[2], PT, PB, c.options.kernel.height, c.options.stride.height);
  const Index OW = positions(c.x[3], PL, PR, c.options.kernel.width, c.options.stride.width);
  for (Index n = 0; n < c.x[0]; ++n) {
    for (Index ch = 0; ch < c.x[1]; ++ch) {
      for (Index oh = 0; oh < OH; ++oh) {
        for (Index ow = 0; ow < OW; ++ow) {
          for (Index kh = 0; kh < c.options.kernel.height; ++kh) {
            for (Index kw = 0; kw < c.options.kernel.width; ++kw) {
              const Index ih = oh * c.options.stride.height - PT + kh, iw = ow * c.options.stride.width - PL + kw;
              if (ih >= 0 && ih < c.x[2] && iw >= 0 && iw < c.x[3]) f(n, ch, oh, ow, ih, iw);
            }
          }
        }
      }
    }
  }
}

Shape<4> y_shape(const Case& c) {
  const auto [PT, PB, PL, PR] = c.options.padding;
  return {c.x[0], c.x[1], positions(c.x[2], PT, PB, c.options.kernel.height, c.options.stride.height),
          positions(c.x[3], PL, PR, c.options.kernel.width, c.options.stride.width)};
}

}  // namespace

TEMPLATE_TEST_CASE("The largest element of each window, and its gradient, are those of plain loops", "", float,
                   double) {
  using T = TestType;
  for (const auto& c : cases) {
    INFO("x " << to_string(c.x) << ", kernel " << to_string(c.options.kernel));
    const auto x = integers<T>(c.x, 1), dy = integers<T>(y_shape(c), 2);
    Tensor<T, 4> y(dy.shape(), T(-100)), dx(x.shape());
    Tensor<Index, 4> place(dy.shape());
    for_each_tap(c, [&](Index n, Index ch, Index oh, Index ow, Index ih, Index iw) {
      if (x(n, ch, ih, iw) <= y(n, ch, oh, ow)) return;  // of equals, the first stays
      y(n, ch, oh, ow) = x(n, ch, ih, iw);
      place(n, ch, oh, ow) = ih * c.x[3] + iw;
    });
    for (Index i = 0; i < dy.size(); ++i) {
      const Index plane = i / (dy.shape(2) * dy.shape(3));
      dx.data()[plane * c.x[2] * c.x[3] + place.data()[i]] += dy.data()[i];
    }
    MaxPool2D<T> pool(c.options);
    CHECK_THAT(pool.forward(x), equals(y));
    CHECK_THAT(pool.backward(dy), equals(dx));
    CHECK_THAT(pool.backward(dy), equals(dx));  // overwritten, not added to
  }
}

TEMPLATE_TEST_CASE("The mean of each window, and its gradient, are those of plain loops", "", float, double) {
  using T = TestType;
  for (const auto& c : cases) {
    INFO("x " << to_string(c.x) << ", kernel " << to_string(c.options.kernel));
    const T area = T(c.options.kernel.height * c.options.kernel.width);
    const auto x = integers<T>(c.x, 3);
    auto dy = integers<T>(y_shape(c), 4);
    Tensor<T, 4> y(dy.shape()), dx(x.shape());
    for_each_tap(c, [&](Index n, Index ch, Index oh, Index ow, Index ih, Index iw) {
      y(n, ch, oh, ow) += x(n, ch, ih, iw);
      dx(n, ch, ih, iw) += dy(n, ch, oh, ow);
    });
    for (Index i = 0; i < y.size(); ++i) y.data()[i] /= area;   // one rounding
    for (Index i = 0; i < y.size(); ++i) dy.data()[i] *= area;  // so that dx is a sum of integers
    AvgPool2D<T> pool(c.options);
    CHECK_THAT(pool.forward(x), equals(y));
    CHECK_THAT(pool.backward(dy), equals(dx));
    CHECK_THAT(pool.backward(dy), equals(dx));
  }
}

TEST_CASE("Global average pooling takes an image of any size to one pixel") {
  auto pool = AvgPool2D<double>::global();
  for (const Shape<4> shape : {Shape<4>{2, 3, 4, 5}, Shape<4>{1, 2, 7, 1}}) {
    const auto x = integers<double>(shape, 5);
    const Index area = shape[2] * shape[3];
    const auto& y = pool.forward(x);
    REQUIRE(y.shape() == Shape<4>{shape[0], shape[1], 1, 1});
    for (Index plane = 0; plane < y.size(); ++plane) {
      double sum = 0;
      for (Index i = 0; i < area; ++i) sum += x.data()[plane * area + i];
      CHECK(y.data()[plane] == sum / static_cast<double>(area));
    }
    Tensor<double, 4> dy(y.shape());
    for (Index plane = 0; plane < y.size(); ++plane) dy.data()[plane] = static_cast<double>(area * (plane - 2));
    const auto& dx = pool.backward(dy);
    REQUIRE(dx.shape() == shape);
    for (Index i = 0; i < dx.size(); ++i) {
      const Index plane = i / area;
      CHECK(dx.data()[i] == static_cast<double>(plane - 2));
    }
  }
}

TEST_CASE("Of equal largest elements the first in row-major order gets the gradient") {
  const Tensor<float, 4> x({1, 1, 2, 4}, -3.0f), dy({1, 1, 1, 2}, 5.0f);
  MaxPool2D<float> pool({.kernel = {2, 2}});
  CHECK(pool.forward(x)(0, 0, 0, 0) == -3);
  const auto& dx = pool.backward(dy);
  CHECK(dx(0, 0, 0, 0) == 5);
  CHECK(dx(0, 0, 0, 2) == 5);
  CHECK(dx(0, 0, 0, 1) + dx(0, 0, 0, 3) + dx(0, 0, 1, 0) + dx(0, 0, 1, 1) + dx(0, 0, 1, 2) + dx(0, 0, 1, 3) == 0);
}

TEST_CASE("A NaN is the largest element of its windows") {
  auto x = integers<double>({1, 1, 3, 3}, 6);
  x(0, 0, 0, 1) = std::nan("");
  MaxPool2D<double> pool({.kernel = {2, 2}, .stride = {1, 1}});
  const auto& y = pool.forward(x);
  CHECK(std::isnan(y(0, 0, 0, 0)));
  CHECK(std::isnan(y(0, 0, 0, 1)));
  CHECK(!std::isnan(y(0, 0, 1, 0)));
}

TEST_CASE("Pooling reads strided views") {
  const auto wide = integers<float>({2, 6, 8, 10}, 7);
  const auto part = wide.slice(1, 1, 3).slice(2, 2, 4).slice(3, 1, 6);  // [2, 3, 4, 6]
  const Tensor<float, 4> copy(part);
  const auto dy = integers<float>({4, 3, 2, 3}, 8);
  const auto every_other = TensorView<const float, 4>(dy.data(), {2, 3, 2, 3}, {36, 6, 3, 1});
  const auto compare = [&](auto strided, auto dense) {
    strided.forward(part);
    dense.forward(copy);
    CHECK_THAT(strided.backward(every_other), equals(dense.backward(Tensor<float, 4>(every_other))));
    CHECK_THAT(strided.forward(part), equals(dense.forward(copy)));
  };
  compare(MaxPool2D<float>({.kernel = {2, 2}}), MaxPool2D<float>({.kernel = {2, 2}}));
  compare(AvgPool2D<float>({.kernel = {2, 2}}), AvgPool2D<float>({.kernel = {2, 2}}));
}

TEST_CASE("Central differences confirm the gradients of pooling") {
  Tensor<double, 4> x({2, 2, 5, 6});
  Random random(9);
  test::fill_normal(x.view(), random);
  MaxPool2D<double> largest({.kernel = {2, 3}, .stride = {1, 2}, .padding = {1, 0, 1, 2}});
  AvgPool2D<double> mean({.kernel = {2, 3}, .stride = {1, 2}, .padding = {1, 0, 1, 2}});
  CHECK(gradient_check(largest, x));
  CHECK(gradient_check(mean, x));
}

TEST_CASE("Pooling allocates nothing after the first call with a shape") {
  const auto x = integers<float>({2, 3, 6, 8}, 10), dy = integers<float>({2, 3, 3, 4}, 11);
  MaxPool2D<float> largest({.kernel = {2, 2}});
  AvgPool2D<float> mean({.kernel = {2, 2}});
  const auto step = [&] {
    largest.forward(x), largest.backward(dy), largest.forward(x, Mode::inference);
    mean.forward(x), mean.backward(dy), mean.forward(x, Mode::inference);
  };
  step();
  const test::LargestAllocation allocated;
  step();
  CHECK(allocated.bytes() == 0);
}

TEST_CASE("Pooling refuses wrong arguments and a wrong order of calls") {
  const Tensor<float, 4> x({1, 2, 4, 4}), dy({1, 2, 2, 2}), wrong({1, 2, 4, 2});
  const auto forward = [&](Pool2DOptions options) { MaxPool2D<float>(options).forward(x); };
  CHECK_THROWS_MATCHES(forward({.kernel = {0, 2}}), ShapeError,
                       Message("unfold::MaxPool2D::forward: kernel must be in [1, 2^31) on each axis, got {0, 2}"));
  CHECK_THROWS_MATCHES(forward({.kernel = {2, 2}, .stride = {1, 0}}), ShapeError,
                       Message("unfold::MaxPool2D::forward: stride must be in [1, 2^31) on each axis, got {1, 0}"));
  CHECK_THROWS_MATCHES(
      forward({.kernel = {2, 3}, .padding = {0, 2, 0, 0}}), ShapeError,
      Message("unfold::MaxPool2D::forward: padding must be >= 0 and smaller than kernel {2, 3}, got {0, 2, 0, 0}"));
  CHECK_THROWS_MATCHES(
      AvgPool2D<float>({.kernel = {5, 1}}).forward(x), ShapeError,
      Message("unfold::AvgPool2D::forward: kernel {5, 1} must fit the image with padding {0, 0, 0, 0}, got x "
              "[1, 2, 4, 4]"));
  CHECK_THROWS_MATCHES(
      AvgPool2D<float>::global().forward(Tensor<float, 4>({1, 2, 0, 4})), ShapeError,
      Message("unfold::AvgPool2D::forward: kernel {1, 4} must fit the image with padding {0, 0, 0, 0}, got x "
              "[1, 2, 0, 4]"));

  MaxPool2D<float> largest({.kernel = {2, 2}});
  AvgPool2D<float> mean({.kernel = {2, 2}});
  const auto too_early = [](const std::string& layer) {
    return Message("unfold::" + layer + "::backward: call forward in training mode first");
  };
  CHECK_THROWS_MATCHES(largest.backward(dy), StateError, too_early("MaxPool2D"));
  CHECK_THROWS_MATCHES(mean.backward(dy), StateError, too_early("AvgPool2D"));
  largest.forward(x), mean.forward(x);
  CHECK_THROWS_MATCHES(largest.backward(wrong), ShapeError,
                       Message("unfold::MaxPool2D::backward: dy must be [1, 2, 2, 2], got [1, 2, 4, 2]"));
  CHECK_THROWS_MATCHES(mean.backward(wrong), ShapeError,
                       Message("unfold::AvgPool2D::backward: dy must be [1, 2, 2, 2], got [1, 2, 4, 2]"));
  CHECK(largest.backward(dy, InputGradient::skip).size() == 0);
  CHECK(mean.backward(dy, InputGradient::skip).size() == 0);
  largest.forward(x, Mode::inference), mean.forward(x, Mode::inference);
  CHECK_THROWS_MATCHES(largest.backward(dy), StateError, too_early("MaxPool2D"));
  CHECK_THROWS_MATCHES(mean.backward(dy), StateError, too_early("AvgPool2D"));
}
