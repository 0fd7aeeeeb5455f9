// SPDX-License-Identifier: MIT
// What a layer keeps and forgets from call to call. What it computes is in conv2d_golden, conv2d_grid and conv2d_laws.
#include <unfold/nn/conv2d.hpp>

#include "support/bounds.hpp"
#include "support/catch.hpp"
#include "support/tensor_matcher.hpp"

#include <cstring>  // std::memcpy

using namespace unfold;
using Catch::Matchers::Message;
using test::equals;
using test::fill_integers;

namespace {

constexpr Conv2DOptions options{
    .in_channels = 4, .out_channels = 6, .kernel = {3, 2}, .padding = {1, 0, 0, 1}, .groups = 2};
constexpr Shape<4> x_shape{2, 4, 5, 7}, y_shape{2, 6, 4, 7};

/// A layer with integers as weights and bias, x and dy.
template <class T>
struct Setup {
  explicit Setup(const Conv2DOptions& o = options) : layer(o), x(x_shape), dy(y_shape) {
    Random random(3);
    fill_integers(layer.weights(), random);
    fill_integers(layer.bias(), random);
    fill_integers(x.view(), random);
    fill_integers(dy.view(), random);
  }
  Conv2D<T> layer;
  Tensor<T, 4> x, dy;
};

/// FNV-1a over the bytes of the elements.
template <class T>
std::uint64_t hash(const TensorView<T, 4>& view) {
  std::uint64_t h = 0xcbf29ce484222325;
  view.for_each_run([&](const T* run, Index n, Index step) {
    for (Index i = 0; i < n; ++i) {
      unsigned char bytes[sizeof(T)];
      std::memcpy(bytes, run + i * step, sizeof(T));
      for (const unsigned char byte : bytes) h = (h ^ byte) * 0x100000001b3;
    }
  });
  return h;
}

}  // namespace

TEST_CASE("A layer has parameters of the shapes its options name, zero, the scales one") {
  Conv2DOptions o = options;
  o.batch_norm = BatchNorm::standard;
  const Conv2D<float> layer(o);
  CHECK(layer.weights().shape() == Shape{6, 2, 3, 2});
  CHECK(layer.bias().shape() == Shape{6});
  CHECK(layer.scales().shape() == Shape{6});
  CHECK(layer.weight_gradient().shape() == Shape{6, 2, 3, 2});
  CHECK(layer.bias_gradient().shape() == Shape{6});
  CHECK(layer.scale_gradient().shape() == Shape{6});
  CHECK(layer.weights().array().abs().sum() == 0);
  CHECK(layer.bias().array().abs().sum() == 0);
  CHECK((layer.scales().array() == 1).all());
  CHECK(layer.learning_rate_scale == 1);
  CHECK(layer.options().kernel == Extent2D{3, 2});
  o.batch_norm = BatchNorm::none;
  CHECK(Conv2D<float>(o).scales().shape() == Shape{0});
  CHECK(Conv2D<float>(o).scale_gradient().shape() == Shape{0});
  o.bias = false;
  CHECK(Conv2D<float>(o).bias().shape() == Shape{0});
  CHECK(Conv2D<float>(o).bias_gradient().shape() == Shape{0});
  STATIC_REQUIRE(std::is_same_v<decltype(layer.weights()), TensorView<const float, 4>>);
  STATIC_REQUIRE(std::is_same_v<decltype(layer.bias_gradient()), TensorView<const float, 1>>);
}

TEST_CASE("Weights start as He's normal numbers, with the same bits on every machine; the rest as constructed") {
  const Conv2DOptions o{.in_channels = 6, .out_channels = 10, .kernel = {5, 4}, .groups = 2};
  Conv2D<double> wide(o);
  Conv2D<float> narrow(o);
  wide.initialize(2024);
  narrow.initialize(2024);
  CHECK(wide.weights()(0, 0, 0, 0) == -0x1.bdd958fe54384p-4);
  CHECK(hash(wide.weights()) == 0xfaa323b956d42fb0);
  CHECK(hash(narrow.weights()) == 0xca44f9504257b338);
  CHECK(wide.bias().array().abs().sum() == 0);

  Conv2D<double> large({.in_channels = 60, .out_channels = 100, .kernel = {3, 3}});
  large.initialize(7);
  const auto w = large.weights().array();
  const auto n = static_cast<double>(w.size());
  const double mean = w.mean(), variance = (w - mean).square().mean(), expected = 2.0 / (60 * 9);
  CHECK(std::abs(mean) < 5 * std::sqrt(expected / n));  // five standard deviations of the estimates
  CHECK(std::abs(variance - expected) < 5 * expected * std::sqrt(2 / n));
  large.initialize(8);
  CHECK(large.weights().array().mean() != mean);
}

