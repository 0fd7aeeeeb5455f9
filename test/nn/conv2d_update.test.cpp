// SPDX-License-Identifier: MIT
// The update of a layer, gradients over several backward calls, copies and moves of layers, and the order of calls.
#include <unfold/nn/conv2d.hpp>

#include "support/catch.hpp"
#include "support/fill.hpp"
#include "support/tensor_matcher.hpp"

using namespace unfold;
using Catch::Matchers::Message;
using test::equals;
using test::integers;

namespace {

constexpr Conv2DOptions convolution{.in_channels = 2, .out_channels = 3, .kernel = {2, 3}};

struct Setup {
  explicit Setup(const Conv2DOptions& o = convolution) : layer(o) { layer.initialize(1); }
  Conv2D<double> layer;
  Tensor<double, 4> x = integers<double>({3, 2, 5, 6}, 2), dy = integers<double>({3, 3, 4, 4}, 3);
};

template <class View>
Tensor<double, View::rank> copy(const View& view) {
  return Tensor<double, View::rank>(TensorView<const double, View::rank>(view));
}

constexpr const char* not_ready = "unfold::Conv2D::backward: call forward in training mode first";

}  // namespace

TEST_CASE("Weights decay, bias and scales do not, and the layer scales its learning rate") {
  Conv2DOptions o = convolution;
  o.batch_norm = BatchNorm::standard;
  Conv2D<double> layer(o);
  layer.learning_rate_scale = 2;
  layer.weights().fill(4);
  layer.bias().fill(4);
  layer.scales().fill(4);
  for (int step = 0; step < 2; ++step) {
    layer.weight_gradient().fill(1);
    layer.bias_gradient().fill(1);
    layer.scale_gradient().fill(-1);
    layer.update({.learning_rate = 0.25, .momentum = 0.5, .decay = 0.125, .batch = 2});  // a step of 1/4 of v
  }
  // v = 1 + 0.25*4 = 2, w = 3.5; v = 1 + 1 + 0.25*3.5 = 2.875, w = 3.5 - 0.71875
  CHECK((layer.weights().array() == 2.78125).all());
  CHECK((layer.bias().array() == 4 - 0.25 - 0.375).all());
  CHECK((layer.scales().array() == 4 + 0.25 + 0.375).all());
}

TEST_CASE("Gradients of several batches add up until the update, which spends them") {
  Setup all, parts;
  all.layer.forward(all.x);
  all.layer.backward(all.dy);
  for (Index n = 0; n < 3; ++n) {
    parts.layer.forward(parts.x.slice(0, n, 1));
    parts.layer.backward(parts.dy.slice(0, n, 1));
  }
  CHECK_THAT(parts.layer.weight_gradient(), equals(all.layer.weight_gradient()));
  CHECK_THAT(parts.layer.bias_gradient(), equals(all.layer.bias_gradient()));
  const auto dw = copy(all.layer.weight_gradient());
  const auto db = copy(all.layer.bias_gradient());
  all.layer.update({.learning_rate = 0.5, .batch = 3});
  CHECK_THAT(all.layer.weight_gradient(), equals(dw));  // can still be read
  CHECK_THAT(all.layer.bias_gradient(), equals(db));
  all.layer.forward(all.x);
  all.layer.backward(all.dy);
  CHECK_THAT(all.layer.weight_gradient(), equals(dw));  // of x and dy alone
  CHECK_THAT(all.layer.bias_gradient(), equals(db));
  all.layer.backward(all.dy);
  Tensor<double, 4> twice = dw;
  twice.array() *= 2;
  CHECK_THAT(all.layer.weight_gradient(), equals(twice));
}

TEST_CASE("Backward needs a training forward, of this layer, that came last") {
  Setup s;
  CHECK_THROWS_MATCHES(s.layer.backward(s.dy), StateError, Message(not_ready));
  s.layer.forward(s.x, Mode::inference);
  CHECK_THROWS_MATCHES(s.layer.backward(s.dy), StateError, Message(not_ready));
  s.layer.forward(s.x);
  s.layer.backward(s.dy);
  s.layer.backward(s.dy);
  s.layer.forward(s.x, Mode::inference);
  CHECK_THROWS_MATCHES(s.layer.backward(s.dy), StateError, Message(not_ready));
}

