// SPDX-License-Identifier: MIT
// im2col: the patches of an image batch as a K x P matrix, one column an output pixel, one row a tap.
// takes x [N, IC, IH, IW] -> gives an Eigen expression [K, P] over x's own memory. See docs/02_im2col.md.
#pragma once

#include <unfold/lowering/patch_products.hpp>

namespace unfold {

/// The patches of x under the kernel of `options`, for one group of channels.
///
///   X(tap, pixel) = x[n, ic, oh*SH + kh*DH - PT, ow*SW + kw*DW - PL], or 0 in the padding,
///   tap = (ic*KH + kh)*KW + kw  with ic counted within the group,   pixel = (n*OH + oh)*OW + ow
///
/// Shape   x [N, IC, IH, IW]  ->  [K, P], K = IC/G*KH*KW, P = N*OH*OW
/// Writes  nothing; the view holds x's pointer, so x must stay alive while it is used
/// Errors  ShapeError if the options or the group break a rule or the kernel does not fit
/// Cost    none to make; two divisions a coefficient read alone. For float and double a matrix product
///         with it, or with its transpose, reads x in packed blocks and never fills K x P
template <TensorOfRank<4> X>
Im2Col<ValueOf<X>> im2col(const X& x, const Conv2DOptions& options, Index group = 0) {
  using T = ValueOf<X>;
  const ReadableView<X> view = x;
  const Conv2DGeometry g = conv2d_geometry("im2col", options, view.shape());
  const detail::PatchCoefficient<T> patches{detail::group_channels("im2col", view, g.G, group), g};
  return Im2Col<T>(g.K(), g.P(), patches);
}

}  // namespace unfold
