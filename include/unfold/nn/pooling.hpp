// SPDX-License-Identifier: MIT
// MaxPool2D<T> and AvgPool2D<T>: the largest element, or the mean, of each window of each channel.
// takes x [N, C, IH, IW] -> gives y [N, C, OH, OW]; takes dy -> gives dx.
#pragma once

#include <unfold/core/geometry.hpp>
#include <unfold/core/threads.hpp>
#include <unfold/nn/layer.hpp>
#include <unfold/nn/scalar.hpp>

#include <algorithm>  // std::max, std::min
#include <optional>

namespace unfold {

/// The windows of a pooling layer. Use designated initialisers: Pool2DOptions{.kernel = {2, 2}}
///
/// Units   elements of x; the stride is the kernel unless given: windows side by side
struct Pool2DOptions {
  Extent2D kernel;
  Extent2D stride = kernel;
  Padding2D padding{0, 0, 0, 0};
};

namespace detail {

/// The windows over an image batch of one shape, cut off at the image's border.
class PoolWindows {
 public:
  struct Window {
    Index top, bottom, left, right;  // rows [top, bottom), columns [left, right) of x; never empty
  };

  /// Errors  ShapeError if an option breaks its rule, or no window fits the padded image
  PoolWindows(const char* function, const Pool2DOptions& o, const Shape<4>& x) : o_(o), x_(x) {
    constexpr Index longest = Index{1} << 31;  // sums of two such lengths fit 63 bits
    const auto positive = [](Extent2D e) {
      return e.height >= 1 && e.width >= 1 && e.height < longest && e.width < longest;
    };
    const auto within = [](Index padding, Index kernel) { return padding >= 0 && padding < kernel; };
    require(positive(o.kernel), function, "kernel must be in [1, 2^31) on each axis", o.kernel);
    require(positive(o.stride), function, "stride must be in [1, 2^31) on each axis", o.stride);
    if (!within(o.padding.top, o.kernel.height) || !within(o.padding.bottom, o.kernel.height) ||
        !within(o.padding.left, o.kernel.width) || !within(o.padding.right, o.kernel.width)) {
      fail(function, "padding must be >= 0 and smaller than kernel " + to_string(o.kernel), to_string(o.padding));
    }
    OH_ = output_extent(x[2], o.padding.top, o.padding.bottom, o.kernel.height, o.stride.height, 1);
    OW_ = output_extent(x[3], o.padding.left, o.padding.right, o.kernel.width, o.stride.width, 1);
    if (x[2] < 1 || x[3] < 1 || OH_ < 1 || OW_ < 1) {
      fail(function, "kernel " + to_string(o.kernel) + " must fit the image with padding " + to_string(o.padding),
           "x " + to_string(x));
    }
  }

  Shape<4> x_shape() const { return x_; }
  Shape<4> y_shape() const { return {x_[0], x_[1], OH_, OW_}; }
  Index area() const { return o_.kernel.height * o_.kernel.width; }

  /// f(n, c) for every plane, on all threads.
  template <class F>
  void for_each_plane(const F& f) const {
    parallel_for(x_[0] * x_[1], [&](Index plane) { f(plane / x_[1], plane % x_[1]); });
  }

  /// f(oh, ow, window) for every output pixel of a plane, in row-major order.
  template <class F>
  void for_each_window(const F& f) const {
    for (Index oh = 0; oh < OH_; ++oh) {
      const Index h = oh * o_.stride.height - o_.padding.top;
      for (Index ow = 0; ow < OW_; ++ow) {
        const Index w = ow * o_.stride.width - o_.padding.left;
        f(oh, ow,
          Window{std::max(h, Index{0}), std::min(h + o_.kernel.height, x_[2]),  //
                 std::max(w, Index{0}), std::min(w + o_.kernel.width, x_[3])});
      }
    }
  }

