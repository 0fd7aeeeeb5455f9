// SPDX-License-Identifier: MIT
// Every wrong call of a layer and of the free functions says what is wrong, and changes nothing.
#include <unfold/nn/conv2d.hpp>

#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/fill.hpp"
#include "support/tensor_matcher.hpp"

#include <complex>

using namespace unfold;
using test::equals;

namespace {

constexpr Conv2DOptions in_groups{.in_channels = 6, .out_channels = 4, .kernel = {3, 3}, .groups = 2};

template <class F>
std::string message(F&& f) {
  return test::error_of<ShapeError>(f);
}

std::string message_of(const Conv2DOptions& wrong) {
  return message([&] { const Conv2D<float> layer(wrong); });
}

}  // namespace

TEST_CASE("A layer of wrong options cannot be made") {
  const std::string layer = "unfold::Conv2D: ";
  CHECK(message_of({.in_channels = 0, .out_channels = 4}) == layer + "in_channels must be >= 1, got 0");
  CHECK(message_of({.in_channels = 6, .out_channels = -1}) == layer + "out_channels must be >= 1, got -1");
  CHECK(message_of({.in_channels = 6, .out_channels = 4, .groups = 0}) == layer + "groups must be >= 1, got 0");
  CHECK(message_of({.in_channels = 6, .out_channels = 4, .groups = 3}) ==
        layer + "groups must divide in_channels and out_channels, got 3 for 6 and 4");
  CHECK(message_of({.in_channels = 1, .out_channels = 1, .kernel = {3, 0}}) ==
        layer + "kernel must be in [1, 2^31) on each axis, got {3, 0}");
  CHECK(message_of({.in_channels = 1, .out_channels = 1, .stride = {-2, 1}}) ==
        layer + "stride must be in [1, 2^31) on each axis, got {-2, 1}");
  CHECK(message_of({.in_channels = 1, .out_channels = 1, .dilation = {1, 0}}) ==
        layer + "dilation must be in [1, 2^31) on each axis, got {1, 0}");
  CHECK(message_of({.in_channels = 1, .out_channels = 1, .padding = {0, -1, 0, 0}}) ==
        layer + "padding must be in [0, 2^31) on each side, got {0, -1, 0, 0}");
  CHECK(message_of({.in_channels = Index{1} << 40, .out_channels = Index{1} << 40}) ==
        layer + "the size in bytes must fit 63 bits, got [1099511627776, 1099511627776, 1, 1]");
  CHECK(message_of({.in_channels = 1, .out_channels = 1, .activation = static_cast<Activation>(20)}) ==
        layer + "activation must be one of the 16, got 20");
  const Conv2DOptions ordered{.in_channels = 1, .out_channels = 1, .activation = Activation::relu};
  CHECK(message([&] { const Conv2D<std::complex<double>> unordered(ordered); }) ==
        layer + "activation must be one that the scalar type has, got relu");
}

TEST_CASE("forward refuses a wrong image and keeps the last one") {
  Conv2D<float> layer(in_groups);
  layer.initialize(1);
  const Tensor<float, 4> x({2, 6, 5, 4}, 1.0f), dy({2, 4, 3, 2}, 1.0f), wrong({2, 5, 5, 4}), small({2, 6, 5, 2});
  const Tensor<float, 4> y = layer.forward(x);
  const Tensor<float, 4> dx = layer.backward(dy);
  CHECK(message([&] { layer.forward(wrong); }) ==
        "unfold::Conv2D::forward: x must be [N, 6, IH, IW] with IH, IW >= 1, got [2, 5, 5, 4]");
  CHECK(message([&] { layer.forward(small); }) ==
        "unfold::Conv2D::forward: the kernel must fit the padded image (kernel {3, 3}, dilation {1, 1}, padding {0, 0, "
        "0, 0}), got x [2, 6, 5, 2]");
  CHECK(message([&] { layer.forward(x.slice(2, 0, 0), Mode::inference); }) ==
        "unfold::Conv2D::forward: x must be [N, 6, IH, IW] with IH, IW >= 1, got [2, 6, 0, 4]");
  CHECK_THAT(layer.backward(dy), equals(dx));
}

TEST_CASE("Batch normalisation cannot be trained on one sample a channel, but applied to it") {
  Conv2DOptions o = in_groups;
  o.batch_norm = BatchNorm::standard;
  Conv2D<float> layer(o);
  const Tensor<float, 4> one({1, 6, 3, 3}), two({2, 6, 3, 3});
  CHECK(message([&] { layer.forward(one); }) ==
        "unfold::Conv2D::forward: batch normalisation in training needs N*OH*OW >= 2, got x [1, 6, 3, 3]");
  CHECK(layer.forward(one, Mode::inference).size() == 4);
  CHECK(layer.forward(two).size() == 8);
}

