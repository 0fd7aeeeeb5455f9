// SPDX-License-Identifier: MIT
// MaxPool2D<T> and AvgPool2D<T>: the largest element, or the mean, of each window of each channel.
// takes x [N, C, IH, IW] -> gives y [N, C, OH, OW]; takes dy -> gives dx.
#pragma once

#include <unfold/nn/pool_planes.hpp>
#include <unfold/nn/pool_windows.hpp>

#include <algorithm>  // std::max
#include <cstdint>
#include <optional>
#include <variant>

namespace unfold {

/// The largest element of each window.
///
///   y[n,c,oh,ow] = max of x[n,c,ih,iw] over the window's pixels inside the image
///   dx[n,c,ih,iw] = sum of dy[n,c,oh,ow] over the windows whose largest element it is
///
/// Of equal largest elements the first in row-major order counts. Padding is never the largest: a window is cut
/// off at the image's border, and always holds a pixel, as padding is smaller than the kernel. A NaN counts as
/// the largest.
///
/// Shape   x [N, C, IH, IW]  ->  y [N, C, OH, OW], OH = output_extent(IH, PT, PB, KH, SH, 1)
/// Writes  y and dx live in the layer, until its next call; dx is overwritten, and empty if
///         skipped. Nothing of x is kept but the places of the largest elements, a byte each if the kernel has
///         at most 256 taps
/// Errors  ShapeError if an option or a shape breaks its rule; StateError if backward follows no training forward
template <class T>
  requires detail::Ordered<T>
class MaxPool2D {
 public:
  using value_type = T;

  explicit MaxPool2D(const Pool2DOptions& options) : options_(options) {}

  const Tensor<T, 4>& forward(TensorView<const T, 4> x, Mode mode = Mode::training) {
    const detail::PoolWindows windows("MaxPool2D::forward", options_, x.shape());
    windows_.reset();  // until all below have succeeded: taps of one image and windows of another would not fit
    y_.reshape_for_overwrite(windows.y_shape());
    if (windows.area() > 256 && taps_.index() == 0) taps_.template emplace<1>();
    const auto pool = [&]<class Tap>(Tensor<Tap, 4>& taps) {
      taps.reshape_for_overwrite(windows.y_shape());
      const Index size = windows.OH() * windows.OW();
      windows.for_each_plane([&](Index n, Index c) {
        const Index at = (n * x.shape(1) + c) * size;
        detail::run_lanes<T, detail::MaxPlane<T, Tap>>(size, &windows, detail::Plane<const T>(x[n][c]), y_.data() + at,
                                                       taps.data() + at);
      });
    };
    std::visit(pool, taps_);
    if (mode == Mode::training) windows_ = windows;
    return y_;
  }

  const Tensor<T, 4>& backward(TensorView<const T, 4> dy, InputGradient input_gradient = InputGradient::compute) {
    const auto& windows = detail::windows_for("MaxPool2D::backward", windows_, dy.shape());
    const bool wanted = input_gradient == InputGradient::compute;
    dx_.reshape_for_overwrite(wanted ? windows.x_shape() : Shape<4>());
    if (!wanted) return dx_;
    const auto scatter = [&]<class Tap>(const Tensor<Tap, 4>& taps) {
      const Index size = windows.OH() * windows.OW();
      windows.for_each_plane([&](Index n, Index c) {
        const Index plane = n * dy.shape(1) + c;
        detail::run_lanes<T, detail::MaxPlaneGradient<T, Tap>>(size, &windows, detail::Plane<const T>(dy[n][c]),
                                                               taps.data() + plane * size,
                                                               dx_.data() + plane * windows.IH() * windows.IW());
      });
    };
    std::visit(scatter, taps_);
    return dx_;
  }

 private:
  Pool2DOptions options_;
  std::optional<detail::PoolWindows> windows_;  // of the last training forward
  Tensor<T, 4> y_, dx_;
  // Where the largest element is in its window: tap kh*KW + kw, [N, C, OH, OW], in a byte where the kernel allows it.
  std::variant<Tensor<std::uint8_t, 4>, Tensor<Index, 4>> taps_;
};

/// The mean of each window, zeros of the padding included: every window is divided by KH*KW.
///
///   y[n,c,oh,ow] = sum of x[n,c,ih,iw] over the window / (KH*KW)
///   dx[n,c,ih,iw] = sum of dy[n,c,oh,ow] over the windows it lies in / (KH*KW)
///
/// Shape   x [N, C, IH, IW]  ->  y [N, C, OH, OW], OH = output_extent(IH, PT, PB, KH, SH, 1)
/// Writes  y and dx live in the layer, until its next call; dx is overwritten, and empty if
///         skipped. Nothing of x is kept
/// Errors  ShapeError if an option or a shape breaks its rule; StateError if backward follows no training forward
template <class T>
class AvgPool2D {
 public:
  using value_type = T;

  explicit AvgPool2D(const Pool2DOptions& options) : options_(options) {}

  /// One window that is the whole image, whatever its size: y [N, C, 1, 1].
  static AvgPool2D global() { return AvgPool2D(); }

  const Tensor<T, 4>& forward(TensorView<const T, 4> x, Mode mode = Mode::training) {
    const Pool2DOptions whole{.kernel = {std::max(x.shape(2), Index{1}), std::max(x.shape(3), Index{1})}};
    const detail::PoolWindows windows("AvgPool2D::forward", options_.value_or(whole), x.shape());
    windows_.reset();
    y_.reshape_for_overwrite(windows.y_shape());
    const A area = detail::constant<A>(static_cast<long double>(windows.area()));
    const Index size = windows.OH() * windows.OW();
    windows.for_each_plane([&](Index n, Index c) {
      detail::run_lanes<T, detail::MeanPlane<T, A>>(windows.IH() * windows.IW(), &windows,
                                                    detail::Plane<const T>(x[n][c]), area,
                                                    y_.data() + (n * x.shape(1) + c) * size);
    });
    if (mode == Mode::training) windows_ = windows;
    return y_;
  }

  const Tensor<T, 4>& backward(TensorView<const T, 4> dy, InputGradient input_gradient = InputGradient::compute) {
    const auto& windows = detail::windows_for("AvgPool2D::backward", windows_, dy.shape());
    const bool wanted = input_gradient == InputGradient::compute;
    dx_.reshape_for_overwrite(wanted ? windows.x_shape() : Shape<4>());
    if (!wanted) return dx_;
    const T area = detail::constant<T>(static_cast<long double>(windows.area()));
    const Index size = windows.IH() * windows.IW();
    windows.for_each_plane([&](Index n, Index c) {
      detail::run_lanes<T, detail::MeanPlaneGradient<T>>(size, &windows, detail::Plane<const T>(dy[n][c]), area,
                                                         dx_.data() + (n * dy.shape(1) + c) * size);
    });
    return dx_;
  }

 private:
  using A = detail::Accumulator<T>;
  AvgPool2D() = default;

  std::optional<Pool2DOptions> options_;        // none: global
  std::optional<detail::PoolWindows> windows_;  // of the last training forward
  Tensor<T, 4> y_, dx_;
};

}  // namespace unfold
