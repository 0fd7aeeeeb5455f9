// SPDX-License-Identifier: MIT
#include <unfold/verify/gradient_check.hpp>

#include "support/catch.hpp"
#include "support/fill.hpp"

#include <cmath>
#include <vector>

using namespace unfold;
using Catch::Matchers::Message;
using test::vector;

namespace {

using Point = TensorView<const double, 1>;

double relu(double z) { return z > 0 ? z : 0; }

/// The only entry of the check of f at q with f'(q) claimed.
template <class F>
GradientEntry judge(F f, double q, double claimed) {
  const auto report = gradient_check([&](Point x) { return f(x(0)); }, vector({q}), vector({claimed}));
  return report.tensors.at(0).entries.at(0);
}

}  // namespace

TEST_CASE("A function of a tensor passes with its gradient and fails at the wrong entry") {
  const auto f = [](Point x) { return std::exp(x(0)) * std::sin(x(1)) + x(2) * x(2) * x(2); };
  const auto x = vector({0.3, -1.2, 2.0});
  auto gradient = vector({std::exp(0.3) * std::sin(-1.2), std::exp(0.3) * std::cos(-1.2), 12});
  CHECK(gradient_check(f, x, gradient));
  gradient(1) *= 1 + 1e-8;
  const auto report = gradient_check(f, x, gradient);
  CHECK(report.verdict() == Verdict::fail);
  CHECK(report.tensors[0].count(Verdict::fail) == 1);
  CHECK(report.worst(1).at(0).index() == "[1]");
}

TEST_CASE("The step follows the scale of the number and of the function") {
  for (const double q : {1e-30, 1e-3, 1.0, 1e4, 1e15}) {
    CAPTURE(q);
    CHECK(judge([](double z) { return z * z; }, q, 2 * q).verdict == (q < 1e-20 ? Verdict::vacuous : Verdict::pass));
    CHECK(judge([](double z) { return z * z; }, q, 2 * q + std::max(1.0, q) * 1e-6).verdict == Verdict::fail);
  }
  for (const double steep : {1.0, 10.0, 300.0}) {
    CAPTURE(steep);
    const double slope = steep * (1 - std::pow(std::tanh(steep * 0.002), 2));
    CHECK(judge([&](double z) { return std::tanh(steep * z); }, 0.002, slope).verdict == Verdict::pass);
    CHECK(judge([&](double z) { return std::tanh(steep * z); }, 0.002, slope * (1 + 1e-5)).verdict == Verdict::fail);
  }
}

TEST_CASE("The true error stays within the bound, and the bound is not far above it") {
  for (int i = -200; i <= 200; ++i) {
    const double q = 0.01 * i;
    const auto entry =
        judge([](double z) { return std::exp(std::sin(3 * z)); }, q, 3 * std::cos(3 * q) * std::exp(std::sin(3 * q)));
    CAPTURE(q);
    CHECK(entry.verdict == Verdict::pass);
    CHECK(entry.bound() < 1e-7);
  }
}

TEST_CASE("At a kink the claim must lie between the slopes on either side") {
  for (const double claimed : {0.0, 0.3, 0.5, 1.0}) CHECK(judge(relu, 0, claimed).verdict == Verdict::kink);
  for (const double claimed : {-0.001, 1.001, std::nan("")}) CHECK(judge(relu, 0, claimed).verdict == Verdict::fail);
  CHECK(judge([](double z) { return std::abs(z); }, 0, -1).verdict == Verdict::kink);
}

TEST_CASE("Beside a kink the step shrinks until it no longer meets it") {
  for (const double q : {1e-2, 1e-3, 1e-4, 1e-6, 1e-9, 1e-15, 1e-300}) {
    CAPTURE(q);
    CHECK(judge(relu, q, 1).verdict == Verdict::pass);
    CHECK(judge(relu, -q, 0).verdict == Verdict::pass);
    CHECK(judge(relu, q, 1 + 1e-6).verdict == Verdict::fail);
    CHECK(judge(relu, -q, 1).verdict == Verdict::fail);
  }
  const auto beside_one = [](double z) { return relu(z - 1); };
  CHECK(judge(beside_one, 1 + 1e-6, 1).verdict == Verdict::kink);  // met by every quotient but the last slopes
  CHECK(judge(beside_one, 1 + 1e-6, 0).verdict == Verdict::fail);
  CHECK(judge(beside_one, 1 + 1e-9, 1).verdict == Verdict::kink);  // nearer than any step
}

