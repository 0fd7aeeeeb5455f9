// SPDX-License-Identifier: MIT
// What a check sees of a layer's conduct beside its derivatives.
#include <unfold/nn/flatten.hpp>
#include <unfold/nn/residual.hpp>
#include <unfold/verify/gradient_check.hpp>

#include "support/catch.hpp"
#include "support/fill.hpp"

#include <cmath>
#include <functional>
#include <optional>

using namespace unfold;
using Catch::Matchers::Message;

namespace {

/// y = a*x element by element, with hooks at the end of forward and backward.
struct Scaled {
  const Tensor<double, 2>& forward(TensorView<const double, 2> input, Mode = Mode::training) {
    x = input;
    y.reshape_for_overwrite(x.shape());
    const Tensor<double, 2> before = y;
    y.array() = a(0) * x.array();
    if (after_forward) after_forward(*this, before);
    return y;
  }
  const Tensor<double, 2>& backward(TensorView<const double, 2> output_gradient,
                                    InputGradient = InputGradient::compute) {
    dy = output_gradient;
    dx.reshape_for_overwrite(x.shape());
    const Tensor<double, 2> before = dx;
    dx.array() = a(0) * dy.array();
    const double added = (dy.array() * x.array()).sum();
    da(0) = overwrites ? added : da(0) + added;
    if (after_backward) after_backward(*this, before);
    return dx;
  }
  template <class Visit>
  void visit_parameters(Visit&& visit) {
    visit("a", a.view(), da.view());
  }

  Tensor<double, 1> a{Shape<1>(1), 3}, da{Shape<1>(1)};
  TensorView<const double, 2> x, dy;
  Tensor<double, 2> y, dx;
  std::function<void(Scaled&, const Tensor<double, 2>&)> after_forward, after_backward;
  bool overwrites = false;
  double counter = 0;
};

/// The same with a parameter that has no elements.
struct Bare : Scaled {
  template <class Visit>
  void visit_parameters(Visit&& visit) {
    Scaled::visit_parameters(visit);
    visit("none", none.view(), none.view());
  }
  Tensor<double, 1> none{Shape<1>(0)};
};

Tensor<double, 2> normal_matrix() {
  Random random(4);
  Tensor<double, 2> x({2, 5});
  test::fill_normal(x.view(), random);
  return x;
}

using Sentences = std::vector<std::string>;

Sentences found(const GradientReport& report) {
  Sentences texts;
  for (const auto& finding : report.findings) texts.push_back(to_string(finding.verdict) + ": " + finding.text);
  return texts;
}

Sentences found(Scaled& layer, const GradientCheckOptions& options = {}) {
  return found(gradient_check(layer, normal_matrix(), options));
}

void overwrite(const double& number, double value) {
  const_cast<double&>(number) = value;  // NOLINT(cppcoreguidelines-pro-type-const-cast): what a bad layer does
}

void spoil(const double& number) { overwrite(number, number + 1); }

}  // namespace

TEST_CASE("A layer of good conduct passes without a finding") {
  Scaled layer;
  const auto report = gradient_check(layer, normal_matrix());
  CHECK(report);
  CHECK(report.findings.empty());
}

TEST_CASE("A layer that writes to what is not its own is found out") {
  Scaled layer;
  SECTION("x") {
    layer.after_forward = [](Scaled& l, auto&) { spoil(l.x(1, 2)); };
    const auto report = gradient_check(layer, normal_matrix());
    CHECK(report.verdict() == Verdict::nondeterministic);  // since the next call sees another x
    CHECK(found(report).back() == "FAIL: the layer wrote to x");
  }
  SECTION("dy") {
    layer.after_backward = [](Scaled& l, auto&) { spoil(l.dy(0, 3)); };
    CHECK(found(layer).front() == "FAIL: the layer wrote to dy");
  }
  SECTION("a parameter") {
    layer.after_backward = [](Scaled& l, auto&) { l.a(0) += 1; };
    CHECK(found(layer).back() == "FAIL: the layer wrote to a");
  }
  SECTION("x, the same each time") {
    layer.after_forward = [](Scaled& l, auto&) { overwrite(l.x(1, 2), 7); };
    CHECK(found(layer).back() == "FAIL: the layer wrote to x");
  }
  SECTION("a parameter, the same each time") {
    layer.after_forward = [](Scaled& l, auto&) { l.a(0) = 0.25; };
    CHECK(found(layer) == Sentences{"FAIL: the layer wrote to a"});
  }
}

TEST_CASE("A layer that keeps its first input for ever is found out, whatever that input is") {
  for (const double q : {0.5, 0.0}) {
    Scaled layer;
    std::optional<Tensor<double, 2>> first;
    layer.after_backward = [&](Scaled& l, auto&) {
      if (!first) first = Tensor<double, 2>(l.x);
      l.da(0) += (l.dy.array() * (first->array() - l.x.array())).sum();
    };
    CHECK(gradient_check(layer, Tensor<double, 2>({2, 5}, q)).verdict() == Verdict::fail);
  }
}

