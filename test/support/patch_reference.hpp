// SPDX-License-Identifier: MIT
// The K x P matrix of im2col filled by the loops of the reference, which know no view and no tap.
#pragma once

#include "support/fill.hpp"

#include <unfold/verify/reference.hpp>

namespace unfold::test {

/// Calls f(tap, pixel, n, ic, ih, iw) for every entry of the matrix of `group` that is an element of x, not padding.
///   tap = (c*KH + kh)*KW + kw, c counted within the group,   pixel = (n*OH + oh)*OW + ow
template <class F>
void for_each_entry(const Conv2DGeometry& g, const Conv2DOptions& options, Index group, F&& f) {
  Conv2DOptions one_filter = options;  // a group, so that every entry is met once
  one_filter.out_channels = options.groups;
  reference::for_each_product(one_filter, g.x_shape(), {g.N, g.G, g.OH, g.OW}, [&](const reference::Product& p) {
    if (p.oc != group) return;
    f((p.c * g.KH + p.kh) * g.KW + p.kw, (p.n * g.OH + p.oh) * g.OW + p.ow, p.n, p.ic, p.ih, p.iw);
  });
}

/// im2col of one group, [K, P].
template <TensorOfRank<4> X>
Tensor<ValueOf<X>, 2> patches_by_loops(const X& x_in, const Conv2DOptions& options, Index group) {
  const ReadableView<X> x = x_in;
  const Conv2DGeometry g = conv2d_geometry("test::patches_by_loops", options, x.shape());
  Tensor<ValueOf<X>, 2> M({g.K(), g.P()});
  for_each_entry(g, options, group, [&](Index tap, Index pixel, auto... at) { M(tap, pixel) = x(at...); });
  return M;
}

/// Its adjoint: adds M [K, P] to x.
template <class T>
void add_patches_by_loops(const Tensor<T, 2>& M, const Conv2DOptions& options, Index group, Tensor<T, 4>& x) {
  const Conv2DGeometry g = conv2d_geometry("test::add_patches_by_loops", options, x.shape());
  for_each_entry(g, options, group, [&](Index tap, Index pixel, auto... at) { x(at...) += M(tap, pixel); });
}

/// C = A * B in plain loops.   Shape   A [rows, depth], B [depth, columns]
template <class T>
Tensor<T, 2> product_by_loops(const Tensor<T, 2>& a, const Tensor<T, 2>& b) {
  Tensor<T, 2> c({a.shape(0), b.shape(1)});
  for (Index i = 0; i < a.shape(0); ++i) {
    for (Index k = 0; k < a.shape(1); ++k) {
      const T factor = a(i, k);
      const T* const from = b.data() + k * b.shape(1);
      T* const to = c.data() + i * b.shape(1);
      for (Index j = 0; j < b.shape(1); ++j) to[j] += factor * from[j];
    }
  }
  return c;
}

template <class T>
Tensor<T, 2> transposed(const Tensor<T, 2>& a) {
  return Tensor<T, 2>(TensorView<const T, 2>(a.data(), {a.shape(1), a.shape(0)}, {1, a.shape(1)}));
}

}  // namespace unfold::test
