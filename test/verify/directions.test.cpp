// SPDX-License-Identifier: MIT
#include <unfold/nn/pooling.hpp>
#include <unfold/verify/gradient_check.hpp>

#include "support/catch.hpp"
#include "support/fill.hpp"
#include "support/toy_layer.hpp"

using namespace unfold;
using test::linear_toy;
using test::normal_input;
using test::tanh_toy;
using test::vector;

namespace {

constexpr GradientCheckOptions adjoint{.engine = GradientEngine::adjoint, .directions = 6},
    taylor{.engine = GradientEngine::taylor, .directions = 6};

using Point = TensorView<const double, 1>;

}  // namespace

TEST_CASE("The adjoint engine passes linear layers, and says so where a layer is none") {
  auto toy = linear_toy<double>();
  const auto report = gradient_check(toy, normal_input<double>(), adjoint);
  CHECK(report);
  REQUIRE(report.tensors.size() == 3);
  CHECK(report.tensors[1].entries.size() == 6);
  CHECK(report.worst(1).at(0).index().starts_with("direction "));

  auto curved = tanh_toy<double>();
  const auto refused = gradient_check(curved, normal_input<double>(), adjoint);
  CHECK(refused.verdict() == Verdict::fail);
  REQUIRE(refused.findings.size() == 3);
  CHECK(refused.findings[1].text == "y is not linear in weights: take another engine");

  // |2x| = 2*|x|, so the double of a direction shows nothing: its opposite does.
  using Matrix = TensorView<const double, 2>;
  const auto magnitude = [](Matrix x) {
    Tensor<double, 2> y(x);
    for (Index i = 0; i < y.size(); ++i) y.data()[i] = std::abs(y.data()[i]);
    return y;
  };
  const auto identity = [](Matrix, Matrix dy) { return Tensor<double, 2>(dy); };
  CHECK(gradient_check(magnitude, identity, normal_input<double>(), adjoint).findings.size() == 1);
}

TEST_CASE("On integers a layer that is not linear is told as such") {
  auto toy = tanh_toy<double>();
  const auto report = gradient_check(toy, normal_input<double>(), {.engine = GradientEngine::integers});
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].text == "y is not linear in each tensor: take another engine");
  auto linear = linear_toy<double>();
  CHECK(gradient_check(linear, normal_input<double>(), {.engine = GradientEngine::integers}).findings.empty());
}

TEST_CASE("On integers a mean of nine is linear but rounded, which is told, and of four exact") {
  const Tensor<double, 4> x({2, 3, 6, 6});
  AvgPool2D<double> nine({.kernel = {3, 3}}), four({.kernel = {2, 2}});
  const auto report = gradient_check(nine, x, {.engine = GradientEngine::integers});
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].text ==
        "y is rounded, as the sums of integers with its coefficients are not exact: take another engine");
  CHECK(gradient_check(four, x, {.engine = GradientEngine::integers}));
  CHECK(gradient_check(nine, x, {.engine = GradientEngine::adjoint}));
}

TEST_CASE("Directions in a single element are one coordinate, which makes no convention") {
  Tensor<double, 1> x({1}, 0.75), gradient({1}, 0.3);
  const auto sine = [](TensorView<const double, 1> q) { return std::sin(q(0)); };
  CHECK(gradient_check(sine, x, gradient, {.engine = GradientEngine::taylor}).verdict() == Verdict::fail);
}

TEST_CASE("The adjoint engine takes long sums and their cancellation") {
  Random random(5);
  test::Toy<double> toy(700, 2);
  test::fill_normal(toy.w.view(), random);
  Tensor<double, 2> x({30, 700});
  test::fill_normal(x.view(), random);
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CHECK(gradient_check(toy, x, {.seed = seed, .engine = GradientEngine::adjoint}));
  }
}

TEMPLATE_TEST_CASE("Taylor's remainder of a right gradient falls as the square of the step", "", float, double) {
  auto toy = tanh_toy<TestType>();
  const auto report = gradient_check(toy, normal_input<TestType>(), taylor);
  CHECK(report);
  CHECK_THAT(to_string(report), Catch::Matchers::ContainsSubstring("error/bound  order  verdict"));
  for (const auto& tensor : report.tensors) {
    for (const auto& entry : tensor.entries) {
      CHECK(entry.order > 1.5);
      if (std::is_same_v<TestType, double>) CHECK(entry.order < 2.5);
    }
  }
}

TEST_CASE("Taylor's remainder of a wrong gradient falls as the step") {
  auto toy = tanh_toy<double>();
  toy.plant = [](auto& t) { t.dw(2, 1) += 0.1; };
  const auto wrong = gradient_check(toy, normal_input<double>(), taylor);
  CHECK(wrong.tensors[1].count(Verdict::fail) == 6);
  for (const auto& entry : wrong.tensors[1].entries) {
    CHECK(entry.order > 0.75);
    CHECK(entry.order < 1.25);
  }
}

