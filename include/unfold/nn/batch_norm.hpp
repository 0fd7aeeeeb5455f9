// SPDX-License-Identifier: MIT
// BatchNormalization<T>: each channel of [N, C, H, W] brought to mean 0 and variance 1, then scaled and
// shifted; its backward; the running statistics for inference. Two kinds: standard and darknet.
// takes z -> gives y in place; takes dy -> gives dz in place. See docs/04_conv2d.md.
#pragma once

#include <unfold/core/conv2d_options.hpp>
#include <unfold/core/threads.hpp>
#include <unfold/nn/activation.hpp>
#include <unfold/nn/channel_passes.hpp>
#include <unfold/nn/layer.hpp>
#include <unfold/nn/scalar.hpp>

#include <cmath>  // std::sqrt
#include <string>

namespace unfold {
/// Normalises each channel by its mean and variance over the M = N*H*W samples of the batch.
///
///   forward    mean = sum z / M          variance = sum (z - mean)^2 / D
///              xn = r*(z - mean)         y = scale*xn + bias
///   backward   dbias += sum dy           dscale += sum dy*xn
///              dz = scale*q*(dy - sum dy/M - (q/r)^2 * xn * sum(dy*xn)/M)
///
///   standard   D = M        r = q = 1/sqrt(variance + 1e-5)
///   darknet    D = M - 1    r = 1/(sqrt(variance) + 1e-6)    q = 1/sqrt(variance + 1e-5)
///
/// so that the backward of `standard` is the gradient of its forward, and that of `darknet` is the listing's.
/// Inference puts the running statistics for mean and variance. A training forward moves them:
///
///   standard   running = 0.9*running + 0.1*batch, the variance over M - 1; they start at 0 and 1 (as PyTorch's)
///   darknet    running = 0.99*running + 0.01*batch; both start at 0 (as the listing's)
///
/// Shape   z, y, dz, dy [N, C, H, W] contiguous; all else [C]
/// Writes  forward: y over z; in training it keeps xn, mean and variance. backward: dz over dy
/// Errors  ShapeError if a shape differs, or if training has fewer than two samples a channel (the variance
///         over M - 1 is then 0/0); StateError if backward follows no training forward
/// Cost    training keeps N*C*H*W elements. Two passes each way: z is read for its statistics and to be normalised, dy
///         and xn for the sums and for dz. Sums of float are taken in double: M is the number of pixels of a batch, and
///         a float sum of M terms may lose log2(M) of its 24 bits
/// Source  S. Ioffe, C. Szegedy, Batch normalization, 2015; derived in docs/04_conv2d.md
template <class T>
class BatchNormalization {
 public:
  BatchNormalization(BatchNorm kind, Index channels) : kind_(kind) {
    if (kind != BatchNorm::standard && kind != BatchNorm::darknet) {
      const auto number = std::to_string(static_cast<int>(kind));
      detail::fail("BatchNormalization", "kind must be standard or darknet", kind == BatchNorm::none ? "none" : number);
    }
    detail::require(channels >= 1, "BatchNormalization", "channels must be >= 1", channels);
    mean_ = variance_ = running_mean_ = Tensor<T, 1>({channels});
    running_variance_ = Tensor<T, 1>({channels}, T(kind == BatchNorm::standard ? 1 : 0));
  }

