// SPDX-License-Identifier: MIT
// Stochastic gradient descent with momentum and weight decay: one fused pass a parameter.
// See docs/05_update.md.
#pragma once

#include <unfold/core/tensor.hpp>
#include <unfold/nn/lanes.hpp>
#include <unfold/nn/scalar.hpp>

#include <cmath>  // std::isfinite
#include <cstdint>

namespace unfold {

/// The arguments of one update. Use designated initialisers: SgdArgs{.learning_rate = 0.1, .batch = 64}
///
/// Units   learning_rate: per update; decay: per update, times the parameter; batch: images whose gradients were summed
struct SgdArgs {
  double learning_rate, momentum = 0, decay = 0;
  Index batch = 1;
};

/// Whether a step pulls the parameter towards zero too: weights yes, biases and scales no.
enum class WeightDecay : std::uint8_t { apply, skip };

/// A trainable tensor q, its gradient dq = dLoss/dq, and its velocity.
/// Gradients are summed over `backward` calls until an update spends them: they can still be read
/// then, and the next backward starts again from zero.
template <class T, int Rank>
struct Parameter {
  explicit Parameter(const Shape<Rank>& shape) : value(shape), gradient(shape), velocity(shape) {}

  /// To be called before a backward pass adds to `gradient`.
  void begin_gradient() {
    if (gradient_spent) gradient.fill(T(0));
    gradient_spent = false;
  }

  Tensor<T, Rank> value, gradient, velocity;
  bool gradient_spent = false;
};

/// The rules of an update's arguments. A layer's `update` that begins with this check names itself in the error.
///
/// Errors  ShapeError of `function`, e.g. "Conv2D::update", unless the learning rate is finite, momentum and decay
///         are finite and >= 0, and batch >= 1
inline void check_sgd_args(const char* function, const SgdArgs& args) {
  const auto finite = [](double value) { return std::isfinite(value); };
  detail::require(finite(args.learning_rate), function, "learning_rate must be finite", args.learning_rate);
  detail::require(finite(args.momentum) && args.momentum >= 0, function, "momentum must be finite and >= 0",
                  args.momentum);
  detail::require(finite(args.decay) && args.decay >= 0, function, "decay must be finite and >= 0", args.decay);
  detail::require(args.batch >= 1, function, "batch must be >= 1", args.batch);
}

/// One step of a parameter, and its gradient is spent.
///
///   v = momentum*v + dq + decay*batch*q ;   q -= (learning_rate*scale/batch) * v
///
/// `scale` is a layer's own factor on the learning rate.
///
/// Writes  value, velocity; the gradient keeps its numbers until the next begin_gradient()
/// Errors  ShapeError as check_sgd_args(); nothing is changed then
/// Cost    one pass over the three tensors
/// Source  the update of the listing, with positive gradients and a velocity of its own (docs/05_update.md)
template <class T, int Rank>
void sgd_step(Parameter<T, Rank>& parameter, const SgdArgs& args, double scale = 1,
              WeightDecay weight_decay = WeightDecay::apply) {
  check_sgd_args("sgd_step", args);
  const double batch = static_cast<double>(args.batch);
  const T momentum = detail::constant<T>(args.momentum);
  const T decay = detail::constant<T>(weight_decay == WeightDecay::apply ? args.decay * batch : 0.0);
  const T step = detail::constant<T>(args.learning_rate * scale / batch);
  T* const value = parameter.value.data();
  T* const velocity = parameter.velocity.data();
  const T* const gradient = parameter.gradient.data();
  detail::for_each_piece(parameter.value.size(), [=](Index begin, Index count) {
    T* const v = velocity + begin;
    T* const q = value + begin;
    const T* const dq = gradient + begin;
    detail::map_lanes(v, count, [=](Index i) { return T(momentum * v[i] + dq[i] + decay * q[i]); });
    detail::map_lanes(q, count, [=](Index i) { return T(q[i] - step * v[i]); });
  });
  parameter.gradient_spent = true;
}

}  // namespace unfold