TEST_CASE("Of a linear function the remainder is nothing but rounding") {
  auto toy = linear_toy<double>();
  const auto report = gradient_check(toy, normal_input<double>(), taylor);
  CHECK(report);
  CHECK(report.tensors[0].entries[0].order == HUGE_VAL);
}

TEST_CASE("Taylor passes right gradients whatever the seed, and sees a millionth") {
  const auto f = [](Point x) { return std::exp(x(0)) * std::sin(x(1)) + x(2) * x(2) * x(2); };
  const auto x = vector({0.3, -1.2, 2.0});
  auto gradient = vector({std::exp(0.3) * std::sin(-1.2), std::exp(0.3) * std::cos(-1.2), 12});
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    CHECK(gradient_check(f, x, gradient, {.seed = seed, .engine = GradientEngine::taylor}));
  }
  gradient(2) *= 1 + 1e-6;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CHECK_FALSE(gradient_check(f, x, gradient, {.seed = seed, .engine = GradientEngine::taylor}));
  }
}

TEST_CASE("Directions have both signs") {
  for (const GradientEngine engine : {GradientEngine::adjoint, GradientEngine::taylor}) {
    const auto report =
        gradient_check([](Point x) { return x(0); }, vector({1}), vector({1}), {.engine = engine, .directions = 20});
    CHECK(report);
    Index above = 0;
    for (const auto& entry : report.tensors.at(0).entries) above += entry.analytic > 0 ? 1 : 0;
    CHECK(above > 4);  // of twenty fair coins fewer than five, or more than fifteen, show in one of eighty seeds
    CHECK(above < 16);
  }
}

TEST_CASE("A slope that is a little wrong is no kink to Taylor where the function is curved") {
  const auto square = [](Point x) { return x(0) * x(0); };
  for (const double wrong : {1e-1, 1e-3, 1e-6}) {
    CHECK(gradient_check(square, vector({1}), vector({2 + wrong}), taylor).tensors[0].count(Verdict::kink) == 0);
  }
}

TEST_CASE("At a kink Taylor's even part falls as the step, and the claim must lie between the slopes") {
  const auto f = [](Point x) { return std::abs(x(0)) + x(1) * x(1); };
  const auto verdict = [&](double claimed) {
    return gradient_check(f, vector({0, 1}), vector({claimed, 2}), taylor).verdict();
  };
  CHECK(verdict(0) == Verdict::kink);
  CHECK(verdict(0.75) == Verdict::kink);
  CHECK(verdict(-1.5) == Verdict::fail);
  CHECK(verdict(std::nan("")) == Verdict::fail);
}

TEST_CASE("Taylor passes beside kinks") {
  for (const double q : {1e-2, 1e-3, 1e-5, 1e-6}) {
    CAPTURE(q);
    const auto f = [](Point x) { return (x(0) > 0 ? x(0) : 0) + x(1) * x(1); };
    CHECK(gradient_check(f, vector({q, 1}), vector({1, 2}), taylor));
    CHECK(gradient_check(f, vector({-q, 1}), vector({0, 2}), taylor));
    CHECK(gradient_check(f, vector({q, 1}), vector({0.9, 2}), taylor).verdict() == Verdict::fail);
  }
}

TEST_CASE("Taylor is not deceived by two steps that agree by chance") {
  // (f(z) - f(-z)) / (2*z) - 1 = b*z^2 + d*z^4 is the same, and not 0, at z = t*u and at 4*t*u, u the direction drawn.
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    const double u = Random(seed).normal(), z = u / 32, d = 10, b = -17 * d * z * z;
    const auto f = [=](TensorView<const float, 1> x) {
      const double q = x(0);
      return static_cast<float>(q + b * q * q * q + d * q * q * q * q * q);
    };
    CHECK(gradient_check(f, Tensor<float, 1>({1}, 0), Tensor<float, 1>({1}, 1),
                         {.seed = seed, .engine = GradientEngine::taylor, .directions = 1}));
  }
}

TEST_CASE("Where no steps agree, their wide bound lets nothing pass Taylor") {
  const auto noisy = [](Point x) { return x(0) + 1e-3 * std::sin(1.2345678e13 * x(0)); };
  for (int i = 0; i < 33; ++i) {
    CHECK(gradient_check(noisy, vector({0.03 * i}), vector({1}), taylor).tensors.at(0).count(Verdict::pass) == 0);
  }
}

TEST_CASE("Directions leave the point as it was, and none is drawn in an empty tensor") {
  auto toy = tanh_toy<double>();
  const Tensor<double, 2> w = toy.w;
  CHECK(gradient_check(toy, normal_input<double>(), taylor));
  CHECK(toy.w == w);
  const auto constant = [](Point) { return 1.0; };
  const Tensor<double, 1> nothing({0});
  CHECK(gradient_check(constant, nothing, nothing, taylor).tensors.at(0).entries.empty());
}