  /// With an activation f besides: f of what is y without it, which is written to `z` unless that is null.
  void forward(TensorView<T, 4> z_to_y, TensorView<const T, 1> scales, TensorView<const T, 1> bias, Mode mode,
               Activation f = Activation::linear, T* z = nullptr) {
    check("BatchNormalization::forward", "z", z_to_y);
    check("BatchNormalization::forward", "scales", scales);
    check("BatchNormalization::forward", "bias", bias);
    detail::check_activation<T>("BatchNormalization::forward", f);
    const detail::Planes planes(z_to_y.shape());
    const bool training = mode == Mode::training;
    if (training) {
      detail::require(planes.M() >= 2, "BatchNormalization::forward", "training needs N*H*W >= 2 samples a channel",
                      z_to_y.shape());
    }
    kept_ = false;
    if (training) normalized_.reshape_for_overwrite(z_to_y.shape());
    detail::parallel_for(planes.C, [&](Index c) {
      if (training) measure(planes, z_to_y.data(), c);
      const T mean = training ? mean_(c) : running_mean_(c);
      const T r = forward_factor(training ? variance_(c) : running_variance_(c));
      const T &scale = scales(c), &shift = bias(c);
      planes.for_each_piece(c, [&](Index at, Index n) {
        T* const y = z_to_y.data() + at;
        T* const xn = training ? normalized_.data() + at : y;
        T* const activated = z == nullptr ? y : z + at;
        detail::map_lanes(xn, n, [=](Index i) { return T((y[i] - mean) * r); });
        detail::map_lanes(activated, n, [=](Index i) { return T(scale * xn[i] + shift); });
        if (f != Activation::linear || z != nullptr) activate(f, activated, y, n);
      });
    });
    kept_ = training;
  }

  /// Writes  dz over dy; dscales and dbias are added to
  void backward(TensorView<T, 4> dy_to_dz, TensorView<const T, 1> scales, TensorView<T, 1> dscales,
                TensorView<T, 1> dbias) {
    backward(Activation::linear, dy_to_dz.data(), dy_to_dz, dy_to_dz, scales, dscales, dbias);
  }

  /// With the activation f of forward; y_or_z as for `activation_gradient`. dz may be dy.
  void backward(Activation f, const T* y_or_z, TensorView<const T, 4> dy, TensorView<T, 4> dz,
                TensorView<const T, 1> scales, TensorView<T, 1> dscales, TensorView<T, 1> dbias) {
    if (!kept_) detail::fail_without_forward("BatchNormalization::backward");
    if (dy.shape() != normalized_.shape()) {
      detail::fail("BatchNormalization::backward", "dy must be " + to_string(normalized_.shape()),
                   to_string(dy.shape()));
    }
    check("BatchNormalization::backward", "dy", dy);
    check("BatchNormalization::backward", "dz", dz);
    check("BatchNormalization::backward", "scales", scales);
    check("BatchNormalization::backward", "dscales", TensorView<const T, 1>(dscales));
    check("BatchNormalization::backward", "dbias", TensorView<const T, 1>(dbias));
    const detail::Planes planes(dy.shape());
    const detail::ActivationGradient<T> gradient{f, y_or_z, dy.data(), dz.data()};
    detail::parallel_for(planes.C, [&](Index c) {
      A sum_dy(0), sum_dy_xn(0);
      planes.for_each_piece(c, [&](Index at, Index n) {
        const T* const d = gradient(at, n);
        const T* const xn = normalized_.data() + at;
        sum_dy += detail::lane_sum<A>(n, [=](Index i) { return A(d[i]); });
        sum_dy_xn += detail::lane_sum<A>(n, [=](Index i) { return A(A(d[i]) * A(xn[i])); });
      });
      dbias(c) += T(sum_dy);
      dscales(c) += T(sum_dy_xn);

      const A M = detail::constant<A>(static_cast<long double>(planes.M()));
      const T q = backward_factor(variance_(c));
      const T q_by_r = T(q / forward_factor(variance_(c)));
      const T factor = T(scales(c) * q);
      const T mean_dy = T(sum_dy / M);                        // the part of dy that shifts the mean
      const T slope = T(q_by_r * q_by_r * T(sum_dy_xn / M));  // the part, times xn, that scales the deviation
      const T* const first = f == Activation::linear ? dy.data() : dz.data();
      planes.for_each_piece(c, [&](Index at, Index n) {
        const T* const d = first + at;
        const T* const xn = normalized_.data() + at;
        detail::map_lanes(dz.data() + at, n, [=](Index i) { return T(factor * (T(d[i] - mean_dy) - slope * xn[i])); });
      });
    });
  }

