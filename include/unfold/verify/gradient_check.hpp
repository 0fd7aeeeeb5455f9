// SPDX-License-Identifier: MIT
// gradient_check: holds claimed gradients against measured ones, for any layer or function, by several engines.
// takes a layer and x, or a function, x and its gradient or backward -> gives a GradientReport, true if it passed.
// See docs/06_gradient_checks.md; why it is one function: docs/decisions/one_gradient_check.md.
#pragma once

#include <unfold/verify/central_differences.hpp>
#include <unfold/verify/directions.hpp>
#include <unfold/verify/gradient_text.hpp>
#include <unfold/verify/infinitesimals.hpp>
#include <unfold/verify/layer_under_check.hpp>

#include <concepts>  // std::floating_point, std::invocable

namespace unfold {

/// F is a function of a tensor X that gives one number.
template <class F, class X>
concept ScalarFunctionOf = requires(F& f, ReadableView<X> x) { static_cast<ValueOf<X>>(f(x)); };

/// F maps a tensor X to a tensor y, and Backward maps x and dy of y's kind to dx.
template <class F, class Backward, class X>
concept FunctionWithBackward = requires(F& f, Backward& backward, ReadableView<X> x) {
  { f(x) } -> AnyTensor;
  { backward(x, ReadableView<std::remove_cvref_t<decltype(f(x))>>(f(x))) } -> AnyTensor;
};

namespace detail {

/// A function and its backward, as a layer without parameters.
template <class F, class Backward, AnyTensor X>
class FunctionLayer {
 public:
  FunctionLayer(F& f, Backward& backward) : f_(f), backward_(backward) {}
  auto forward(ReadableView<X> x, Mode = Mode::training) {
    x_ = x;
    return f_(x);
  }
  template <AnyTensor Y>
  auto backward(const Y& dy, InputGradient = InputGradient::compute) {
    return backward_(x_, readable(dy));
  }

 private:
  F& f_;
  Backward& backward_;
  ReadableView<X> x_;
};

/// A function that gives one number, and its gradient at one x, as a layer.
template <class F, AnyTensor X>
class NumberLayer {
  using T = ValueOf<X>;

 public:
  template <AnyTensor G>
  NumberLayer(F& f, const X& x, const G& gradient) : f_(f), gradient_(ReadableView<G>(gradient)) {
    require(gradient.shape() == x.shape(), "gradient_check", "gradient must be " + to_string(x.shape()),
            gradient.shape());
  }
  Tensor<T, 1> forward(ReadableView<X> x, Mode = Mode::training) { return {Shape<1>(1), static_cast<T>(f_(x))}; }
  Tensor<T, X::rank> backward(TensorView<const T, 1>, InputGradient = InputGradient::compute) { return gradient_; }