TEST_CASE("Near the edge of a domain the step shrinks until it stays within") {
  for (const double q : {1e-2, 1e-4, 1e-6, 1e-8, 1e-15, 1e-100}) {
    for (const double wrong : {0.0, 1e-6, 0.01}) {
      CAPTURE(q, wrong);
      const Verdict expected = wrong == 0 ? Verdict::pass : Verdict::fail;
      CHECK(judge([](double z) { return std::log(z); }, q, (1 + wrong) / q).verdict == expected);
      CHECK(judge([](double z) { return std::sqrt(z); }, q, (1 + wrong) / (2 * std::sqrt(q))).verdict == expected);
      CHECK(judge([](double z) { return 1 / z; }, q, -(1 + wrong) / (q * q)).verdict == expected);
    }
  }
}

TEST_CASE("A period of a power of two hides no slope") {
  for (double period = 2; period > 1e-4; period /= 2) {
    CAPTURE(period);
    const double k = 2 * std::acos(-1.0) / period;
    const auto wave = [&](double z) { return z + std::sin(k * z) / k; };
    CHECK(judge(wave, 0.3, 1 + std::cos(k * 0.3)).verdict == Verdict::pass);
    CHECK(judge(wave, 0.3, 1).verdict == Verdict::fail);
  }
}

TEST_CASE("Large numbers that cancel inside the function are no error of the claim, and hide none above theirs") {
  const auto softplus = [](double z) { return std::log(1 + std::exp(z)); };
  const auto variance = [](double z) { return (1e6 + z) * (1e6 + z) - 1e12; };
  Random random(1);
  for (int i = 0; i < 100; ++i) {
    const double q = random.normal();
    CAPTURE(q);
    CHECK(judge(variance, q, 2 * (1e6 + q)).verdict == Verdict::pass);
    CHECK(judge(variance, q, 2 * (1e6 + q) * (1 + 1e-5)).verdict == Verdict::fail);
    CHECK(judge(softplus, 3 * q - 6, 1 / (1 + std::exp(6 - 3 * q))).verdict == Verdict::pass);
    CHECK(judge(softplus, 3 * q - 6, (1 + 1e-4) / (1 + std::exp(6 - 3 * q))).verdict == Verdict::fail);
  }
  CHECK(judge(softplus, -30, std::exp(-30)).verdict == Verdict::pass);  // it moves in jumps of 2^-52
  CHECK(judge(softplus, -30, 2 * std::exp(-30)).verdict == Verdict::fail);

  const auto w = vector({1.5, -0.3, 2.25, 0.7});
  for (const double residual : {1e-3, 1e-6, 1e-9}) {  // of a sum that is 4.33
    const auto x = vector({1.1, 0.5, 1.2, 0.187});
    const auto sum = [&](Point q) { return q(0) * w(0) + q(1) * w(1) + q(2) * w(2) + q(3) * w(3); };
    const double target = sum(x) - residual, rest = sum(x) - target;
    const auto square = [&](Point q) { return (sum(q) - target) * (sum(q) - target); };
    auto gradient = vector({2 * rest * w(0), 2 * rest * w(1), 2 * rest * w(2), 2 * rest * w(3)});
    CAPTURE(residual);
    CHECK(gradient_check(square, x, gradient));
    gradient(2) *= -1;
    CHECK(gradient_check(square, x, gradient).verdict() == Verdict::fail);
  }
}

TEST_CASE("Outputs that do not move are rounded too, and a claim that is lost in a bound is not confirmed") {
  const auto logistic = [](double z) { return 1 / (1 + std::exp(-z)); };
  CHECK(judge(logistic, 40, std::exp(-40)).verdict == Verdict::vacuous);
  CHECK(judge(logistic, 40, 1e-9).verdict == Verdict::fail);
  CHECK(judge([](double z) { return 1e14 - z; }, 0.3, -1).verdict == Verdict::vacuous);

  const auto sum = [](Point x) { return x(0) + x(1); };
  const auto report = gradient_check(sum, vector({1e12, 1}), vector({1, -1}));
  CHECK(report.tensors[0].entries[0].verdict == Verdict::pass);
  CHECK(report.tensors[0].entries[1].verdict == Verdict::vacuous);
  CHECK(to_string(report).find("vacuous: x: 1 of 2 entries are smaller than their bound") != std::string::npos);
}

