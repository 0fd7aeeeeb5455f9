// SPDX-License-Identifier: MIT
// Batches without an image, and tensors of more than 2^31 elements. (Sizes past 2^63: wrong_use/.)
#include "support/catch.hpp"
#include "support/fill.hpp"
#include "support/products.hpp"
#include "support/shared_data.hpp"
#include "support/tensor_matcher.hpp"
#include "support/thread_count.hpp"

#include <unfold/unfold.hpp>

#include <fstream>

using namespace unfold;
using test::equals;

namespace {

/// The memory that the system would give, in bytes.
Index available_memory() {
  std::ifstream info("/proc/meminfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("MemAvailable:")) return std::stol(line.substr(line.find(' '))) * 1024;
  }
  return 0;
}

/// A small integer for each element, the same whenever it is asked.
float number_at(Index i) { return static_cast<float>(static_cast<std::uint64_t>(i) * 0x9e3779b97f4a7c15 >> 60) - 8; }

}  // namespace

TEMPLATE_TEST_CASE("A batch without an image gives an empty y, leaves dx and adds nothing to the gradients", "", float,
                   double) {
  using T = TestType;
  const test::ThreadCount set(1);  // whose workspace is poisoned
  for (const Index groups : {1, 2, 6}) {
    const Conv2DOptions options{
        .in_channels = 6, .out_channels = 12, .kernel = {3, 2}, .stride = {2, 1}, .groups = groups};
    const Tensor<T, 4> x({0, 6, 7, 5}), dy({0, 12, 3, 4});
    Tensor<T, 4> y({0, 12, 3, 4}), dx({0, 6, 7, 5});
    auto w = test::poisoned<T>(Shape{12, 6 / groups, 3, 2}), dw = w;
    conv2d_forward(x, w, options, y);
    conv2d_backward_input(dy, w, options, dx);
    test::poison_workspace<T>();
    conv2d_backward_weights(x, dy, options, dw);
    CHECK_THAT(dw, equals(Tensor<T, 4>(dw.shape())));
    dw.fill(T(5));
    conv2d_backward_weights(x, dy, options, dw, T(1));
    CHECK_THAT(dw, equals(Tensor<T, 4>(dw.shape(), T(5))));

    Conv2D<T> layer(options);
    layer.initialize(1);
    CHECK(layer.forward(x).shape() == y.shape());
    CHECK(layer.backward(dy).shape() == x.shape());
    CHECK_THAT(layer.weight_gradient(), equals(Tensor<T, 4>(dw.shape())));
    CHECK_THAT(layer.bias_gradient(), equals(Tensor<T, 1>({12})));
  }
}

TEST_CASE("A batch without an image passes through the layers that take images") {
  const Tensor<float, 4> x({0, 6, 8, 6}), dy({0, 6, 4, 3});
  Sequential net(Conv2D<float>({.in_channels = 6, .out_channels = 6, .activation = Activation::gelu}),
                 Residual(Conv2D<float>({.in_channels = 6, .out_channels = 6})), MaxPool2D<float>({.kernel = {2, 2}}),
                 AvgPool2D<float>({.kernel = {1, 1}}));
  net.initialize(1);
  CHECK(net.forward(x).shape() == dy.shape());
  CHECK(net.backward(dy).shape() == x.shape());
  const auto zero = [](std::string_view, const auto&, const auto& gradient) {
    CHECK((gradient.array() == 0.0f).all());
  };
  net.visit_parameters(zero);

  Conv2D<float> normed({.in_channels = 6, .out_channels = 6, .batch_norm = BatchNorm::standard});
  CHECK(normed.forward(x, Mode::inference).size() == 0);
  Flatten<float> flatten;
  CHECK(flatten.forward(x).shape() == Shape{0, 6 * 8 * 6});
}