 private:
  F& f_;
  Tensor<T, X::rank> gradient_;
};

/// Central differences, or those of step 1 on integers, coordinate by coordinate.
template <class Layer>
void check_by_differences(Layer& layer, const GradientCheckOptions& options, GradientReport& report) {
  using T = typename Layer::T;
  const auto outputs = [&](std::vector<T>& y) { layer.outputs(y); };
  CentralDifferences differences(outputs, layer.weights(), options);
  Random random(options.seed);
  for (const auto& claim : layer.claims()) {
    TensorReport tensor = claim.report(false);
    for_each_chosen(random, claim.size(), options.coordinates, [&](std::size_t j) {
      tensor.entries.push_back(differences.judge(*claim.at[j], claim.gradient[j]));
      tensor.entries.back().position = static_cast<Index>(j);
    });
    report.tensors.push_back(std::move(tensor));
  }
  if (!differences.exact()) {
    const std::string rounded = "y is rounded, as the sums of integers with its coefficients are not exact";
    const std::string reason = differences.linear() ? rounded : "y is not linear in each tensor";
    report.findings.push_back({Verdict::fail, reason + ": take another engine"});
  }
}

/// <J u, c> = <u, J^T c>, or Taylor's remainders, direction by direction.
template <class Layer>
void check_by_directions(Layer& layer, const GradientCheckOptions& options, GradientReport& report) {
  using T = typename Layer::T;
  const auto outputs = [&](std::vector<T>& y) { layer.outputs(y); };
  Random random(options.seed);
  const bool adjoint = options.engine == GradientEngine::adjoint;
  for (auto& claim : layer.claims()) {
    TensorReport tensor = claim.report(true);
    Directions<T, decltype(outputs)> along(claim, outputs, layer.weights(), options);
    for (Index i = 0; i < options.directions && claim.size() > 0; ++i) {
      tensor.entries.push_back(adjoint ? along.adjoint(random) : along.taylor(random));
      tensor.entries.back().position = i;
    }
    report.tensors.push_back(std::move(tensor));
    if (!along.linear()) {
      report.findings.push_back({Verdict::fail, "y is not linear in " + claim.name + ": take another engine"});
    }
  }
}

template <class Layer>
GradientReport checked(Layer& layer, const GradientCheckOptions& options) {
  GradientReport report = layer.report(to_string(options.engine));
  const bool directions = options.engine == GradientEngine::adjoint || options.engine == GradientEngine::taylor;
  directions ? check_by_directions(layer, options, report) : check_by_differences(layer, options, report);
  layer.finish();
  return report;
}

/// Dual numbers or the complex step. `outputs(y)` writes the outputs of the twin, `twins` are its elements for each
/// claim, already at the same point.
template <class S, class Layer, class Outputs>
GradientReport checked_by_twin(Layer& layer, Outputs& outputs, const std::vector<std::vector<S*>>& twins,
                               const GradientCheckOptions& options) {
  using T = typename Layer::T;
  GradientReport report = layer.report(InfinitesimalPart<S>::engine());
  std::vector<S> twins_y;
  std::vector<T> y;
  outputs(twins_y);
  layer.outputs(y);
  const std::vector<Finding> differences_found = compare_outputs(twins_y, y, options.roundings);
  report.findings.insert(report.findings.end(), differences_found.begin(), differences_found.end());
  if (twins_y.size() == y.size()) {
    Random random(options.seed);
    for (std::size_t i = 0; i < twins.size(); ++i) {
      Infinitesimals by_twin(layer.claims()[i], twins[i], outputs, layer.weights(), options);
      report.tensors.push_back(by_twin.check(random));
    }
  }
  layer.finish();
  return report;
}

}  // namespace detail

/// Checks the gradients that a layer's backward gives for its input and for each of its parameters.
///
///   loss = sum c*forward(x), c drawn ;  numeric = d loss / dq, measured ;  analytic = backward(c)
///   pass: |analytic - numeric| <= truncation + rounding        (integers: analytic == numeric)
///
/// Central differences want a layer over double. Over float they see errors of some percent only, and steps so
/// large meet many kinks, which may look like failures; integers are as sharp there as in double, and so is a twin.
///
/// Before that, in three passes forward and backward: whether results repeat, whether gradients of parameters add up
/// (or are overwritten, if !options.accumulates) and outputs are, and whether x, dy and the parameters stay.
///
/// Shape   x [...], as forward takes it
/// Writes  the layer's state is as it was, but its gradients are zero and no input is kept for backward
/// Errors  ShapeError if an option breaks its rule, x or a parameter is not finite, or a gradient has not the size of
///         its tensor; what the layer throws
/// Cost    differences: 6 forwards for each checked coordinate, some 100 at a kink, in noise, or where it fails, and
///         more where q is tiny; integers: 2; adjoint: 4 for each direction; Taylor: up to 24
template <class L, AnyTensor X>
  requires LayerOn<L, ReadableView<X>> && std::floating_point<ValueOf<X>>
GradientReport gradient_check(L& layer, const X& x, const GradientCheckOptions& options = {}) {
  detail::LayerUnderCheck<L, X> under_check(layer, x, options, true);
  return detail::checked(under_check, options);
}

/// The same by a twin: the layer over DualNumber or std::complex, whose scalar is Twin::value_type. Its parameters are
/// set to the layer's. A layer over float may have a twin over double, which then is exact beside it.
///
///   numeric = sum c_i * dy_i/dq of the twin's forward, without truncation ; and y of both must agree
///
/// Errors  ShapeError as above, or if the twin has not the parameters of the layer
/// Cost    one forward of the twin for each checked coordinate
template <class L, AnyTensor X, class Twin, class S = typename std::remove_cvref_t<Twin>::value_type>
  requires LayerOn<L, ReadableView<X>> && std::floating_point<ValueOf<X>> && Infinitesimal<S> &&
           requires(Twin& twin, TensorView<const S, X::rank> x) { twin.forward(x, Mode::training); }
GradientReport gradient_check(L& layer, const X& x, Twin&& twin, const GradientCheckOptions& options = {}) {
  detail::LayerUnderCheck<L, X> under_check(layer, x, options, true);
  Tensor<S, X::rank> point(x.shape());
  std::vector<std::vector<S*>> twins{detail::addresses(point.view())};
  const auto add = [&](std::string_view, auto value, auto) { twins.push_back(detail::addresses(value)); };
  detail::visit_parameters(twin, "", add);
  detail::require(twins.size() == under_check.claims().size(), "gradient_check",
                  "the twin must have " + std::to_string(under_check.claims().size() - 1) + " parameters",
                  twins.size() - 1);
  for (std::size_t i = 0; i < twins.size(); ++i) {
    const auto& claim = under_check.claims()[i];
    detail::require(twins[i].size() == claim.size(), "gradient_check",
                    claim.name + " of the twin must have " + std::to_string(claim.size()) + " elements",
                    twins[i].size());
    for (std::size_t j = 0; j < claim.size(); ++j) *twins[i][j] = S(static_cast<double>(*claim.at[j]));
  }
  const auto outputs = [&](std::vector<S>& y) {
    y = detail::elements(detail::readable(twin.forward(std::as_const(point).view(), Mode::training)));
  };
  return detail::checked_by_twin(under_check, outputs, twins, options);
}

/// Checks backward(x, dy), claimed to be the gradient of sum dy*f(x) by x, dy drawn.
///
/// Shape   x [...] -> f(x) [...], of any rank; backward(x, dy) as x, dy as f(x)
/// Errors  ShapeError if backward's result has not the size of x; what the functions throw
template <class F, class Backward, AnyTensor X>
  requires FunctionWithBackward<F, Backward, X> && std::floating_point<ValueOf<X>>
GradientReport gradient_check(F&& f, Backward&& backward, const X& x, const GradientCheckOptions& options = {}) {
  detail::FunctionLayer<std::remove_reference_t<F>, std::remove_reference_t<Backward>, X> layer(f, backward);
  detail::LayerUnderCheck<decltype(layer), X> under_check(layer, x, options, true);
  return detail::checked(under_check, options);
}

/// Checks `gradient`, claimed to be that of the number f(x) by x. With the engine of integers, x must hold small ones.
///
/// Shape   x [...], gradient as x
/// Errors  ShapeError if gradient has not the shape of x; what f throws
template <class F, AnyTensor X, AnyTensor G>
  requires ScalarFunctionOf<F, X> && TensorOf<G, ValueOf<X>, X::rank> && std::floating_point<ValueOf<X>>
GradientReport gradient_check(F&& f, const X& x, const G& gradient, const GradientCheckOptions& options = {}) {
  detail::NumberLayer<std::remove_reference_t<F>, X> layer(f, x, gradient);
  detail::LayerUnderCheck<decltype(layer), X> under_check(layer, x, options, false);
  return detail::checked(under_check, options);
}

/// The same by f of other numbers: gradient_check<DualNumber>(f, x, gradient), or <std::complex<double>>.
///
/// Cost    one call of f for each checked coordinate
template <Infinitesimal S, class F, AnyTensor X, AnyTensor G>
  requires ScalarFunctionOf<F, X> && TensorOf<G, ValueOf<X>, X::rank> && std::floating_point<ValueOf<X>> &&
           std::invocable<F&, TensorView<const S, X::rank>>
GradientReport gradient_check(F&& f, const X& x, const G& gradient, const GradientCheckOptions& options = {}) {
  detail::NumberLayer<std::remove_reference_t<F>, X> layer(f, x, gradient);
  detail::LayerUnderCheck<decltype(layer), X> under_check(layer, x, options, false);
  Tensor<S, X::rank> point(x.shape());
  const std::vector<std::vector<S*>> twins{detail::addresses(point.view())};
  const auto& at = under_check.claims()[0].at;
  for (std::size_t j = 0; j < at.size(); ++j) *twins[0][j] = S(static_cast<double>(*at[j]));
  const auto outputs = [&](std::vector<S>& y) { y.assign(1, S(f(std::as_const(point).view()))); };
  return detail::checked_by_twin(under_check, outputs, twins, options);
}

}  // namespace unfold