  TensorView<T, 1> running_mean() { return running_mean_; }
  TensorView<T, 1> running_variance() { return running_variance_; }
  TensorView<const T, 1> running_mean() const { return running_mean_; }
  TensorView<const T, 1> running_variance() const { return running_variance_; }

  /// Of the last training batch; the variance over M (standard) or M - 1 (darknet).
  TensorView<const T, 1> mean() const { return mean_; }
  TensorView<const T, 1> variance() const { return variance_; }

 private:
  using A = detail::Accumulator<T>;

  Index channels() const { return mean_.size(); }

  void check(const char* function, const char* name, TensorView<const T, 4> z) const {
    if (z.shape(1) == channels() && z.contiguous()) return;
    detail::fail(function, std::string(name) + " must be a contiguous [N, " + std::to_string(channels()) + ", H, W]",
                 to_string(z.shape()) + " with strides " + to_string(z.strides()));
  }
  void check(const char* function, const char* name, TensorView<const T, 1> v) const {
    if (v.shape(0) == channels()) return;
    detail::fail(function, std::string(name) + " must be [" + std::to_string(channels()) + "]", to_string(v.shape()));
  }

  /// Mean and variance of channel c, and the running ones, in one pass over the deviations d from the mean of the first
  /// image: M*variance = sum d^2 - (sum d)^2/M. Of S of the M samples the deviations from that mean add up to zero, so
  /// that it is at most sqrt(N*variance) from the mean of all, and the difference loses log2(N + 1) bits at most.
  /// Source  T. Chan, G. Golub, R. LeVeque, Algorithms for computing the sample variance, 1983: shifted data
  void measure(const detail::Planes& planes, const T* z, Index c) {
    const A M = detail::constant<A>(static_cast<long double>(planes.M()));
    const T* const plane = z + planes.at(0, c);
    const A near = A(detail::lane_sum<A>(planes.S, [=](Index i) { return A(plane[i]); }) /
                     detail::constant<A>(static_cast<long double>(planes.S)));
    A sum(0), squares(0);  // of x - near
    planes.for_each_piece(c, [&](Index at, Index n) {
      const T* const x = z + at;
      sum += detail::lane_sum<A>(n, [=](Index i) { return A(A(x[i]) - near); });
      squares += detail::lane_sum<A>(n, [=](Index i) { return A((A(x[i]) - near) * (A(x[i]) - near)); });
    });
    const A off = A(sum / M);
    const A mean = A(near + off);
    squares = not_negative(A(squares - off * sum));
    const bool standard = kind_ == BatchNorm::standard;
    const A unbiased = A(squares / (M - A(1)));
    mean_(c) = T(mean);
    variance_(c) = standard ? T(squares / M) : T(unbiased);

    const A rate = detail::constant<A>(standard ? 0.1L : 0.01L);
    const auto move = [&](T& running, const A& batch) { running = T(A((A(1) - rate) * A(running)) + rate * batch); };
    move(running_mean_(c), mean);
    move(running_variance_(c), unbiased);
  }

  /// What rounding has made negative is 0.
  static A not_negative(const A& value) {
    if constexpr (detail::Ordered<A>) {
      return value < A(0) ? A(0) : value;
    } else {
      return value;
    }
  }

  /// r and q of the formulas above.
  T forward_factor(const T& variance) const {
    using std::sqrt;
    if (kind_ == BatchNorm::standard) return backward_factor(variance);
    return T(T(1) / (sqrt(variance) + detail::constant<T>(1e-6L)));
  }
  T backward_factor(const T& variance) const {
    using std::sqrt;
    return T(T(1) / sqrt(T(variance + detail::constant<T>(1e-5L))));
  }

  BatchNorm kind_;
  Tensor<T, 4> normalized_;                       // xn [N, C, H, W]
  Tensor<T, 1> mean_, variance_;                  // [C]
  Tensor<T, 1> running_mean_, running_variance_;  // [C]
  bool kept_ = false;
};

}  // namespace unfold