TEST_CASE("Views of the parameters and their gradients stay when a layer is initialised") {
  Conv2DOptions o = options;
  o.batch_norm = BatchNorm::standard;
  Setup<float> s(o);
  s.layer.forward(s.x);
  s.layer.backward(s.dy);
  const auto w = s.layer.weights(), dw = s.layer.weight_gradient();
  const auto bias = s.layer.bias(), scales = s.layer.scales();
  s.layer.initialize(5);
  CHECK(w.data() == s.layer.weights().data());
  CHECK(dw.data() == s.layer.weight_gradient().data());
  CHECK(bias.data() == s.layer.bias().data());
  CHECK(scales.data() == s.layer.scales().data());
  CHECK(scales(0) == 1);
}

TEST_CASE("Initialising again forgets everything but the options and the learning rate scale") {
  Conv2DOptions o = options;
  o.batch_norm = BatchNorm::standard;
  Setup<float> s(o);
  s.layer.learning_rate_scale = 3;
  s.layer.forward(s.x);
  s.layer.backward(s.dy);
  s.layer.update({.learning_rate = 0.1, .momentum = 0.9});
  s.layer.backward(s.dy);
  s.layer.initialize(5);
  Conv2D<float> fresh(o);
  fresh.initialize(5);
  std::vector<Tensor<float, 1>> expected;
  const auto flat = [](const auto& view) {
    return Tensor<float, 1>(TensorView<const float, 1>(view.data(), {view.size()}));
  };
  fresh.visit_state([&](std::string_view, const auto& view) { expected.push_back(flat(view)); });
  std::size_t i = 0;
  s.layer.visit_state([&](std::string_view, const auto& view) { CHECK_THAT(flat(view), equals(expected.at(i++))); });
  CHECK(i == 8);
  CHECK(s.layer.weight_gradient().array().abs().sum() == 0);
  CHECK(s.layer.learning_rate_scale == 3);
  CHECK_THROWS_AS(s.layer.backward(s.dy), StateError);
}

TEMPLATE_TEST_CASE("Bias and activation follow the convolution, and their gradients come first on the way back", "",
                   float, double) {
  using T = TestType;
  Conv2DOptions o = options;
  o.activation = Activation::relu;
  Setup<T> s(o);
  Tensor<T, 4> z(y_shape), dz = s.dy, dx(x_shape), dw(s.layer.weights().shape());
  Tensor<T, 1> db({6});
  reference::conv2d_forward(s.x, s.layer.weights(), o, z);
  reference::add_bias(s.layer.bias(), z);
  for (Index i = 0; i < z.size(); ++i) {
    if (z.data()[i] <= 0) z.data()[i] = dz.data()[i] = 0;
  }
  CHECK_THAT(s.layer.forward(s.x), equals(z));
  reference::conv2d_backward_input(dz, s.layer.weights(), o, dx);
  reference::conv2d_backward_weights(s.x, dz, o, dw);
  reference::bias_gradient(dz, db);
  CHECK_THAT(s.layer.backward(s.dy), equals(dx));
  CHECK_THAT(s.layer.weight_gradient(), equals(dw));
  CHECK_THAT(s.layer.bias_gradient(), equals(db));
}

TEST_CASE("Without a bias nothing is added, and no bias is trained") {
  Conv2DOptions o = options;
  o.bias = false;
  Setup<float> s(o);
  Tensor<float, 4> y(y_shape);
  reference::conv2d_forward(s.x, s.layer.weights(), o, y);
  CHECK_THAT(s.layer.forward(s.x), equals(y));
  s.layer.backward(s.dy);
  s.layer.update({.learning_rate = 1});
  const Tensor<float, 4> w(TensorView<const float, 4>(s.layer.weights()));
  reference::conv2d_forward(s.x, w, o, y);
  CHECK_THAT(s.layer.forward(s.x), equals(y));
}

