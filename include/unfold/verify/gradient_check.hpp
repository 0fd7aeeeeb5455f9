// SPDX-License-Identifier: MIT
// gradient_check: holds claimed gradients against central differences, for any layer or function.
// takes a layer and x, or a function, x and its gradient -> gives a GradientReport, true if it passed.
// See docs/06_gradient_checks.md.
#pragma once

#include <unfold/core/random.hpp>
#include <unfold/nn/layer.hpp>
#include <unfold/verify/central_differences.hpp>

#include <concepts>  // std::floating_point, std::invocable

namespace unfold {

namespace detail {

/// Calls f(element) for every element of a view, in row-major order.
template <class T, int Rank, class F>
void for_each_element(const TensorView<T, Rank>& view, F&& f) {
  view.for_each_run([&](T* run, Index n, Index step) {
    for (Index i = 0; i < n; ++i) f(run[i * step]);
  });
}

template <class T, int Rank>
std::vector<std::remove_const_t<T>> elements(const TensorView<T, Rank>& view) {
  std::vector<std::remove_const_t<T>> values;
  for_each_element(view, [&](T& value) { values.push_back(value); });
  return values;
}

template <AnyTensor X>
ReadableView<X> readable(const X& x) {
  return x;
}

/// A number of either sign, at least 1 in magnitude where it is an integer: a weight 0 would hide an output.
inline double draw(Random& random, bool integer) {
  if (!integer) return random.normal();
  const Index n = random.below(8);
  return static_cast<double>(n < 4 ? n - 4 : n - 3);
}

/// One check of several tensors that one function depends on.
template <class T, class Outputs>
class GradientChecker {
 public:
  GradientChecker(Outputs outputs, std::vector<T> weights, const GradientCheckOptions& options)
      : options_(options),
        random_(options.seed),
        differences_(std::move(outputs), std::move(weights), options),
        report_{options.integers ? "integers, step 1" : "central differences", options.seed, {}} {}

  /// Checks `gradient`, the claimed derivatives by the elements of `value`.
  template <int Rank>
  void check(std::string_view name, const TensorView<T, Rank>& value, const std::vector<T>& gradient) {
    require(gradient.size() == static_cast<std::size_t>(value.size()), "gradient_check",
            "the gradient of " + std::string(name) + " must have " + std::to_string(value.size()) + " elements",
            gradient.size());
    TensorReport tensor{std::string(name), {value.shape().begin(), value.shape().end()}, {}};
    Index position = 0, wanted = std::min(options_.coordinates, value.size());
    for_each_element(value, [&](T& q) {
      if (random_.below(value.size() - position) < wanted) {  // so that every choice of `wanted` is equally likely
        tensor.entries.push_back(differences_.judge(q, gradient[static_cast<std::size_t>(position)]));
        tensor.entries.back().position = position;
        --wanted;
      }
      ++position;
    });
    report_.tensors.push_back(std::move(tensor));
  }

  GradientReport report() { return std::move(report_); }

 private:
  GradientCheckOptions options_;
  Random random_;
  CentralDifferences<T, Outputs> differences_;
  GradientReport report_;
};

/// All that a check may change in a layer, its parameters among it, put back at the end.
template <class T, class L>
class KeptState {
 public:
  explicit KeptState(L& layer) : layer_(layer) {
    for_each([&](T& value) { values_.push_back(value); });
  }
  KeptState(const KeptState&) = delete;
  KeptState& operator=(const KeptState&) = delete;
  ~KeptState() {
    auto next = values_.begin();
    for_each([&](T& value) { value = *next++; });
  }

 private:
  template <class F>
  void for_each(F&& f) {
    const auto of_state = [&](std::string_view, auto view) { for_each_element(view, f); };
    const auto of_parameters = [&](std::string_view, auto value, auto) { for_each_element(value, f); };
    visit_state(layer_, "", of_state);
    visit_parameters(layer_, "", of_parameters);
  }

  L& layer_;
  std::vector<T> values_;
};

}  // namespace detail

/// Checks the gradients that a layer's backward gives for its input and for each of its parameters.
///
///   loss = sum c*forward(x), c drawn ;  numeric = d loss / dq by central differences ;  analytic = backward(c)
///   pass: |analytic - numeric| <= truncation + rounding        (integers: analytic == numeric)
///
/// Central differences want a layer over double. Over float they see errors of some percent only, and steps so
/// large meet many kinks, which may look like failures; integers are as sharp there as in double.
///
/// Shape   x [...], as forward takes it
/// Writes  the layer's state is as it was, but its gradients are zero and no input is kept for backward
/// Errors  ShapeError if a gradient has not the size of its tensor; what the layer throws
/// Cost    6 forwards for each checked coordinate, up to 28 near a kink or a steep place; 2 with integers
template <class L, AnyTensor X>
  requires LayerOn<L, ReadableView<X>> && std::floating_point<ValueOf<X>>
GradientReport gradient_check(L& layer, const X& x, const GradientCheckOptions& options = {}) {
  using T = ValueOf<X>;
  Random random(options.seed);
  const auto draw = [&](auto& element) { element = T(detail::draw(random, options.integers)); };
  const detail::KeptState<T, L> kept(layer);
  Tensor point{ReadableView<X>(x)};
  const ReadableView<X> input = point.view();
  if (options.integers) detail::for_each_element(point.view(), draw);
  const auto prepare = [&](std::string_view, auto value, auto gradient) {
    if (options.integers) detail::for_each_element(value, draw);
    gradient.fill(T(0));
  };
  detail::visit_parameters(layer, "", prepare);

  const auto outputs = [&](std::vector<T>& y) {
    y = detail::elements(detail::readable(layer.forward(input, Mode::training)));
  };
  Tensor c{detail::readable(layer.forward(input, Mode::training))};
  detail::for_each_element(c.view(), draw);
  const auto dx = detail::elements(detail::readable(layer.backward(c, InputGradient::compute)));
  detail::GradientChecker checker(outputs, detail::elements(c.view()), options);
  checker.check("x", point.view(), dx);
  const auto check = [&](std::string_view name, auto value, auto gradient) {
    checker.check(name, value, detail::elements(gradient));
    gradient.fill(T(0));
  };
  detail::visit_parameters(layer, "", check);
  layer.forward(input, Mode::inference);  // the layer forgets `point`
  return checker.report();
}

/// Checks `gradient`, claimed to be that of the number f(x) by x. With `integers`, x must hold small ones.
///
/// Shape   x [...], gradient as x
/// Errors  ShapeError if gradient has not the shape of x; what f throws
template <class F, AnyTensor X, AnyTensor G>
  requires std::invocable<F&, ReadableView<X>> && TensorOf<G, ValueOf<X>, X::rank> && std::floating_point<ValueOf<X>>
GradientReport gradient_check(F&& f, const X& x, const G& gradient, const GradientCheckOptions& options = {}) {
  using T = ValueOf<X>;
  detail::require(gradient.shape() == x.shape(), "gradient_check", "gradient must be " + to_string(x.shape()),
                  gradient.shape());
  Tensor point{ReadableView<X>(x)};
  const ReadableView<X> input = point.view();
  const auto outputs = [&](std::vector<T>& y) { y.assign(1, static_cast<T>(f(input))); };
  detail::GradientChecker checker(outputs, std::vector<T>{T(1)}, options);
  checker.check("x", point.view(), detail::elements(ReadableView<G>(gradient)));
  return checker.report();
}

}  // namespace unfold
