// SPDX-License-Identifier: MIT
// PoolWindows: where the windows of a pooling layer lie on an image, cut off at its border.
#pragma once

#include <unfold/core/geometry.hpp>
#include <unfold/core/threads.hpp>
#include <unfold/nn/layer.hpp>

#include <algorithm>  // std::clamp, std::max, std::min
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
  /// A window on one axis: its first pixel, which may lie in the padding, and its pixels [begin, end) in the image,
  /// at least one.
  struct Span {
    Index first, begin, end;
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
    low_ = std::min(OW_, (o.padding.left + o.stride.width - 1) / o.stride.width);
    const Index last = x[3] + o.padding.left - o.kernel.width;  // where the last inside may begin
    high_ = std::clamp(last < 0 ? 0 : last / o.stride.width + 1, low_, OW_);
  }

  Shape<4> x_shape() const { return x_; }
  Shape<4> y_shape() const { return {x_[0], x_[1], OH_, OW_}; }
  Index IH() const { return x_[2]; }
  Index IW() const { return x_[3]; }
  Index OH() const { return OH_; }
  Index OW() const { return OW_; }
  Extent2D kernel() const { return o_.kernel; }
  Extent2D stride() const { return o_.stride; }
  Index area() const { return o_.kernel.height * o_.kernel.width; }

  Span rows(Index oh) const {
    const Index h = oh * o_.stride.height - o_.padding.top;
    return {h, std::max(h, Index{0}), std::min(h + o_.kernel.height, x_[2])};
  }
  Span columns(Index ow) const {
    const Index w = ow * o_.stride.width - o_.padding.left;
    return {w, std::max(w, Index{0}), std::min(w + o_.kernel.width, x_[3])};
  }

  /// The windows [low(), high()) of a row lie inside the image's columns.
  Index low() const { return low_; }
  Index high() const { return high_; }

  /// True for windows that lie side by side from the first pixel on.
  bool side_by_side() const {
    return o_.stride.height == o_.kernel.height && o_.stride.width == o_.kernel.width && o_.padding.top == 0 &&
           o_.padding.left == 0;
  }

  /// f(n, c) for every plane, on all threads.
  template <class F>
  void for_each_plane(const F& f) const {
    parallel_for(x_[0] * x_[1], [&](Index plane) { f(plane / x_[1], plane % x_[1]); });
  }

 private:
  Pool2DOptions o_;
  Shape<4> x_;
  Index OH_ = 0, OW_ = 0, low_ = 0, high_ = 0;
};

/// Errors  StateError if there are no windows, that is, no training forward; ShapeError if dy is not their y's
inline const PoolWindows& windows_for(const char* function, const std::optional<PoolWindows>& windows,
                                      const Shape<4>& dy) {
  const PoolWindows& kept = after_forward(windows, function);
  if (dy != kept.y_shape()) fail(function, "dy must be " + to_string(kept.y_shape()), to_string(dy));
  return kept;
}

}  // namespace detail
}  // namespace unfold
