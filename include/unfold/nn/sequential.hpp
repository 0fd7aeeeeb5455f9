// SPDX-License-Identifier: MIT
// Sequential: layers one after another, owned as a tuple. Itself a layer, so that it nests.
// takes x -> gives y of the last layer; takes dy -> gives dx of the first.
// See docs/decisions/network_is_a_tuple.md.
#pragma once

#include <unfold/core/random.hpp>
#include <unfold/nn/layer.hpp>

#include <tuple>

namespace unfold {

namespace detail {

template <class X, class First, class... Rest>
consteval bool chain_on() {
  if constexpr (!LayerOn<First, X>) {
    return false;
  } else if constexpr (sizeof...(Rest) > 0) {
    using Y = decltype(std::declval<First&>().forward(std::declval<const X&>(), Mode::training));
    return chain_on<std::remove_cvref_t<Y>, Rest...>();
  } else {
    return true;
  }
}

}  // namespace detail

/// Layers that fit one another: the first takes an X, each next one what the one before it gives.
template <class X, class... Layers>
concept LayersOn = detail::chain_on<X, Layers...>();

/// The composition of layers, as a value:
///
///   Sequential net(Conv2D<float>({...}), MaxPool2D<float>({.kernel = {2, 2}}), Flatten<float>(), Dense<float>(...));
///
/// Writes  y and dx belong to the last and the first layer, until the next call. A copy is independent: it must see a
///         forward of its own before backward. A move takes everything along
/// Errors  those of the layers, from the layer that found them: the layers before it have moved on then
template <class... Layers>
  requires(sizeof...(Layers) >= 1)
class Sequential {
 public:
  using value_type = typename std::tuple_element_t<0, std::tuple<Layers...>>::value_type;

  explicit Sequential(Layers... layers) : layers_(std::move(layers)...) {}

  template <class X>
    requires LayersOn<X, Layers...>
  decltype(auto) forward(const X& x, Mode mode = Mode::training) {
    return forward_from<0>(x, mode);
  }
  template <class T, int Rank>
  void forward(Tensor<T, Rank>&& temporary, Mode = Mode::training) = delete;  // the first layer keeps a view of x

  /// `input_gradient` is for the first layer; all others must compute theirs.
  template <AnyTensor Y>
  decltype(auto) backward(const Y& dy, InputGradient input_gradient = InputGradient::compute) {
    return backward_from<last>(dy, input_gradient);
  }

  /// Layer i is given the i-th number of Random(seed), whether it has parameters or not.
  void initialize(std::uint64_t seed) {
    Random random(seed);
    for_each([&](std::size_t, auto& layer) { detail::initialize(layer, random.next()); });
  }

  void update(const SgdArgs& args) {
    for_each([&](std::size_t, auto& layer) { detail::update(layer, args); });
  }

  /// Names begin with the layer's place: "0.weights", and nested "3.0.weights".
  template <class Visit>
  void visit_state(Visit&& visit) {
    for_each([&](std::size_t i, auto& layer) { detail::visit_state(layer, std::to_string(i) + ".", visit); });
  }
  template <class Visit>
  void visit_parameters(Visit&& visit) {
    for_each([&](std::size_t i, auto& layer) { detail::visit_parameters(layer, std::to_string(i) + ".", visit); });
  }

  /// The layer at place I.
  template <std::size_t I>
  auto& layer() {
    return std::get<I>(layers_);
  }
  template <std::size_t I>
  const auto& layer() const {
    return std::get<I>(layers_);
  }

 private:
  static constexpr std::size_t last = sizeof...(Layers) - 1;

  template <std::size_t I, class X>
  decltype(auto) forward_from(const X& x, Mode mode) {
    if constexpr (I == last) {
      return std::get<I>(layers_).forward(x, mode);
    } else {
      return forward_from<I + 1>(std::get<I>(layers_).forward(x, mode), mode);
    }
  }

  template <std::size_t I, class Y>
  decltype(auto) backward_from(const Y& dy, InputGradient input_gradient) {
    if constexpr (I == 0) {
      return std::get<0>(layers_).backward(dy, input_gradient);
    } else {
      return backward_from<I - 1>(std::get<I>(layers_).backward(dy, InputGradient::compute), input_gradient);
    }
  }

  /// f(i, layer) for each layer in order.
  template <class F>
  void for_each(const F& f) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (f(I, std::get<I>(layers_)), ...);
    }(std::index_sequence_for<Layers...>());
  }

  std::tuple<Layers...> layers_;
};

}  // namespace unfold
