// SPDX-License-Identifier: MIT
// Conv2D<T>: a trainable convolution, with bias or batch normalisation, and an activation.
// takes x [N, IC, IH, IW] -> gives y [N, OC, OH, OW]; takes dy -> gives dx and the parameters' gradients.
// See docs/04_conv2d.md; the products are derived in docs/03_products.md.
#pragma once

#include <unfold/core/random.hpp>
#include <unfold/nn/activation.hpp>
#include <unfold/nn/batch_norm.hpp>
#include <unfold/nn/channel_passes.hpp>
#include <unfold/nn/conv2d_products.hpp>
#include <unfold/nn/sgd.hpp>

#include <algorithm>  // std::copy_n
#include <optional>

namespace unfold {

namespace detail {

/// w ~ sqrt(2 / K) * N(0, 1), drawn in memory's order.   Shape   w [OC, ...], K elements for each output
template <class T, int Rank>
void draw_weights(Tensor<T, Rank>& w, std::uint64_t seed) {
  const Index K = w.size() / w.shape(0);
  const double deviation = std::sqrt(2.0 / static_cast<double>(K));
  Random random(seed);
  for (Index i = 0; i < w.size(); ++i) w.data()[i] = constant<T>(deviation * random.normal());
}

}  // namespace detail

/// One convolutional layer of a network in training. Per group g of channels:
///
///   forward    Z_g  = W_g * im2col(x, g)
///              y    = f(Z + b)   or   f(batch_norm(Z) * scales + b)
///   backward   dZ   = dy * f'(...), through the batch norm where there is one
///              db  += row sums of dZ
///              dW_g += dZ_g * im2col(x, g)^T
///              dx   = sum over g of col2im(W_g^T * dZ_g, g)
///
/// Shape   x [N, IC, IH, IW], weights [OC, IC/G, KH, KW], bias and scales [OC]  ->  y [N, OC, OH, OW]
/// Writes  the tensors that forward and backward return live in the layer until its next call. Parameter
///         gradients are summed over the batch and over backward calls until `update`; dx is overwritten
/// Errors  ShapeError for a wrong option, shape or argument, StateError for a wrong order of calls; in both
///         cases nothing is changed
/// Cost    after the first call with a shape nothing is allocated
template <class T>
class Conv2D {
 public:
  using value_type = T;

  /// Parameters are zero and scales one until initialize().
  /// Errors  ShapeError if an option breaks its rule
  explicit Conv2D(const Conv2DOptions& options)
      : options_(checked(options)),
        weights_(
            {options.out_channels, options.in_channels / options.groups, options.kernel.height, options.kernel.width}),
        bias_(Shape<1>(options.out_channels)),
        scales_(Shape<1>(options.batch_norm != BatchNorm::none ? options.out_channels : 0)) {
    scales_.value.fill(T(1));
    if (options.batch_norm != BatchNorm::none) batch_norm_.emplace(options.batch_norm, options.out_channels);
  }

  /// Starts anew: weights drawn from a normal distribution, bias zero, scales one, all else as constructed.
  ///
  ///   weights ~ sqrt(2 / K) * N(0, 1),   K = IC/G*KH*KW
  ///
  /// Source  K. He et al., Delving deep into rectifiers, ICCV 2015, eq. 10; the same bits on every machine
  void initialize(std::uint64_t seed) {
    Conv2D fresh(options_);
    fresh.learning_rate_scale = learning_rate_scale;
    detail::draw_weights(fresh.weights_.value, seed);
    *this = fresh;  // into the memory that there is: views of the parameters stay
  }