TEST_CASE("backward refuses a gradient of another shape and changes no gradient") {
  Conv2D<float> layer(in_groups);
  const Tensor<float, 4> x({2, 6, 5, 4}, 1.0f), dy({2, 4, 3, 2}, 1.0f), wrong({2, 4, 2, 3}, 1.0f);
  layer.forward(x);
  layer.backward(dy);
  const Tensor<float, 4> dw{TensorView<const float, 4>(layer.weight_gradient())};
  CHECK(message([&] { layer.backward(wrong); }) ==
        "unfold::Conv2D::backward: dy must be [2, 4, 3, 2], got [2, 4, 2, 3]");
  layer.update({.learning_rate = 1});
  CHECK_THROWS_AS(layer.backward(wrong), ShapeError);
  CHECK_THAT(layer.weight_gradient(), equals(dw));
}

TEST_CASE("update refuses a wrong argument and moves no parameter") {
  Conv2D<float> layer(in_groups);
  layer.weight_gradient().fill(1);
  CHECK(message([&] { layer.update({.learning_rate = std::numeric_limits<double>::infinity()}); }) ==
        "unfold::Conv2D::update: learning_rate must be finite, got inf");
  CHECK(message([&] { layer.update({.learning_rate = 1, .momentum = -1}); }) ==
        "unfold::Conv2D::update: momentum must be finite and >= 0, got -1.000000");
  CHECK(message([&] { layer.update({.learning_rate = 1, .batch = -3}); }) ==
        "unfold::Conv2D::update: batch must be >= 1, got -3");
  CHECK(layer.weights().array().abs().sum() == 0);
}

TEST_CASE("The free functions name the tensor of the wrong shape, and write nothing") {
  const Tensor<float, 4> x({2, 6, 5, 4}), w({4, 3, 3, 3}), dy({2, 4, 3, 2}), wrong({4, 3, 2, 3});
  Tensor<float, 4> out({2, 4, 2, 3}, 7.0f), y({2, 4, 3, 2}, 7.0f), dx({2, 6, 5, 4}, 7.0f), dw({4, 3, 3, 3}, 7.0f);
  const std::string forward = "unfold::conv2d_forward: ", input = "unfold::conv2d_backward_input: ",
                    weights = "unfold::conv2d_backward_weights: ";
  CHECK(message([&] { conv2d_forward(w, w, in_groups, y); }) ==
        forward + "x must be [N, 6, IH, IW] with IH, IW >= 1, got [4, 3, 3, 3]");
  CHECK(message([&] { conv2d_forward(x, wrong, in_groups, y); }) ==
        forward + "w must be [4, 3, 3, 3], got [4, 3, 2, 3]");
  CHECK(message([&] { conv2d_forward(x, w, in_groups, out); }) == forward + "y must be [2, 4, 3, 2], got [2, 4, 2, 3]");
  CHECK(message([&] { conv2d_forward(x, w, {.in_channels = 6, .out_channels = 4, .groups = 4}, y); }) ==
        forward + "groups must divide in_channels and out_channels, got 4 for 6 and 4");
  CHECK(message([&] { conv2d_backward_input(dy, w, in_groups, dw); }) ==
        input + "x must be [N, 6, IH, IW] with IH, IW >= 1, got [4, 3, 3, 3]");
  CHECK(message([&] { conv2d_backward_input(out, w, in_groups, dx); }) ==
        input + "dy must be [2, 4, 3, 2], got [2, 4, 2, 3]");
  CHECK(message([&] { conv2d_backward_input(dy, wrong, in_groups, dx); }) ==
        input + "w must be [4, 3, 3, 3], got [4, 3, 2, 3]");
  CHECK(message([&] { conv2d_backward_weights(dw, dy, in_groups, dw); }) ==
        weights + "x must be [N, 6, IH, IW] with IH, IW >= 1, got [4, 3, 3, 3]");
  CHECK(message([&] { conv2d_backward_weights(x, wrong, in_groups, dw); }) ==
        weights + "dy must be [2, 4, 3, 2], got [4, 3, 2, 3]");
  CHECK(message([&] { conv2d_backward_weights(x, dy, in_groups, out); }) ==
        weights + "dw must be [4, 3, 3, 3], got [2, 4, 2, 3]");
  for (const auto* each : {&y, &dx, &dw, &out}) CHECK((each->array() == 7).all());
}

TEST_CASE("A forward in inference keeps nothing: a backward after it is refused, after a training it is not") {
  Conv2D<float> layer({.in_channels = 1, .out_channels = 1});
  const Tensor<float, 4> x({1, 1, 2, 3}), dy(x.shape());
  layer.forward(x);
  layer.forward(x, Mode::inference);
  CHECK_THROWS_AS(layer.backward(dy), StateError);
  layer.forward(x);
  CHECK(layer.backward(dy).shape() == x.shape());
}