TEST_CASE("A slope that is a little wrong is not taken for a kink where the function is curved") {
  // At the smallest step the one-sided slopes of z*z enclose these claims.
  for (const double wrong : {1e-7, 2e-7, 4e-7}) {
    CHECK(judge([](double z) { return z * z; }, 1, 2 + wrong).verdict == Verdict::fail);
    CHECK(judge([](double z) { return z * z; }, 1, 2 - wrong).verdict == Verdict::fail);
  }
}

TEST_CASE("A jump or a function without a number fails") {
  CHECK(judge([](double z) { return z < 0 ? 0.0 : 1.0; }, 0.0, 0).verdict == Verdict::fail);
  CHECK(judge([](double z) { return std::sqrt(z); }, 0.0, 1).verdict == Verdict::fail);
  CHECK(judge([](double) { return std::nan(""); }, 0.0, 0).verdict == Verdict::fail);
  Random random(2);
  for (int i = 0; i < 100; ++i) {
    const double q = random.normal();
    CHECK(judge([q](double z) { return z < q ? z : z + 1e-3; }, q, 1).verdict == Verdict::fail);
  }
}

TEST_CASE("Where no step makes the quotients agree, their wide bound lets nothing pass") {
  const auto noisy = [](double z) { return z + 1e-3 * std::sin(1.2345678e13 * z); };
  for (int i = 0; i < 33; ++i) CHECK(judge(noisy, 0.03 * i, 1).verdict != Verdict::pass);
}

TEST_CASE("Kinks alone do not pass, and a tensor without slopes was not tested") {
  const auto kinks = gradient_check([](Point x) { return relu(x(0)) + relu(x(1)); }, vector({0, 0}), vector({0, 1}));
  CHECK(kinks.verdict() == Verdict::kink);
  CHECK_FALSE(kinks);
  const auto one = gradient_check([](Point x) { return relu(x(0)) + relu(x(1)); }, vector({0, 2}), vector({0, 1}));
  CHECK(one);
  CHECK(one.tensors[0].count(Verdict::kink) == 1);
  CHECK(gradient_check([](Point) { return 1.0; }, vector({0, 2}), vector({0, 0})).verdict() == Verdict::vacuous);
  CHECK(gradient_check([](Point) { return 1.0; }, Tensor<double, 1>({0}), Tensor<double, 1>({0})).verdict() ==
        Verdict::vacuous);
}

TEST_CASE("Views of any strides are checked, and the caller's tensor is only read") {
  Tensor<double, 2> memory({3, 4}, 0.5);
  const TensorView<const double, 2> x(memory.data(), {2, 3}, {1, 4});
  const auto sum_of_squares = [](TensorView<const double, 2> q) {
    double sum = 0;
    for (Index i = 0; i < 2; ++i) {
      for (Index j = 0; j < 3; ++j) sum += static_cast<double>(i + 2 * j) * q(i, j) * q(i, j);
    }
    return sum;
  };
  Tensor<double, 2> gradient({2, 3});
  for (Index i = 0; i < 2; ++i) {
    for (Index j = 0; j < 3; ++j) gradient(i, j) = static_cast<double>(i + 2 * j);
  }
  CHECK(gradient_check(sum_of_squares, x, gradient));
  CHECK(memory == Tensor<double, 2>({3, 4}, 0.5));
  CHECK_THROWS_MATCHES(gradient_check(sum_of_squares, x, Tensor<double, 2>({3, 2})), ShapeError,
                       Message("unfold::gradient_check: gradient must be [2, 3], got [3, 2]"));
}

TEST_CASE("With integers a product is checked exactly in float") {
  const auto product = [](TensorView<const float, 1> x) { return 5 * x(0) * x(1); };
  Tensor<float, 1> x({2}), gradient({2});
  x(0) = 3, x(1) = -4;
  gradient(0) = -20, gradient(1) = 15;
  CHECK(gradient_check(product, x, gradient, {.engine = GradientEngine::integers}));
  gradient(1) = std::nextafter(15.0f, 16.0f);
  CHECK_FALSE(gradient_check(product, x, gradient, {.engine = GradientEngine::integers}));
}