TEST_CASE("Derivatives are taken at numbers only") {
  Scaled layer;
  layer.a(0) = std::nan("");
  CHECK_THROWS_MATCHES(gradient_check(layer, normal_matrix()), ShapeError,
                       Message("unfold::gradient_check: a must be finite, got nan as element 0"));
  CHECK(std::isnan(layer.a(0)));
  auto x = normal_matrix();
  x(1, 1) = -HUGE_VAL;
  CHECK_THROWS_MATCHES(gradient_check(layer, x), ShapeError,
                       Message("unfold::gradient_check: x must be finite, got -inf as element 6"));
}

TEST_CASE("A parameter without elements has nothing to prove") {
  Bare layer;
  for (const auto engine : {GradientEngine::differences, GradientEngine::adjoint, GradientEngine::integers}) {
    CHECK(gradient_check(layer, normal_matrix(), {.engine = engine}));
  }
}

TEST_CASE("A layer whose results do not repeat is found out, and nothing else is believed") {
  Scaled layer;
  SECTION("y") {
    layer.after_forward = [](Scaled& l, auto&) { l.y(0, 1) += 1e-9 * ++l.counter; };
    CHECK(found(layer) == Sentences{"NON-DETERMINISTIC: the same call gives y other numbers"});
    CHECK(gradient_check(layer, normal_matrix()).verdict() == Verdict::nondeterministic);
  }
  SECTION("dx") {
    layer.after_backward = [](Scaled& l, auto&) { l.dx(0, 1) += 1e-9 * ++l.counter; };
    CHECK(found(layer) == Sentences{"NON-DETERMINISTIC: the same call gives dx other numbers"});
  }
  SECTION("a gradient") {
    layer.after_backward = [](Scaled& l, auto&) { l.da(0) += 1e-9 * ++l.counter; };
    CHECK(found(layer) == Sentences{"NON-DETERMINISTIC: the same call gives the gradient of a other numbers"});
  }
}

TEST_CASE("Outputs that keep what stood there are found out by NaN") {
  Scaled layer;
  SECTION("y") {
    layer.after_forward = [](Scaled& l, auto& before) { l.y(1, 4) += 0 * before(1, 4); };
    CHECK(found(layer) == Sentences{"FAIL: y keeps what stood there: NaN put there before the call came back"});
  }
  SECTION("dx") {
    layer.after_backward = [](Scaled& l, auto& before) { l.dx(1, 4) += 0 * before(1, 4); };
    CHECK(found(layer) == Sentences{"FAIL: dx keeps what stood there: NaN put there before the call came back"});
  }
}

TEST_CASE("Gradients add up over calls, or are overwritten, as the caller says") {
  Scaled layer;
  CHECK(found(layer, {.accumulates = false}) ==
        Sentences{"FAIL: the gradient of a keeps what stood there: NaN put there before the call came back"});
  layer.overwrites = true;
  CHECK(found(layer) == Sentences{"FAIL: a second backward does not add to the gradient of a"});
  CHECK(gradient_check(layer, normal_matrix(), {.accumulates = false}));
}

TEST_CASE("A view of the input as output is not written to") {
  const auto normal = normal_matrix();
  const Tensor<double, 4> x(TensorView<const double, 4>(normal.data(), {2, 1, 5, 1}));
  Identity<double> identity;
  CHECK(gradient_check(identity, x));
  Flatten<double> flatten;
  CHECK(gradient_check(flatten, x));
}

TEST_CASE("A function and its backward are checked like a layer") {
  const auto square = [](TensorView<const double, 2> x) {
    Tensor<double, 2> y(x.shape());
    y.array() = x.array().square();
    return y;
  };
  double two = 2;
  const auto backward = [&](TensorView<const double, 2> x, TensorView<const double, 2> dy) {
    Tensor<double, 2> dx(x.shape());
    dx.array() = two * x.array() * dy.array();
    return dx;
  };
  CHECK(gradient_check(square, backward, normal_matrix()));
  CHECK(gradient_check(square, backward, normal_matrix(), {.engine = GradientEngine::taylor}));
  two = 1;
  const auto report = gradient_check(square, backward, normal_matrix());
  CHECK(report.verdict() == Verdict::convention);
  CHECK(report.tensors.at(0).count(Verdict::fail) == 10);
  int calls = 0;
  const auto noisy = [&](TensorView<const double, 2> x) {
    auto y = square(x);
    y(0, 0) += 1e-6 * ++calls;
    return y;
  };
  CHECK(gradient_check(noisy, backward, normal_matrix()).verdict() == Verdict::nondeterministic);
}