TEST_CASE("A convolution of more than 2^31 elements is right, also where it reads and writes those beyond") {
  if (!test::long_tests()) SKIP("a long test: it takes 9 GB");
  if (available_memory() < Index{10} << 30) SKIP("it takes 9 GB, and there are less than 10 free");
  // x is as large as is asked for; a stride keeps y small, and dx lies where x lay. The last windows end with x.
  const Shape<4> shape{3, 2, 18946, 18919};
  const Conv2DOptions options{
      .in_channels = 2, .out_channels = 3, .kernel = {3, 2}, .stride = {37, 41}, .padding = {1, 0, 0, 2}};
  const Conv2DGeometry g = conv2d_geometry("test", options, shape);
  Tensor<float, 4> x(shape);
  REQUIRE((x.size() > Index{1} << 31 && (g.OH - 1) * g.SH + g.KH == g.PT + g.IH));
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = number_at(i);
  Tensor<float, 4> w(g.w_shape()), y(g.y_shape()), dy(g.y_shape()), dw(g.w_shape());
  for (Index i = 0; i < w.size(); ++i) w.data()[i] = number_at(100 + i);
  for (Index i = 0; i < dy.size(); i += 1009) dy.data()[i] = number_at(i / 1009);  // few, so that dw is exact

  /// f(x's element, w's element) for each product of an output; the element of x by its number, or -1 in the padding.
  const auto for_each_tap = [&](Index n, Index oc, Index oh, Index ow, auto&& f) {
    for (Index ic = 0; ic < g.IC; ++ic) {
      for (Index kh = 0; kh < g.KH; ++kh) {
        for (Index kw = 0; kw < g.KW; ++kw) {
          const Index ih = oh * g.SH + kh - g.PT, iw = ow * g.SW + kw - g.PL;
          const bool inside = ih >= 0 && ih < g.IH && iw >= 0 && iw < g.IW;
          f(inside ? ((n * g.IC + ic) * g.IH + ih) * g.IW + iw : -1, ((oc * g.IC + ic) * g.KH + kh) * g.KW + kw);
        }
      }
    }
  };
  const auto for_each_output = [&](auto&& f) {
    for (Index i = 0; i < y.size(); ++i)
      f(i, i / (g.OC * g.OH * g.OW), i / (g.OH * g.OW) % g.OC, i / g.OW % g.OH, i % g.OW);
  };

  conv2d_forward(x, w, options, y);
  conv2d_backward_weights(x, dy, options, dw);
  Index wrong = 0;
  Tensor<double, 4> expected_dw(g.w_shape());
  for_each_output([&](Index i, Index n, Index oc, Index oh, Index ow) {
    float sum = 0;
    for_each_tap(n, oc, oh, ow, [&](Index at, Index tap) {
      if (at < 0) return;
      sum += number_at(at) * w.data()[tap];
      expected_dw.data()[tap] += static_cast<double>(number_at(at)) * static_cast<double>(dy.data()[i]);
    });
    wrong += y.data()[i] == sum ? 0 : 1;
  });
  CHECK(wrong == 0);
  CHECK_THAT(dw, equals(expected_dw));

  Tensor<float, 4>& dx = x;
  conv2d_backward_input(dy, w, options, dx);
  // No two windows meet, so each element of dx is at most a sum over the filters: taken off, nothing may be left.
  for_each_output([&](Index i, Index n, Index oc, Index oh, Index ow) {
    for_each_tap(n, oc, oh, ow, [&](Index at, Index tap) {
      if (at >= 0) dx.data()[at] -= dy.data()[i] * w.data()[tap];
    });
  });
  for (Index i = 0; i < dx.size(); ++i) wrong += dx.data()[i] == 0 ? 0 : 1;
  CHECK(wrong == 0);
}

TEST_CASE("Pooling of a plane of more than 2^31 pixels finds the places of the largest, also those beyond") {
  if (!test::long_tests()) SKIP("a long test: it takes 9 GB");
  if (available_memory() < Index{10} << 30) SKIP("it takes 9 GB, and there are less than 10 free");
  const Shape<4> shape{1, 1, 46344, 46342};  // the last windows end with it
  const Pool2DOptions options{.kernel = {3, 2}, .stride = {57, 61}};
  MaxPool2D<float> pool(options);
  Tensor<float, 4> y, dy;
  std::vector<Index> places;  // of the largest of each window
  {
    Tensor<float, 4> x(shape);
    REQUIRE(x.size() > Index{1} << 31);
    for (Index i = 0; i < x.size(); ++i) x.data()[i] = number_at(i);
    y = pool.forward(x);
  }
  Index wrong = 0;
  dy = Tensor<float, 4>(y.shape());
  for (Index oh = 0; oh < y.shape(2); ++oh) {
    for (Index ow = 0; ow < y.shape(3); ++ow) {
      Index best = oh * 57 * shape[3] + ow * 61;
      for (Index kh = 0; kh < 3; ++kh) {
        for (Index kw = 0; kw < 2; ++kw) {
          const Index at = (oh * 57 + kh) * shape[3] + ow * 61 + kw;
          if (number_at(at) > number_at(best)) best = at;
        }
      }
      places.push_back(best);
      wrong += y(0, 0, oh, ow) == number_at(best) ? 0 : 1;
      dy(0, 0, oh, ow) = static_cast<float>(1 + (oh + ow) % 7);
    }
  }
  CHECK(wrong == 0);
  CHECK(places.back() > Index{1} << 31);
  const auto& dx = pool.backward(dy);
  double all = 0, found = 0;
  for (Index i = 0; i < dx.size(); ++i) all += static_cast<double>(dx.data()[i]);
  for (std::size_t i = 0; i < places.size(); ++i) {
    wrong += dx.data()[places[i]] == dy.data()[i] ? 0 : 1;
    found += static_cast<double>(dy.data()[i]);
  }
  CHECK(wrong == 0);
  CHECK(all == found);
}
