// SPDX-License-Identifier: MIT
#include <unfold/nn/conv2d.hpp>
#include <unfold/nn/dense.hpp>
#include <unfold/nn/flatten.hpp>
#include <unfold/nn/loss.hpp>
#include <unfold/nn/pooling.hpp>
#include <unfold/nn/sequential.hpp>
#include <unfold/verify/gradient_check.hpp>

#include "support/catch.hpp"
#include "support/fill.hpp"

using namespace unfold;
using Catch::Matchers::Message;
using test::vector;
using Complex = std::complex<double>;

namespace {

/// Of any scalar.
constexpr auto smooth = [](auto x) {
  using std::exp, std::sin;
  return exp(x(0)) * sin(x(1)) + x(2) * x(2) * x(2);
};
const auto point = vector({0.3, -1.2, 2.0});
const auto slopes = vector({std::exp(0.3) * std::sin(-1.2), std::exp(0.3) * std::cos(-1.2), 12});

constexpr Conv2DOptions conv{.in_channels = 2,
                             .out_channels = 3,
                             .kernel = {3, 2},
                             .stride = {2, 1},
                             .padding = {1, 0, 0, 1},
                             .activation = Activation::tanh};

Tensor<double, 4> normal_image() {
  Random random(21);
  Tensor<double, 4> x({3, 2, 6, 5});
  test::fill_normal(x.view(), random);
  return x;
}

template <class T>
auto network() {
  auto normalized = conv;
  normalized.batch_norm = BatchNorm::standard;
  return Sequential(Conv2D<T>(normalized),
                    Conv2D<T>({.in_channels = 3, .out_channels = 2, .kernel = {2, 2}, .activation = Activation::silu}),
                    AvgPool2D<T>({.kernel = {2, 2}}), Flatten<T>(), Dense<T>({.inputs = 4, .outputs = 3}));
}

}  // namespace

TEST_CASE("A function of any scalar is checked to all digits by dual numbers and by the complex step") {
  const auto check = [](const Tensor<double, 1>& gradient) {
    return std::vector{gradient_check<DualNumber>(smooth, point, gradient),
                       gradient_check<Complex>(smooth, point, gradient)};
  };
  for (const auto& report : check(slopes)) {
    CHECK(report);
    for (const auto& entry : report.tensors.at(0).entries) {
      CHECK(entry.bound() < 1e-13);
      CHECK(entry.truncation == 0);
    }
  }
  CHECK(check(slopes)[0].engine == "dual numbers");
  CHECK(check(slopes)[1].engine == "complex step");
  for (Index j = 0; j < 3; ++j) {
    auto wrong = slopes;
    wrong(j) *= 1 + 1e-12 * 12 / std::abs(wrong(j));  // 1e-12 of the largest
    for (const auto& report : check(wrong)) {
      CHECK(report.verdict() == Verdict::fail);
      CHECK(report.worst(1).at(0).entry->position == j);
    }
  }
}

TEST_CASE("The complex step is exact for numbers and slopes of any size") {
  for (const double q : {1e-30, 1e-3, 1.0, 1e15, 1e60}) {
    CAPTURE(q);
    const auto cube = [](auto x) { return x(0) * x(0) * x(0); };
    CHECK(gradient_check<Complex>(cube, vector({q}), vector({3 * q * q})));
    CHECK_FALSE(gradient_check<Complex>(cube, vector({q}), vector({3 * q * q * (1 + 1e-13)})));
    CHECK(gradient_check<DualNumber>(cube, vector({q}), vector({3 * q * q})));
  }
  const auto inverse = [](auto x) { return 1.0 / x(0); };
  CHECK(gradient_check<Complex>(inverse, vector({1e-8}), vector({-1e16})));
}

TEST_CASE("A network passes beside its twins, of dual and of complex numbers") {
  auto layer = network<double>();
  layer.initialize(41);
  const auto x = normal_image();
  for (const auto& report :
       {gradient_check(layer, x, network<DualNumber>()), gradient_check(layer, x, network<Complex>())}) {
    CHECK(report);
    REQUIRE(report.tensors.size() == 8);
    CHECK(report.tensors[1].name == "0.weights");
    CHECK(report.tensors[1].entries.size() == 36);
    for (const auto& tensor : report.tensors) CHECK(tensor.worst_excess() < 0.5);
  }
}

