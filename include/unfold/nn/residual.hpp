// SPDX-License-Identifier: MIT
// Residual: a branch of layers beside a shortcut, added; and Identity, the shortcut that does nothing.
// takes x [N, C, H, W] -> gives y = f(main(x) + shortcut(x)).
#pragma once

#include <unfold/core/eigen_map.hpp>
#include <unfold/core/random.hpp>
#include <unfold/nn/activation.hpp>
#include <unfold/nn/layer.hpp>

#include <utility>  // std::move

namespace unfold {

/// y = x, dx = dy: views, nothing is copied.
template <class T>
struct Identity {
  using value_type = T;
  TensorView<const T, 4> forward(TensorView<const T, 4> x, Mode = Mode::training) { return x; }
  void forward(Tensor<T, 4>&& temporary, Mode = Mode::training) = delete;
  TensorView<const T, 4> backward(TensorView<const T, 4> dy, InputGradient = InputGradient::compute) { return dy; }
  void backward(Tensor<T, 4>&& temporary, InputGradient = InputGradient::compute) = delete;
};

/// Two branches over one input, added, then activated.
///
///   z = main(x) + shortcut(x)     y = f(z)
///   dz = dy * f'(z)               dx = dx of main for dz + dx of shortcut for dz
///
/// Shape   x [N, C, H, W]; main and shortcut give one shape, that of y
/// Writes  y and dx live in the layer, until its next call; dx is overwritten, and empty if
///         skipped
/// Errors  ShapeError if the branches' shapes differ or dy is not y's; StateError if backward follows no training
///         forward; those of the branches
/// Source  K. He et al., Deep residual learning, 2015, eq. 1 and 2
template <class Main, class Shortcut = Identity<typename Main::value_type>>
class Residual {
  using T = typename Main::value_type;
  using View = TensorView<const T, 4>;

 public:
  using value_type = T;

  explicit Residual(Main main, Activation activation = Activation::relu)
      : Residual(std::move(main), Shortcut(), activation) {}
  Residual(Main main, Shortcut shortcut, Activation activation = Activation::relu)
      : main_(std::move(main)), shortcut_(std::move(shortcut)), activation_(activation) {
    detail::check_activation<T>("Residual", activation);
  }

  const Tensor<T, 4>& forward(View x, Mode mode = Mode::training) {
    kept_ = false;
    const View a = main_.forward(x, mode), b = shortcut_.forward(x, mode);
    if (a.shape() != b.shape()) {
      detail::fail("Residual::forward", "shortcut must give main's shape " + to_string(a.shape()),
                   to_string(b.shape()));
    }
    y_.reshape_for_overwrite(a.shape());
    y_.array() = a.array() + b.array();
    if (slope_from_input(activation_)) z_ = y_;
    activate(activation_, y_.data(), y_.data(), y_.size());
    kept_ = mode == Mode::training;
    return y_;
  }
  void forward(Tensor<T, 4>&& temporary, Mode = Mode::training) = delete;  // the branches keep a view of x

  const Tensor<T, 4>& backward(View dy, InputGradient input_gradient = InputGradient::compute) {
    if (!kept_) detail::fail_without_forward("Residual::backward");
    if (dy.shape() != y_.shape()) {
      detail::fail("Residual::backward", "dy must be " + to_string(y_.shape()), to_string(dy.shape()));
    }
    dz_.reshape_for_overwrite(y_.shape());
    dz_.array() = dy.array();
    const Tensor<T, 4>& y_or_z = slope_from_input(activation_) ? z_ : y_;
    activation_gradient(activation_, y_or_z.data(), dz_.data(), dz_.data(), dz_.size());
    const View a = main_.backward(dz_, input_gradient), b = shortcut_.backward(dz_, input_gradient);
    const bool wanted = input_gradient == InputGradient::compute;
    dx_.reshape_for_overwrite(wanted ? a.shape() : Shape<4>());
    if (wanted) dx_.array() = a.array() + b.array();
    return dx_;
  }

  /// The branches are given the first and the second number of Random(seed).
  void initialize(std::uint64_t seed) {
    Random random(seed);
    detail::initialize(main_, random.next());
    detail::initialize(shortcut_, random.next());
  }

  void update(const SgdArgs& args) {
    detail::update(main_, args);
    detail::update(shortcut_, args);
  }

  /// Names begin with the branch: "main.0.weights", "shortcut.weights".
  template <class Visit>
  void visit_state(Visit&& visit) {
    detail::visit_state(main_, "main.", visit);
    detail::visit_state(shortcut_, "shortcut.", visit);
  }
  template <class Visit>
  void visit_parameters(Visit&& visit) {
    detail::visit_parameters(main_, "main.", visit);
    detail::visit_parameters(shortcut_, "shortcut.", visit);
  }

  Main& main() { return main_; }
  Shortcut& shortcut() { return shortcut_; }
  const Main& main() const { return main_; }
  const Shortcut& shortcut() const { return shortcut_; }

 private:
  Main main_;
  Shortcut shortcut_;
  Activation activation_;
  Tensor<T, 4> z_, y_, dz_, dx_;  // z only where f's slope needs it
  bool kept_ = false;
};

/// Without a second layer the shortcut is x itself.
template <class Main>
Residual(Main, Activation = Activation::relu) -> Residual<Main>;

}  // namespace unfold
