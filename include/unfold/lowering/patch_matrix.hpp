// SPDX-License-Identifier: MIT
// The type of im2col's view: Eigen's nullary expression over a functor that finds a coefficient in x.
#pragma once

#include <unfold/core/geometry.hpp>
#include <unfold/core/view.hpp>

#include <Eigen/Core>

namespace unfold {

namespace detail {

/// The coefficient (tap, pixel) of im2col: an element of x, or 0 where the tap stands in the padding.
template <class T>
struct PatchCoefficient {
  TensorView<const T, 4> x;  // the channels of the group: [N, IC/G, IH, IW]
  Conv2DGeometry geometry;

  T operator()(Index tap, Index pixel) const {
    const Conv2DGeometry& g = geometry;
    const Index n = pixel / (g.OH * g.OW), oh = pixel / g.OW % g.OH, ow = pixel % g.OW;
    const Index ic = tap / (g.KH * g.KW), kh = tap / g.KW % g.KH, kw = tap % g.KW;
    const Index ih = oh * g.SH + kh * g.DH - g.PT;
    const Index iw = ow * g.SW + kw * g.DW - g.PL;
    return ih >= 0 && ih < g.IH && iw >= 0 && iw < g.IW ? x(n, ic, ih, iw) : T(0);
  }
};

}  // namespace detail

/// The type of im2col(x): one of Eigen's nullary expressions.
template <class T>
using Im2Col = Eigen::CwiseNullaryOp<detail::PatchCoefficient<T>, Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>>;

}  // namespace unfold

template <class T>
struct Eigen::internal::functor_traits<unfold::detail::PatchCoefficient<T>> {
  // Repeatable: a product or a nested expression may read a coefficient twice instead of filling a copy.
  // NOLINTNEXTLINE(performance-enum-size): Eigen adds these to numbers of its own
  enum { Cost = 10 * NumTraits<T>::ReadCost, PacketAccess = false, IsRepeatable = true };
};
