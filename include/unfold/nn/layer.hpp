// SPDX-License-Identifier: MIT
// What a layer is: a concept, no base class; and KeptView, what a layer remembers of its input.
//   y  = layer.forward(x, mode)      lives in the layer, or is a view, valid until the layer's next call
//   dx = layer.backward(dy, ...)     has x's shape, likewise; overwritten by each call
// See docs/decisions/network_is_a_tuple.md.
#pragma once

#include <unfold/core/conv2d_options.hpp>
#include <unfold/core/tensor.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>  // std::exchange, std::move

namespace unfold {

/// A Tensor or TensorView of any rank.
template <class X>
concept AnyTensor = requires { typename ReadableView<X>; };

struct SgdArgs;  // nn/sgd.hpp

/// L is a layer for inputs X: it maps x to a tensor y, and a gradient dy of y's kind back to dx.
///
/// A layer that has parameters or running statistics also has
///   initialize(seed)           draws the parameters
///   update(SgdArgs)            one step of gradient descent
///   visit_state(visit)         visit(name, view) for all that a checkpoint holds: parameters, velocities, statistics
///   visit_parameters(visit)    visit(name, value view, gradient view)
/// and a container of layers calls these of the layers that have them.
template <class L, class X>
concept LayerOn = requires(L& layer, const X& x, Mode mode, InputGradient input_gradient) {
  { layer.forward(x, mode) } -> AnyTensor;
  { layer.backward(layer.forward(x, mode), input_gradient) } -> AnyTensor;
};

namespace detail {

/// Throws the StateError of a backward that follows no training forward.
[[noreturn]] inline void fail_without_forward(std::string_view function) {
  std::string message = "unfold::";
  throw StateError(message.append(function).append(": call forward in training mode first"));
}

/// What a training forward has kept for backward.
/// Errors  StateError if it has kept nothing
template <class Kept>
const Kept& after_forward(const std::optional<Kept>& kept, std::string_view function) {
  if (!kept) fail_without_forward(function);
  return *kept;
}

struct VisitsAnything {
  void operator()(auto&&...) const {}
};

template <class Layer>
void initialize(Layer& layer, std::uint64_t seed) {
  if constexpr (requires { layer.initialize(seed); }) layer.initialize(seed);
}

template <class Layer>
void update(Layer& layer, const SgdArgs& args) {
  if constexpr (requires { layer.update(args); }) layer.update(args);
}

/// The visitor that passes everything on to `visit`, the name after a prefix: "3." + "weights".
template <class Visit>
auto with_prefix(std::string prefix, Visit& visit) {
  return [prefix = std::move(prefix), &visit](std::string_view name, const auto&... views) {
    visit(std::string_view(prefix + std::string(name)), views...);
  };
}

template <class Layer, class Visit>
void visit_state(Layer& layer, const std::string& prefix, Visit& visit) {
  if constexpr (requires { layer.visit_state(VisitsAnything()); }) layer.visit_state(with_prefix(prefix, visit));
}

template <class Layer, class Visit>
void visit_parameters(Layer& layer, const std::string& prefix, Visit& visit) {
  if constexpr (requires { layer.visit_parameters(VisitsAnything()); }) {
    layer.visit_parameters(with_prefix(prefix, visit));
  }
}

}  // namespace detail

/// The view of somebody else's tensor that a layer keeps from forward for backward.
///
/// Writes  a copy keeps nothing: in a copied network the view would show a tensor of the old one. A move takes
///         the view along: moving a tensor does not move its elements
template <class T, int Rank>
class KeptView {
 public:
  KeptView() = default;
  KeptView(const KeptView&) {}
  KeptView& operator=(const KeptView&) {
    forget();
    return *this;
  }
  KeptView(KeptView&& other) noexcept : view_(std::exchange(other.view_, std::nullopt)) {}
  KeptView& operator=(KeptView&& other) noexcept {
    view_ = std::exchange(other.view_, std::nullopt);
    return *this;
  }
  ~KeptView() = default;

  void keep(TensorView<const T, Rank> view) { view_ = view; }
  void forget() { view_.reset(); }
  bool kept() const { return view_.has_value(); }

  /// The view. `function` names the caller, e.g. "Conv2D::backward".
  /// Errors  StateError if none is kept: forward was not called, or in inference mode, or the layer is a copy
  const TensorView<const T, Rank>& get(std::string_view function) const {
    return detail::after_forward(view_, function);
  }

 private:
  std::optional<TensorView<const T, Rank>> view_;
};

}  // namespace unfold