TEST_CASE("A copy is a layer of its own that has seen no input; a move takes the input along") {
  Setup s;
  s.layer.forward(s.x);
  const auto dx = Tensor<double, 4>(s.layer.backward(s.dy));
  Conv2D<double> copied = s.layer;
  CHECK_THROWS_MATCHES(copied.backward(s.dy), StateError, Message(not_ready));
  CHECK_THAT(copied.weights(), equals(s.layer.weights()));
  CHECK_THAT(copied.weight_gradient(), equals(s.layer.weight_gradient()));
  copied.weights().fill(0);
  CHECK_THAT(copied.forward(s.x), equals(Tensor<double, 4>(s.dy.shape())));
  CHECK_THAT(s.layer.backward(s.dy), equals(dx));

  Conv2D<double> moved = std::move(s.layer);
  CHECK_THAT(moved.backward(s.dy), equals(dx));
  copied = std::move(moved);
  CHECK_THAT(copied.backward(s.dy), equals(dx));
  Conv2D<double> assigned(convolution);
  assigned = copied;
  CHECK_THROWS_MATCHES(assigned.backward(s.dy), StateError, Message(not_ready));
}

TEST_CASE("A layer takes batches of any size one after the other, and strided views") {
  Setup s, other;
  const auto y = Tensor<double, 4>(s.layer.forward(s.x));
  const auto dx = Tensor<double, 4>(s.layer.backward(s.dy));
  CHECK_THAT(s.layer.forward(s.x.slice(0, 1, 1)), equals(y.slice(0, 1, 1)));
  CHECK_THAT(s.layer.backward(s.dy.slice(0, 1, 1)), equals(dx.slice(0, 1, 1)));
  CHECK_THAT(s.layer.forward(s.x), equals(y));
  // Every second element of a larger memory, the axes in reverse order.
  Tensor<double, 4> x_memory({2 * 6, 5, 2, 3}), dy_memory({2 * 4, 4, 3, 3});
  const TensorView<double, 4> x(x_memory.data(), s.x.shape(), {1, 3, 6, 60});
  const TensorView<double, 4> dy(dy_memory.data(), s.dy.shape(), {1, 3, 9, 72});
  test::copy_into(x, s.x);
  test::copy_into(dy, s.dy);
  other.layer.forward(x);
  CHECK_THAT(other.layer.backward(dy), equals(dx));
  const Tensor<double, 4> none({0, 2, 5, 6}), nothing({0, 3, 4, 4});
  CHECK(s.layer.forward(none).shape() == Shape{0, 3, 4, 4});
  CHECK(s.layer.backward(nothing).shape() == Shape{0, 2, 5, 6});
}

TEST_CASE("The state of a layer has a name for every tensor, and the parameters come with their gradients") {
  const auto names = [](const Conv2DOptions& o) {
    Conv2D<float> layer(o);
    std::string state, parameters;
    layer.visit_state([&](std::string_view name, const auto& view) {
      state.append(name).append(to_string(view.shape())).append(" ");
    });
    layer.visit_parameters([&](std::string_view name, const auto& value, const auto& gradient) {
      parameters.append(name).append(value.shape() == gradient.shape() ? " " : "? ");
    });
    return state + "/ " + parameters;
  };
  Conv2DOptions o = convolution;
  CHECK(names(o) == "weights[3, 2, 2, 3] weights.velocity[3, 2, 2, 3] bias[3] bias.velocity[3] / weights bias ");
  o.bias = false;
  CHECK(names(o) == "weights[3, 2, 2, 3] weights.velocity[3, 2, 2, 3] / weights ");
  o.batch_norm = BatchNorm::darknet;
  CHECK(names(o) ==
        "weights[3, 2, 2, 3] weights.velocity[3, 2, 2, 3] scales[3] scales.velocity[3] running_mean[3] "
        "running_variance[3] / weights scales ");
}
