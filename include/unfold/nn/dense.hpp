// SPDX-License-Identifier: MIT
// Dense<T>: every output a weighted sum of all inputs, plus a bias, and an activation.
// takes x [N, IC] -> gives y [N, OC]; takes dy -> gives dx and the parameters' gradients.
#pragma once

#include <unfold/nn/conv2d.hpp>

namespace unfold {

/// A dense layer. Use designated initialisers: DenseOptions{.inputs = 800, .outputs = 500}
struct DenseOptions {
  Index inputs, outputs;
  bool bias = true;
  Activation activation = Activation::linear;
};

namespace detail {

/// [N, C] as N images of C channels and one pixel.
template <class T>
TensorView<T, 4> as_images(const TensorView<T, 2>& x) {
  return {x.data(), Shape<4>{x.shape(0), x.shape(1), 1, 1}, Shape<4>{x.stride(0), x.stride(1), 1, 1}};
}

/// [OC, IC] as filters of one tap a channel.
template <class T>
TensorView<T, 4> as_filters(Tensor<T, 2>& w) {
  return {w.data(), Shape<4>{w.shape(0), w.shape(1), 1, 1}};
}

}  // namespace detail

/// A fully connected layer: the 1x1 convolution of images of one pixel.
///
///   forward    y  = f(x * W^T + b)
///   backward   dz = dy * f'(...)      db += column sums of dz      dW += dz^T * x      dx = dz * W
///
/// Shape   x [N, IC], N >= 1, weights [OC, IC], bias [OC]  ->  y [N, OC]
/// Writes  as Conv2D: y and dx live in the layer until its next call, parameter gradients are summed until
///         `update`, and a view of x is kept for backward
/// Errors  ShapeError for a wrong option, shape or argument, StateError for a wrong order of calls; in both
///         cases nothing is changed
/// Cost    N*OC*IC multiply-adds forward, twice that backward; nothing is allocated after the first call with a shape
template <class T>
class Dense {
 public:
  using value_type = T;

  /// Parameters are zero until initialize().
  /// Errors  ShapeError if an option breaks its rule, or T has not the activation
  explicit Dense(const DenseOptions& options)
      : options_(options), weights_(weight_shape(options)), bias_(Shape<1>(options.bias ? options.outputs : 0)) {}

  /// Starts anew: weights ~ sqrt(2 / IC) * N(0, 1), all else zero.
  void initialize(std::uint64_t seed) {
    Dense fresh(options_);
    fresh.learning_rate_scale = learning_rate_scale;
    detail::draw_weights(fresh.weights_.value, seed);
    *this = fresh;  // into the memory that there is: views of the parameters stay
  }

  const Tensor<T, 2>& forward(TensorView<const T, 2> x, Mode mode = Mode::training) {
    if (x.shape(0) < 1 || x.shape(1) != options_.inputs) {
      detail::fail("Dense::forward", "x must be [N, " + std::to_string(options_.inputs) + "] with N >= 1",
                   to_string(x.shape()));
    }
    x_.forget();
    y_.reshape_for_overwrite({x.shape(0), options_.outputs});
    conv2d_forward(detail::as_images(x), detail::as_filters(weights_.value), convolution(),
                   detail::as_images(y_.view()));
    const bool keeps_z = slope_from_input(options_.activation) && mode == Mode::training;
    if (keeps_z) z_.reshape_for_overwrite(y_.shape());
    detail::activate_channels<T>(options_.activation, bias_.value, detail::as_images(y_.view()),
                                 keeps_z ? z_.data() : nullptr);
    if (mode == Mode::training) x_.keep(x);
    return y_;
  }
  const Tensor<T, 2>& forward(Tensor<T, 2>&& temporary, Mode = Mode::training) = delete;
  const Tensor<T, 2>& forward(const Tensor<T, 2>&& temporary, Mode = Mode::training) = delete;

  /// dx is empty if skipped.
  const Tensor<T, 2>& backward(TensorView<const T, 2> dy, InputGradient input_gradient = InputGradient::compute) {
    const TensorView<const T, 2>& x = x_.get("Dense::backward");
    detail::check_shape("Dense::backward", "dy", y_.shape(), dy.shape());
    weights_.begin_gradient();
    bias_.begin_gradient();

    const Tensor<T, 2>& at = slope_from_input(options_.activation) ? z_ : y_;
    const TensorView<const T, 4> dz =
        detail::channel_gradients<T>(options_.activation, at.data(), detail::as_images(dy), bias_.gradient, dz_);
    conv2d_backward_weights(detail::as_images(x), dz, convolution(), detail::as_filters(weights_.gradient), T(1));
    const bool wanted = input_gradient == InputGradient::compute;
    dx_.reshape_for_overwrite(wanted ? x.shape() : Shape<2>());
    if (wanted)
      conv2d_backward_input(dz, detail::as_filters(weights_.value), convolution(), detail::as_images(dx_.view()));
    return dx_;
  }

  /// Errors  ShapeError if an argument breaks its rule
  void update(const SgdArgs& args) {
    check_sgd_args("Dense::update", args);
    sgd_step(weights_, args, learning_rate_scale);
    sgd_step(bias_, args, learning_rate_scale, WeightDecay::skip);
  }

  /// [OC, IC]; [OC], or [0] without a bias.
  TensorView<T, 2> weights() { return weights_.value; }
  TensorView<T, 1> bias() { return bias_.value; }
  TensorView<const T, 2> weights() const { return weights_.value; }
  TensorView<const T, 1> bias() const { return bias_.value; }
  TensorView<T, 2> weight_gradient() { return weights_.gradient; }
  TensorView<T, 1> bias_gradient() { return bias_.gradient; }
  TensorView<const T, 2> weight_gradient() const { return weights_.gradient; }
  TensorView<const T, 1> bias_gradient() const { return bias_.gradient; }

  const DenseOptions& options() const { return options_; }

  template <class Visit>
  void visit_state(Visit&& visit) {
    visit("weights", weights_.value.view());
    visit("weights.velocity", weights_.velocity.view());
    if (options_.bias) {
      visit("bias", bias_.value.view());
      visit("bias.velocity", bias_.velocity.view());
    }
  }
  template <class Visit>
  void visit_parameters(Visit&& visit) {
    visit("weights", weights(), weight_gradient());
    if (options_.bias) visit("bias", bias(), bias_gradient());
  }

  /// This layer's factor on every learning rate.
  double learning_rate_scale = 1;  // NOLINT(misc-non-private-member-variables-in-classes): any number is right

 private:
  static Shape<2> weight_shape(const DenseOptions& options) {
    detail::require(options.inputs >= 1, "Dense", "inputs must be >= 1", options.inputs);
    detail::require(options.outputs >= 1, "Dense", "outputs must be >= 1", options.outputs);
    detail::check_activation<T>("Dense", options.activation);
    return {options.outputs, options.inputs};
  }

  Conv2DOptions convolution() const { return {.in_channels = options_.inputs, .out_channels = options_.outputs}; }

  DenseOptions options_;
  Parameter<T, 2> weights_;  // [OC, IC]
  Parameter<T, 1> bias_;     // [OC], or [0]
  KeptView<T, 2> x_;         // [N, IC]
  Tensor<T, 2> z_, y_;       // [N, OC]; z, before the activation, only where its slope needs it
  Tensor<T, 4> dz_;          // [N, OC, 1, 1]
  Tensor<T, 2> dx_;          // [N, IC]
};

}  // namespace unfold