TEST_CASE("With batch norm but no bias, no shift is trained behind the user's back") {
  Conv2DOptions o = options;
  o.batch_norm = BatchNorm::standard;
  Setup<double> with(o);
  o.bias = false;
  Setup<double> without(o);
  test::copy_into(with.layer.weights(), Tensor<double, 4>(TensorView<const double, 4>(without.layer.weights())));
  for (int step = 0; step < 3; ++step) {
    with.layer.bias().fill(0);
    CHECK_THAT(without.layer.forward(without.x), equals(with.layer.forward(without.x)));
    without.layer.backward(without.dy);
    with.layer.backward(without.dy);
    without.layer.update({.learning_rate = 0.1});
    with.layer.update({.learning_rate = 0.1});
  }
}

TEST_CASE("Every activation is applied to the convolution, and its slope to dy, where the filter is the number one") {
  for (int number = 0; number <= static_cast<int>(Activation::gelu); ++number) {
    const auto f = static_cast<Activation>(number);
    INFO(activation_name(f));
    Conv2D<double> layer({.in_channels = 1, .out_channels = 1, .activation = f});
    layer.weights().fill(1);
    layer.bias().fill(0.25);
    Random random(9);
    Tensor<double, 4> x({2, 1, 5, 7}), z(x.shape()), y(x.shape()), dy(x.shape()), dx(x.shape());
    test::fill_normal(x.view(), random);
    test::fill_normal(dy.view(), random);
    z.array() = x.array() + 0.25;
    activate(f, z.data(), y.data(), z.size());
    activation_gradient(f, slope_from_input(f) ? z.data() : y.data(), dy.data(), dx.data(), dx.size());
    CHECK_THAT(layer.forward(x), equals(y));
    CHECK_THAT(layer.backward(dy), equals(dx));
    CHECK_THAT(layer.forward(x, Mode::inference), equals(y));
  }
}

TEST_CASE("Skipping the input gradient leaves dx empty and computes the others") {
  Setup<float> with, without;
  with.layer.forward(with.x);
  with.layer.backward(with.dy);
  without.layer.forward(without.x);
  CHECK(without.layer.backward(without.dy, InputGradient::skip).size() == 0);
  CHECK_THAT(without.layer.weight_gradient(), equals(with.layer.weight_gradient()));
  CHECK_THAT(without.layer.bias_gradient(), equals(with.layer.bias_gradient()));
  CHECK(without.layer.backward(without.dy).shape() == x_shape);
}

TEST_CASE("NaN of one step does not reach the next: not through y, dx, gradients, nor batch norm's own tensors") {
  for (const BatchNorm batch_norm : {BatchNorm::none, BatchNorm::standard, BatchNorm::darknet}) {
    for (const Activation f : {Activation::linear, Activation::leaky, Activation::silu}) {
      CAPTURE(static_cast<int>(batch_norm), static_cast<int>(f));
      Conv2DOptions o = options;
      o.batch_norm = batch_norm;
      o.activation = f;
      Setup<double> used(o), fresh(o);
      const auto nan_x = test::poisoned<double>(x_shape), nan_dy = test::poisoned<double>(y_shape);
      used.layer.forward(nan_x);
      used.layer.backward(nan_dy);
      const SgdArgs still{.learning_rate = 0};
      auto weights = Tensor<double, 4>(TensorView<const double, 4>(fresh.layer.weights()));
      used.layer.update(still);  // spends the gradients; NaN goes into weights and velocities, which are set anew
      used.layer.visit_state([](std::string_view name, const auto& view) {
        view.fill(name == "scales" || name == "running_variance" ? 1 : 0);
      });
      fresh.layer.visit_state([](std::string_view name, const auto& view) {
        view.fill(name == "scales" || name == "running_variance" ? 1 : 0);
      });
      test::copy_into(used.layer.weights(), weights);
      test::copy_into(fresh.layer.weights(), weights);
      CHECK_THAT(used.layer.forward(used.x), equals(fresh.layer.forward(fresh.x)));
      CHECK_THAT(used.layer.backward(used.dy), equals(fresh.layer.backward(fresh.dy)));
      CHECK_THAT(used.layer.weight_gradient(), equals(fresh.layer.weight_gradient()));
      CHECK_THAT(used.layer.bias_gradient(), equals(fresh.layer.bias_gradient()));
      CHECK_THAT(used.layer.scale_gradient(), equals(fresh.layer.scale_gradient()));
    }
  }
}