  /// y = f(...), of batch statistics in training and of running statistics in inference.
  ///
  /// Writes  y; in training a view of x is kept for backward: x must stay alive and unchanged until then
  /// Errors  ShapeError if x is not [N, IC, IH, IW] with a size that the kernel fits, or if batch
  ///         normalisation is to be trained on less than two samples a channel
  const Tensor<T, 4>& forward(TensorView<const T, 4> x, Mode mode = Mode::training) {
    const Conv2DGeometry g = conv2d_geometry("Conv2D::forward", options_, x.shape());
    if (batch_norm_ && mode == Mode::training && g.P() < 2) {
      detail::fail("Conv2D::forward", "batch normalisation in training needs N*OH*OW >= 2",
                   "x " + to_string(x.shape()));
    }
    x_.forget();
    y_.reshape_for_overwrite(g.y_shape());
    detail::for_each_group<T>(g, [&](Groups group) {
      const auto W_g = filters(weights(), g.G, group);                     // [OC/G, K]
      channels(y_.view(), g.G, group) = W_g * im2col(x, options_, group);  // [OC/G, P]
    });
    finish(mode);  // bias or batch norm, and activation
    if (mode == Mode::training) x_.keep(x);
    return y_;
  }
  const Tensor<T, 4>& forward(Tensor<T, 4>&& temporary, Mode = Mode::training) = delete;
  const Tensor<T, 4>& forward(const Tensor<T, 4>&& temporary, Mode = Mode::training) = delete;

  /// dx, and the gradients of the parameters, from dy = dLoss/dy.
  ///
  /// Shape   dy [N, OC, OH, OW]  ->  dx [N, IC, IH, IW], empty if skipped
  /// Writes  adds to weight_gradient(), bias_gradient(), scale_gradient(); overwrites dx
  /// Errors  StateError before a forward in training mode; ShapeError if dy has not y's shape
  /// Cost    two products of N*OC*OH*OW*K multiply-adds, or one
  const Tensor<T, 4>& backward(TensorView<const T, 4> dy, InputGradient input_gradient = InputGradient::compute) {
    const TensorView<const T, 4>& x = x_.get("Conv2D::backward");
    detail::check_shape("Conv2D::backward", "dy", y_.shape(), dy.shape());
    weights_.begin_gradient();
    bias_.begin_gradient();
    scales_.begin_gradient();
    const bool wanted = input_gradient == InputGradient::compute;
    dx_.reshape_for_overwrite(wanted ? x.shape() : Shape<4>());

    const TensorView<const T, 4> dz = output_gradient(dy);  // through activation, batch norm or bias
    const Conv2DGeometry sizes = conv2d_geometry("Conv2D::backward", options_, x.shape());
    detail::for_each_group<T>(sizes, [&](Groups g) {
      const auto X_g = im2col(x, options_, g);          // [K, P]
      const auto dZ_g = channels(dz, sizes.G, g);       // [OC/G, P]
      const auto W_g = filters(weights(), sizes.G, g);  // [OC/G, K]
      filters(weight_gradient(), sizes.G, g) += dZ_g * X_g.transpose();
      if (wanted) col2im(dx_.view(), options_, g).from_zero() += W_g.transpose() * dZ_g;
    });
    return dx_;
  }

  /// One step of gradient descent on every parameter; the gradients are spent (see Parameter).
  /// Errors  ShapeError if an argument breaks its rule
  void update(const SgdArgs& args) {
    check_sgd_args("Conv2D::update", args);
    sgd_step(weights_, args, learning_rate_scale);
    if (options_.bias) sgd_step(bias_, args, learning_rate_scale, WeightDecay::skip);
    if (batch_norm_) sgd_step(scales_, args, learning_rate_scale, WeightDecay::skip);
  }

  /// [OC, IC/G, KH, KW]; [OC], or [0] without a bias; [OC], or [0] without batch normalisation.
  TensorView<T, 4> weights() { return weights_.value; }
  TensorView<T, 1> bias() { return used(bias_.value); }
  TensorView<T, 1> scales() { return scales_.value; }
  TensorView<const T, 4> weights() const { return weights_.value; }
  TensorView<const T, 1> bias() const { return used(bias_.value); }
  TensorView<const T, 1> scales() const { return scales_.value; }
  TensorView<T, 4> weight_gradient() { return weights_.gradient; }
  TensorView<T, 1> bias_gradient() { return used(bias_.gradient); }
  TensorView<T, 1> scale_gradient() { return scales_.gradient; }
  TensorView<const T, 4> weight_gradient() const { return weights_.gradient; }
  TensorView<const T, 1> bias_gradient() const { return used(bias_.gradient); }
  TensorView<const T, 1> scale_gradient() const { return scales_.gradient; }