 private:
  Pool2DOptions o_;
  Shape<4> x_;
  Index OH_ = 0, OW_ = 0;
};

/// Errors  StateError if there are no windows, that is, no training forward; ShapeError if dy is not their y's
inline const PoolWindows& windows_for(const char* function, const std::optional<PoolWindows>& windows,
                                      const Shape<4>& dy) {
  const PoolWindows& kept = after_forward(windows, function);
  if (dy != kept.y_shape()) fail(function, "dy must be " + to_string(kept.y_shape()), to_string(dy));
  return kept;
}

}  // namespace detail

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
///         skipped. Nothing of x is kept but the places of the largest elements
/// Errors  ShapeError if an option or a shape breaks its rule; StateError if backward follows no training forward
template <class T>
  requires detail::Ordered<T>
class MaxPool2D {
 public:
  using value_type = T;

  explicit MaxPool2D(const Pool2DOptions& options) : options_(options) {}

  const Tensor<T, 4>& forward(TensorView<const T, 4> x, Mode mode = Mode::training) {
    const detail::PoolWindows windows("MaxPool2D::forward", options_, x.shape());
    windows_.reset();  // until all below have succeeded: places of one image and windows of another would not fit
    y_.reshape_for_overwrite(windows.y_shape());
    place_.reshape_for_overwrite(windows.y_shape());
    windows.for_each_plane([&](Index n, Index c) {
      const auto image = x[n][c];              // [IH, IW]
      const auto y = y_.view()[n][c];          // [OH, OW]
      const auto place = place_.view()[n][c];  // [OH, OW]
      windows.for_each_window([&](Index oh, Index ow, const auto& window) {
        Index ih_max = window.top, iw_max = window.left;
        for (Index ih = window.top; ih < window.bottom; ++ih) {
          for (Index iw = window.left; iw < window.right; ++iw) {
            const T& value = image(ih, iw);
            const T& largest = image(ih_max, iw_max);
            if (largest < value || (detail::is_nan(value) && !detail::is_nan(largest))) ih_max = ih, iw_max = iw;
          }
        }
        y(oh, ow) = image(ih_max, iw_max);
        place(oh, ow) = ih_max * x.shape(3) + iw_max;
      });
    });
    if (mode == Mode::training) windows_ = windows;
    return y_;
  }

  const Tensor<T, 4>& backward(TensorView<const T, 4> dy, InputGradient input_gradient = InputGradient::compute) {
    const auto& windows = detail::windows_for("MaxPool2D::backward", windows_, dy.shape());
    const bool wanted = input_gradient == InputGradient::compute;
    dx_.reshape_for_overwrite(wanted ? windows.x_shape() : Shape<4>());
    if (!wanted) return dx_;
    windows.for_each_plane([&](Index n, Index c) {
      const auto dx = dx_.view()[n][c];        // [IH, IW]
      const auto dy_plane = dy[n][c];          // [OH, OW]
      const auto place = place_.view()[n][c];  // [OH, OW]
      dx.fill(T(0));
      T* const pixels = dx.data();
      windows.for_each_window([&](Index oh, Index ow, const auto&) { pixels[place(oh, ow)] += dy_plane(oh, ow); });
    });
    return dx_;
  }

 private:
  Pool2DOptions options_;
  std::optional<detail::PoolWindows> windows_;  // of the last training forward
  Tensor<T, 4> y_, dx_;
  Tensor<Index, 4> place_;  // of the largest element in its plane: ih*IW + iw, [N, C, OH, OW]
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
    windows.for_each_plane([&](Index n, Index c) {
      const auto image = x[n][c];      // [IH, IW]
      const auto y = y_.view()[n][c];  // [OH, OW]
      windows.for_each_window([&](Index oh, Index ow, const auto& window) {
        A sum(0);
        for (Index ih = window.top; ih < window.bottom; ++ih) {
          for (Index iw = window.left; iw < window.right; ++iw) sum += A(image(ih, iw));
        }
        y(oh, ow) = T(sum / area);
      });
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
    windows.for_each_plane([&](Index n, Index c) {
      const auto dx = dx_.view()[n][c];  // [IH, IW]
      dx.fill(T(0));
      windows.for_each_window([&](Index oh, Index ow, const auto& window) {
        const T share = T(dy(n, c, oh, ow) / area);
        for (Index ih = window.top; ih < window.bottom; ++ih) {
          for (Index iw = window.left; iw < window.right; ++iw) dx(ih, iw) += share;
        }
      });
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
