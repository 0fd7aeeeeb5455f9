// SPDX-License-Identifier: MIT
// Conv2DGeometry: a convolution's sizes in the letters of docs/letters.md, checked once; and the one
// formula for an output size. takes options and x's shape -> gives every size that follows.
#pragma once

#include <unfold/core/conv2d_options.hpp>

namespace unfold {

/// The number of positions of a dilated kernel in a padded row of `in` elements; <= 0 if it does not fit.
///
///   out = floor((in + before + after - dilation*(kernel-1) - 1) / stride) + 1
///
/// Units   elements of x; stride, kernel, dilation >= 1
constexpr Index output_extent(Index in, Index before, Index after, Index kernel, Index stride, Index dilation) {
  const Index room = in + before + after - dilation * (kernel - 1) - 1;
  return room < 0 ? 0 : room / stride + 1;
}

/// All sizes of one convolution. Capital letters are sizes (docs/letters.md); DH, DW 1 is dense.
struct Conv2DGeometry {
  Index N, G;
  Index IC, IH, IW;
  Index OC, OH, OW;
  Index KH, KW, SH, SW;
  Index PT, PB, PL, PR;
  Index DH, DW;

  constexpr Index K() const { return IC / G * KH * KW; }  // taps of one group
  constexpr Index P() const { return N * OH * OW; }       // output pixels of the batch
  constexpr Shape<4> x_shape() const { return {N, IC, IH, IW}; }
  constexpr Shape<4> w_shape() const { return {OC, IC / G, KH, KW}; }
  constexpr Shape<4> y_shape() const { return {N, OC, OH, OW}; }

  friend constexpr bool operator==(const Conv2DGeometry&, const Conv2DGeometry&) = default;
};

namespace detail {

/// Errors: ShapeError if the options break a rule that needs no image.
constexpr void check_options(const char* function, const Conv2DOptions& o) {
  // Every length is kept below 2^31, so that sums and products of two of them fit 63 bits.
  constexpr Index longest = Index{1} << 31;
  const auto positive = [](Extent2D e) {
    return e.height >= 1 && e.width >= 1 && e.height < longest && e.width < longest;
  };
  const auto not_negative = [](Index p) { return p >= 0 && p < longest; };
  require(o.in_channels >= 1, function, "in_channels must be >= 1", o.in_channels);
  require(o.out_channels >= 1, function, "out_channels must be >= 1", o.out_channels);
  require(o.groups >= 1, function, "groups must be >= 1", o.groups);
  if (o.in_channels % o.groups != 0 || o.out_channels % o.groups != 0) {
    fail(function, "groups must divide in_channels and out_channels",
         std::to_string(o.groups) + " for " + std::to_string(o.in_channels) + " and " + std::to_string(o.out_channels));
  }
  require(positive(o.kernel), function, "kernel must be in [1, 2^31) on each axis", o.kernel);
  require(positive(o.stride), function, "stride must be in [1, 2^31) on each axis", o.stride);
  require(positive(o.dilation), function, "dilation must be in [1, 2^31) on each axis", o.dilation);
  require(not_negative(o.padding.top) && not_negative(o.padding.bottom) && not_negative(o.padding.left) &&
              not_negative(o.padding.right),
          function, "padding must be in [0, 2^31) on each side", o.padding);
  checked_size(function, Shape<4>{o.out_channels, o.in_channels / o.groups, o.kernel.height, o.kernel.width}, 16);
}

}  // namespace detail

/// The sizes of the convolution `options` of an image batch of shape x.
///
/// Shape   x [N, IC, IH, IW]
/// Errors  ShapeError if an option breaks its rule, x has other channels, the output would be empty,
///         or a tensor of the convolution (the K x P view included) would pass 63 bits
constexpr Conv2DGeometry conv2d_geometry(const char* function, const Conv2DOptions& options, const Shape<4>& x) {
  detail::check_options(function, options);
  detail::checked_size(function, x, 16);
  if (x[1] != options.in_channels || x[2] < 1 || x[3] < 1) {
    detail::fail(function, "x must be [N, " + std::to_string(options.in_channels) + ", IH, IW] with IH, IW >= 1",
                 to_string(x));
  }
  const auto [PT, PB, PL, PR] = options.padding;
  Conv2DGeometry g{};
  g.N = x[0], g.G = options.groups;
  g.IC = x[1], g.IH = x[2], g.IW = x[3];
  g.KH = options.kernel.height, g.KW = options.kernel.width;
  g.SH = options.stride.height, g.SW = options.stride.width;
  g.PT = PT, g.PB = PB, g.PL = PL, g.PR = PR;
  g.DH = options.dilation.height, g.DW = options.dilation.width;
  g.OC = options.out_channels;
  g.OH = output_extent(g.IH, PT, PB, g.KH, g.SH, g.DH);
  g.OW = output_extent(g.IW, PL, PR, g.KW, g.SW, g.DW);
  if (g.OH < 1 || g.OW < 1) {
    detail::fail(function,
                 "the kernel must fit the padded image (kernel " + to_string(options.kernel) + ", dilation " +
                     to_string(options.dilation) + ", padding " + to_string(options.padding) + ")",
                 "x " + to_string(x));
  }
  detail::checked_size(function, g.y_shape(), 16);
  detail::checked_size(function, Shape<4>{g.K(), g.N, g.OH, g.OW}, 16);
  return g;
}

}  // namespace unfold
