// SPDX-License-Identifier: MIT
#include <unfold/nn/conv2d.hpp>
#include <unfold/nn/dense.hpp>
#include <unfold/nn/flatten.hpp>
#include <unfold/nn/pooling.hpp>
#include <unfold/nn/residual.hpp>
#include <unfold/nn/sequential.hpp>
#include <unfold/verify/gradient_check.hpp>

#include "support/catch.hpp"
#include "support/fill.hpp"

using namespace unfold;
using test::Problem;

namespace {

template <class T>
Tensor<T, 4> normal_image(const Shape<4>& shape) {
  Random random(21);
  Tensor<T, 4> x(shape);
  test::fill_normal(x.view(), random);
  return x;
}

constexpr Shape<4> image{3, 4, 6, 5};
constexpr Conv2DOptions grouped{
    .in_channels = 4, .out_channels = 6, .kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 0, 0, 1}, .groups = 2};

template <class T>
Conv2D<T> convolution(Activation activation, BatchNorm batch_norm = BatchNorm::none) {
  auto options = grouped;
  options.activation = activation;
  options.batch_norm = batch_norm;
  Conv2D<T> layer(options);
  layer.initialize(31);
  Random random(32);
  test::fill_normal(layer.bias(), random);
  return layer;
}

}  // namespace

TEMPLATE_TEST_CASE("The gradients of a convolution equal its differences in integers, on every named problem", "",
                   float, double) {
  for (const auto& problem : test::problems()) {
    INFO(problem);
    Conv2D<TestType> layer(problem.options());
    CHECK(
        gradient_check(layer, Tensor<TestType, 4>(problem.x), {.engine = GradientEngine::integers, .coordinates = 60}));
  }
}

TEST_CASE("The gradients of a dense layer equal its differences in integers") {
  Dense<float> layer({.inputs = 11, .outputs = 7});
  CHECK(gradient_check(layer, Tensor<float, 2>({5, 11}), {.engine = GradientEngine::integers}));
}

TEST_CASE("A convolution passes with every activation") {
  for (int f = 0; f <= static_cast<int>(Activation::gelu); ++f) {
    const auto activation = static_cast<Activation>(f);
    INFO(activation_name(activation));
    auto layer = convolution<double>(activation);
    CHECK(gradient_check(layer, normal_image<double>(image)));
  }
}

TEST_CASE("A convolution over float passes with every smooth activation") {
  for (const auto activation : {Activation::linear, Activation::logistic, Activation::loggy, Activation::tanh,
                                Activation::silu, Activation::gelu}) {
    INFO(activation_name(activation));
    auto layer = convolution<float>(activation);
    CHECK(gradient_check(layer, normal_image<float>(image)));
  }
}

TEST_CASE("A convolution passes with standard batch normalisation, and is seen to fail with the listing's") {
  const auto x = normal_image<double>(image);
  auto standard = convolution<double>(Activation::tanh, BatchNorm::standard);
  CHECK(gradient_check(standard, x));
  auto darknet = convolution<double>(Activation::tanh, BatchNorm::darknet);
  const auto report = gradient_check(darknet, x);
  CHECK(report.verdict() == Verdict::fail);
  REQUIRE(report.tensors.size() == 4);
  CHECK(report.tensors[0].verdict() == Verdict::fail);  // x
  CHECK(report.tensors[1].verdict() == Verdict::fail);  // weights
  CHECK(report.tensors[2].verdict() == Verdict::pass);  // bias and scales do not pass through it
  CHECK(report.tensors[3].verdict() == Verdict::pass);
}

TEST_CASE("The check leaves a normalised convolution's running statistics and velocities as they were") {
  auto layer = convolution<double>(Activation::linear, BatchNorm::standard);
  const auto x = normal_image<double>(image);
  layer.forward(x);
  layer.backward(layer.forward(x));
  layer.update({.learning_rate = 0.1, .momentum = 0.9});
  const auto state = [&] {
    std::vector<double> values;
    layer.visit_state([&](std::string_view, auto view) {
      for (const double value : detail::elements(view)) values.push_back(value);
    });
    return values;
  };
  const auto before = state();
  CHECK(gradient_check(layer, x));
  CHECK(state() == before);
  CHECK_THROWS_AS(layer.backward(Tensor<double, 4>({3, 6, 3, 5})), StateError);
}

TEST_CASE("A whole network passes, each parameter under its name") {
  Sequential network(
      Conv2D<double>({.in_channels = 1, .out_channels = 4, .kernel = {3, 3}, .activation = Activation::relu}),
      MaxPool2D<double>({.kernel = {2, 2}}),
      Residual(Conv2D<double>({.in_channels = 4,
                               .out_channels = 4,
                               .kernel = {3, 3},
                               .padding = {1, 1, 1, 1},
                               .batch_norm = BatchNorm::standard})),
      Flatten<double>(), Dense<double>({.inputs = 80, .outputs = 3}));
  network.initialize(41);
  const auto report = gradient_check(network, normal_image<double>({3, 1, 12, 10}), {.coordinates = 30});
  CHECK(report);
  std::string names;
  for (const auto& tensor : report.tensors) names += tensor.name + " ";
  CHECK(names == "x 0.weights 0.bias 2.main.weights 2.main.bias 2.main.scales 4.weights 4.bias ");
}