TEST_CASE("The twin is given the layer's parameters, whatever its own were") {
  Conv2D<double> layer(conv);
  layer.initialize(3);
  Conv2D<DualNumber> twin(conv);
  twin.initialize(4);
  CHECK(gradient_check(layer, normal_image(), twin));
  CHECK(twin.weights()(1, 0, 2, 1).value() == layer.weights()(1, 0, 2, 1));
}

TEST_CASE("A twin that computes something else is told, and a claim beside it not believed") {
  Conv2D<double> layer(conv);
  layer.initialize(3);
  auto other = conv;
  other.padding = {0, 1, 1, 0};
  const auto report = gradient_check(layer, normal_image(), Conv2D<DualNumber>(other));
  CHECK(report.verdict() == Verdict::fail);
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].text.starts_with("the twin gives "));
  CHECK(detail::compare_outputs(std::vector{DualNumber(2e-9)}, std::vector{1e-9}, 32).at(0).text ==
        "the twin gives 2e-09 as element 0 of y, the layer 1e-09");
  other.padding = {1, 3, 0, 1};
  const auto larger = gradient_check(layer, normal_image(), Conv2D<DualNumber>(other));
  CHECK(larger.verdict() == Verdict::fail);
  CHECK(larger.findings.at(0).text == "the twin gives 180 outputs for 135");
}

TEST_CASE("A twin without the layer's parameters is refused") {
  Conv2D<double> layer(conv);
  auto other = conv;
  other.bias = false;
  CHECK_THROWS_MATCHES(gradient_check(layer, normal_image(), Conv2D<DualNumber>(other)), ShapeError,
                       Message("unfold::gradient_check: the twin must have 2 parameters, got 1"));
  other = conv;
  other.out_channels = 4;
  CHECK_THROWS_MATCHES(gradient_check(layer, normal_image(), Conv2D<DualNumber>(other)), ShapeError,
                       Message("unfold::gradient_check: weights of the twin must have 36 elements, got 48"));
}

TEST_CASE("At a kink a twin takes one branch, and the slopes on both sides decide") {
  const auto relu = [](auto x) {
    using T = typename decltype(x)::value_type;
    return x(0) > T(0) ? T(x(0)) : T(0);
  };
  const auto verdict = [&](double q, double claimed) {
    return gradient_check<DualNumber>(relu, vector({q}), vector({claimed})).tensors[0].verdict();
  };
  CHECK(verdict(2, 1) == Verdict::pass);
  CHECK(verdict(0, 0.5) == Verdict::kink);
  CHECK(verdict(0, 1.5) == Verdict::fail);
}

TEST_CASE("Dual numbers run backward give the product of a Hessian and a vector") {
  // The gradient of 1/2*|y|^2 by the weights, moved along a direction v, against its differences.
  Conv2D<double> layer(conv);
  layer.initialize(3);
  const auto x = normal_image();
  Tensor<double, 4> v(layer.weights().shape());
  Random random(9);
  test::fill_normal(v.view(), random);

  Conv2D<DualNumber> dual(conv);
  for (Index i = 0; i < v.size(); ++i) {
    dual.weights().data()[i] = DualNumber(layer.weights().data()[i], Eigen::Matrix<double, 1, 1>(v.data()[i]));
  }
  const auto dual_x = test::converted<DualNumber>(x);
  dual.backward(dual.forward(dual_x));
  Tensor<double, 4> hessian_v(v.shape());
  for (Index i = 0; i < v.size(); ++i) hessian_v.data()[i] = dual.weight_gradient().data()[i].derivatives()(0);

  // <dL/dw, v> is a function of w with the gradient H*v.
  const auto slope_along_v = [&](TensorView<const double, 4> w) {
    Conv2D<double> moved(conv);
    moved.weights().array() = w.array();
    moved.backward(moved.forward(x));
    return (moved.weight_gradient().array() * v.array()).sum();
  };
  CHECK(gradient_check(slope_along_v, layer.weights(), hessian_v));
  hessian_v(1, 1, 2, 0) *= 1 + 1e-6;
  CHECK(gradient_check(slope_along_v, layer.weights(), hessian_v).tensors[0].count(Verdict::fail) == 1);
}