  const Conv2DOptions& options() const { return options_; }

  /// Calls visit(name, view) for every parameter, its velocity, and the running statistics.
  template <class Visit>
  void visit_state(Visit&& visit) {
    visit("weights", TensorView<T, 4>(weights_.value));
    visit("weights.velocity", TensorView<T, 4>(weights_.velocity));
    if (options_.bias) {
      visit("bias", TensorView<T, 1>(bias_.value));
      visit("bias.velocity", TensorView<T, 1>(bias_.velocity));
    }
    if (batch_norm_) {
      visit("scales", TensorView<T, 1>(scales_.value));
      visit("scales.velocity", TensorView<T, 1>(scales_.velocity));
      visit("running_mean", batch_norm_->running_mean());
      visit("running_variance", batch_norm_->running_variance());
    }
  }

  /// Calls visit(name, value, gradient) for every parameter.
  template <class Visit>
  void visit_parameters(Visit&& visit) {
    visit("weights", weights(), weight_gradient());
    if (options_.bias) visit("bias", bias(), bias_gradient());
    if (batch_norm_) visit("scales", scales(), scale_gradient());
  }

  /// This layer's factor on every learning rate.
  double learning_rate_scale = 1;  // NOLINT(misc-non-private-member-variables-in-classes): any number is right

 private:
  static Conv2DOptions checked(const Conv2DOptions& options) {
    detail::check_options("Conv2D", options);
    detail::check_activation<T>("Conv2D", options.activation);
    return options;
  }

  /// The bias, or its gradient, as the user sees it: nothing where the layer has none.
  template <class Bias>
  auto used(Bias& bias) const {
    return bias.slice(0, 0, options_.bias ? bias.size() : 0);
  }

  /// y = f(Z + b), or f of its batch norm, from Z in y.
  void finish(Mode mode) {
    const Activation f = options_.activation;
    const bool keeps_z = slope_from_input(f) && mode == Mode::training;
    if (keeps_z) z_.reshape_for_overwrite(y_.shape());
    T* const z = keeps_z ? z_.data() : nullptr;
    if (batch_norm_) {
      batch_norm_->forward(y_, scales_.value, bias_.value, mode, f, z);
    } else {
      detail::activate_channels<T>(f, std::as_const(*this).bias(), y_, z);
    }
  }

  /// dZ = dLoss/dZ from dy, Z the convolution's output; adds to the gradients of bias and scales.
  TensorView<const T, 4> output_gradient(const TensorView<const T, 4>& dy) {
    const Activation f = options_.activation;
    const Tensor<T, 4>& at = slope_from_input(f) ? z_ : y_;
    if (!batch_norm_) return detail::channel_gradients<T>(f, at.data(), dy, bias_gradient(), dz_);
    dz_.reshape_for_overwrite(y_.shape());
    batch_norm_->backward(f, at.data(), detail::without_gaps(dy, dz_), dz_, scales_.value, scales_.gradient,
                          bias_.gradient);
    return dz_;
  }

  Conv2DOptions options_;
  Parameter<T, 4> weights_;  // [OC, IC/G, KH, KW]
  Parameter<T, 1> bias_;     // [OC], zero and unseen without a bias
  Parameter<T, 1> scales_;   // [OC], or [0]
  std::optional<BatchNormalization<T>> batch_norm_;
  KeptView<T, 4> x_;     // [N, IC, IH, IW]
  Tensor<T, 4> z_;       // [N, OC, OH, OW], before an activation that needs it
  Tensor<T, 4> y_, dz_;  // [N, OC, OH, OW]
  Tensor<T, 4> dx_;      // [N, IC, IH, IW]
};

}  // namespace unfold
