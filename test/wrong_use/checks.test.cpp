// SPDX-License-Identifier: MIT
#include "wrong_use/wrong_call.hpp"

#include <unfold/verify/gradient_check.hpp>

#include <complex>

using namespace unfold;
using test::infinite;

namespace {

/// y = w * x for each element, with a backward that can be made to give a dx of another size.
template <class T>
struct Scale {
  using value_type = T;
  explicit Scale(Index n) : w({n}, T(2)), dw({n}, T(3)) {}

  const Tensor<T, 1>& forward(TensorView<const T, 1> x, Mode = Mode::training) {
    y.reshape_for_overwrite(x.shape());
    for (Index i = 0; i < x.size(); ++i) y(i) = w(0) * x(i);
    return y;
  }
  const Tensor<T, 1>& backward(TensorView<const T, 1> dy, InputGradient = InputGradient::compute) {
    dx = Tensor<T, 1>({dy.size() + surplus});
    for (Index i = 0; i < dy.size(); ++i) dx(i) = w(0) * dy(i);
    return dx;
  }
  template <class Visit>
  void visit_parameters(Visit&& visit) {
    visit("weights", w.view(), gradient.size() == 0 ? dw.view() : gradient.view());
  }

  Tensor<T, 1> w, dw, gradient, y, dx;
  Index surplus = 0;
};

struct Checks {
  Tensor<double, 1> x{{2}, 3.0}, one{{1}, 1.0}, gradient{{2}, 1.0};
  Scale<double> layer{1}, spare{1}, longer{1}, uneven{1};
  Scale<std::complex<double>> twin{1}, wide_twin{2};

  Checks() {
    longer.surplus = 1;
    uneven.gradient = Tensor<double, 1>({2}, 3.0);
  }
  std::vector<float> bits() const {
    std::vector<float> bits;
    for (const auto* tensor : {&x, &one, &gradient, &layer.w, &layer.dw, &spare.w, &longer.w, &uneven.w}) {
      test::append(bits, *tensor);
    }
    return bits;
  }
  void step() { layer.forward(x); }
};

constexpr auto sum = [](TensorView<const double, 1> x) { return x(0) + x(1); };
constexpr auto twice = [](TensorView<const double, 1> x) {
  Tensor<double, 1> y(x);
  y(0) *= 2, y(1) *= 2;
  return y;
};
constexpr auto too_short = [](TensorView<const double, 1>, TensorView<const double, 1>) {
  return Tensor<double, 1>({1});
};

const test::WrongCalls<Checks> check_calls{
    {"unfold::gradient_check: coordinates must be >= 1, got 0",
     [](auto& s) { gradient_check(s.layer, s.x, {.coordinates = 0}); }},
    {"unfold::gradient_check: coordinates must be >= 1, got -5",
     [](auto& s) { gradient_check(s.layer, s.x, {.coordinates = -5}); }},
    {"unfold::gradient_check: directions must be >= 1, got 0",
     [](auto& s) { gradient_check(s.layer, s.x, {.engine = GradientEngine::adjoint, .directions = 0}); }},
    {"unfold::gradient_check: directions must be >= 1, got -1",
     [](auto& s) { gradient_check(s.layer, s.x, {.engine = GradientEngine::taylor, .directions = -1}); }},
    {"unfold::gradient_check: roundings must be finite and >= 0, got inf",
     [](auto& s) { gradient_check(s.layer, s.x, {.roundings = infinite}); }},
    {"unfold::gradient_check: roundings must be finite and >= 0, got -1.000000",
     [](auto& s) { gradient_check(s.layer, s.x, {.roundings = -1}); }},
    {"unfold::gradient_check: roundings must be finite and >= 0, got nan",
     [](auto& s) { gradient_check(s.layer, s.x, {.roundings = std::numeric_limits<double>::quiet_NaN()}); }},
    {"unfold::gradient_check: coordinates must be >= 1, got 0",
     [](auto& s) { gradient_check(sum, s.x, s.gradient, {.coordinates = 0}); }},
    {"unfold::gradient_check: gradient must be [2], got [1]", [](auto& s) { gradient_check(sum, s.x, s.one); }},
    {"unfold::gradient_check: the gradient of x must have 2 elements, got 1",
     [](auto& s) { gradient_check(twice, too_short, s.x); }},
};

/// A wrong layer or twin is found when the check has begun, and the gradients have been set to zero.
const test::WrongCalls<Checks> calls_of_wrong_layers{
    {"unfold::gradient_check: weights of the twin must have 1 elements, got 2",
     [](auto& s) { gradient_check(s.spare, s.x, s.wide_twin); }},
    {"unfold::gradient_check: the gradient of x must have 2 elements, got 3",
     [](auto& s) { gradient_check(s.longer, s.x); }},
    {"unfold::gradient_check: the gradient of weights must have 1 elements, got 2",
     [](auto& s) { gradient_check(s.uneven, s.x); }},
};

}  // namespace

TEST_CASE("A wrong call of a gradient check says what is wrong and changes no parameter") {
  check_calls.check();
  calls_of_wrong_layers.check();
}
