// SPDX-License-Identifier: MIT
// The three products of a convolution without a layer, for code that has its own autograd.
// Each takes tensors or views. See docs/03_products.md for the derivation of both gradients.
#pragma once

#include <unfold/lowering/groups.hpp>

#include <utility>  // std::as_const

namespace unfold {

namespace detail {

/// Errors  ShapeError unless the argument has this shape
template <int Rank>
void check_shape(const char* function, const char* argument, const Shape<Rank>& expected, const Shape<Rank>& got) {
  if (got != expected) fail(function, argument + (" must be " + to_string(expected)), to_string(got));
}

/// destination = or += product, where beta 0 means that nothing old is read; else the destination is scaled already.
template <class Destination, class Product, class T>
void assign_product(Destination destination, const Product& product, const T& beta) {
  if (beta == T(0)) {
    destination = product;
  } else {
    destination += product;
  }
}

/// view = beta*view; beta 0 leaves it, as it will be overwritten.
template <class T>
void scale(const TensorView<T, 4>& view, const T& beta) {
  if (beta == T(0) || beta == T(1)) return;
  view.for_each_run([&](T* run, Index n, Index step) {
    for (Index i = 0; i < n; ++i) run[i * step] *= beta;
  });
}

/// Whether each filter lies in one stride, and so is a row of a matrix: filters() takes these weights.
template <class T>
bool has_filters_in_rows(const TensorView<T, 4>& w) {
  return common_stride(w.shape(), w.strides(), 1).has_value();
}

/// The weights as filters() takes them: themselves, or else a copy in `memory`.
template <class T>
TensorView<const T, 4> filters_in_rows(const TensorView<const T, 4>& w, Tensor<T, 4>& memory) {
  if (has_filters_in_rows(w)) return w;
  memory.assign(w);
  return std::as_const(memory).view();
}

/// view = tensor, of the same shape.
template <class T>
void copy_into(const TensorView<T, 4>& view, const Tensor<T, 4>& tensor) {
  const T* next = tensor.data();
  view.for_each_run([&](T* run, Index n, Index step) {
    for (Index i = 0; i < n; ++i) run[i * step] = *next++;
  });
}

}  // namespace detail

/// The convolution (cross-correlation) of x with w.
///
///   Y_g = beta*Y_g + W_g * im2col(x, g)      for every group g
///
/// Shape   x [N, IC, IH, IW], w [OC, IC/G, KH, KW]  ->  y [N, OC, OH, OW]
/// Writes  y: beta 0 overwrites it (old values, even NaN, are not read), beta 1 adds to it. y must not overlap x or w
/// Errors  ShapeError if an option breaks its rule or a shape differs; nothing is written then
/// Cost    N*OC*OH*OW*K multiply-adds; workspace_bytes of scratch a thread; and the memory of a copy of the weights,
///         where their axes from 1 on do not lie in one stride
template <TensorOfRank<4> X, TensorOfRank<4> W, WritableTensorOfRank<4> Y>
  requires TensorOf<X, ValueOf<Y>, 4> && TensorOf<W, ValueOf<Y>, 4>
void conv2d_forward(const X& x, const W& w, const Conv2DOptions& options, Y&& y, ValueOf<Y> beta = ValueOf<Y>(0)) {
  const ReadableView<X> in = x;
  const ReadableView<W> weights = w;
  const WritableView<Y> out = y;
  const Conv2DGeometry g = conv2d_geometry("conv2d_forward", options, in.shape());
  detail::check_shape("conv2d_forward", "w", g.w_shape(), weights.shape());
  detail::check_shape("conv2d_forward", "y", g.y_shape(), out.shape());
  Tensor<ValueOf<Y>, 4> memory;
  const TensorView<const ValueOf<Y>, 4> filters = detail::filters_in_rows(weights, memory);
  detail::scale(out, beta);
  detail::for_each_group<ValueOf<Y>>(g, [&](Groups group) {
    const auto W_g = unfold::filters(filters, g.G, group);  // [OC/G, K]
    detail::assign_product(channels(out, g.G, group), W_g * im2col(in, options, group), beta);
  });
}

/// The gradient of the input.
///
///   dX = beta*dX + sum over groups g of col2im(W_g^T * dY_g, g)
///
/// Shape   dy [N, OC, OH, OW], w [OC, IC/G, KH, KW]  ->  dx [N, IC, IH, IW]
/// Writes  dx: beta 0 overwrites it, beta 1 adds to it. dx must not overlap dy or w
/// Errors  ShapeError if an option breaks its rule or a shape differs; nothing is written then
/// Cost    N*OC*OH*OW*K multiply-adds; workspace_bytes of scratch a thread; and the memory of a copy of the weights,
///         where their axes from 1 on do not lie in one stride
template <TensorOfRank<4> Y, TensorOfRank<4> W, WritableTensorOfRank<4> X>
  requires TensorOf<Y, ValueOf<X>, 4> && TensorOf<W, ValueOf<X>, 4>
void conv2d_backward_input(const Y& dy, const W& w, const Conv2DOptions& options, X&& dx,
                           ValueOf<X> beta = ValueOf<X>(0)) {
  const ReadableView<Y> dout = dy;
  const ReadableView<W> weights = w;
  const WritableView<X> din = dx;
  const Conv2DGeometry g = conv2d_geometry("conv2d_backward_input", options, din.shape());
  detail::check_shape("conv2d_backward_input", "dy", g.y_shape(), dout.shape());
  detail::check_shape("conv2d_backward_input", "w", g.w_shape(), weights.shape());
  Tensor<ValueOf<X>, 4> memory;
  const TensorView<const ValueOf<X>, 4> filters = detail::filters_in_rows(weights, memory);
  detail::scale(din, beta);
  detail::for_each_group<ValueOf<X>>(g, [&](Groups group) {
    const auto W_g = unfold::filters(filters, g.G, group);  // [OC/G, K]
    const auto dX_g = col2im(din, options, group);          // [K, P]
    (beta == ValueOf<X>(0) ? dX_g.from_zero() : dX_g) += W_g.transpose() * channels(dout, g.G, group);
  });
}

/// The gradient of the weights.
///
///   dW_g = beta*dW_g + dY_g * im2col(x, g)^T      for every group g
///
/// Shape   x [N, IC, IH, IW], dy [N, OC, OH, OW]  ->  dw [OC, IC/G, KH, KW]
/// Writes  dw: beta 0 overwrites it, beta 1 adds to it. dw must not overlap x or dy
/// Errors  ShapeError if an option breaks its rule or a shape differs; nothing is written then
/// Cost    N*OC*OH*OW*K multiply-adds; workspace_bytes of scratch a thread; and the memory of a copy of the weights,
///         where their axes from 1 on do not lie in one stride
template <TensorOfRank<4> X, TensorOfRank<4> Y, WritableTensorOfRank<4> W>
  requires TensorOf<X, ValueOf<W>, 4> && TensorOf<Y, ValueOf<W>, 4>
void conv2d_backward_weights(const X& x, const Y& dy, const Conv2DOptions& options, W&& dw,
                             ValueOf<W> beta = ValueOf<W>(0)) {
  const ReadableView<X> in = x;
  const ReadableView<Y> dout = dy;
  const WritableView<W> dfilters = dw;
  const Conv2DGeometry g = conv2d_geometry("conv2d_backward_weights", options, in.shape());
  detail::check_shape("conv2d_backward_weights", "dy", g.y_shape(), dout.shape());
  detail::check_shape("conv2d_backward_weights", "dw", g.w_shape(), dfilters.shape());
  if (!detail::has_filters_in_rows(dfilters)) {
    Tensor<ValueOf<W>, 4> copy(dfilters);
    conv2d_backward_weights(in, dout, options, copy, beta);
    return detail::copy_into(dfilters, copy);
  }
  detail::scale(dfilters, beta);
  detail::for_each_group<ValueOf<W>>(g, [&](Groups group) {
    const auto X_g = im2col(in, options, group);  // [K, P]
    detail::assign_product(filters(dfilters, g.G, group), channels(dout, g.G, group) * X_g.transpose(), beta);
  });
}

}  // namespace unfold
