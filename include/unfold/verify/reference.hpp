// SPDX-License-Identifier: MIT
// The convolution and its gradients as plain loops: slow, readable, exact where the numbers are; the
// judge of everything faster, so it shares no product, view or size formula with what it judges.
// Sums run in the element type of the output: pass a long double output for sums in long double.
// See docs/06_gradient_checks.md.
#pragma once

#include <unfold/core/geometry.hpp>  // detail::check_options
#include <unfold/core/tensor.hpp>

#include <cmath>  // std::abs

namespace unfold::reference {

/// The number of window positions along one axis, counted one by one. The window that begins at element
/// `begin` of the padded axis covers begin, begin + dilation, ..., begin + dilation*(kernel-1).
inline Index window_positions(Index in, Index before, Index after, Index kernel, Index stride, Index dilation) {
  Index count = 0;
  for (Index begin = 0; begin + dilation * (kernel - 1) < before + in + after; begin += stride) ++count;
  return count;
}

/// One product x(n, ic, ih, iw) * w(oc, c, kh, kw) of the sum that is y(n, oc, oh, ow).
struct Product {
  Index n, oc, oh, ow;
  Index ic, ih, iw;
  Index c, kh, kw;  // c: the input channel counted inside its group
};

/// Calls f(product) for every product of the convolution, images outermost.
///
///   ih + PT = oh*SH + kh*DH ,  iw + PL = ow*SW + kw*DW ,  both inside the image ;  ic = c + IC/G * (the group of oc)
template <class F>
void for_each_product(const Conv2DOptions& o, const Shape<4>& x, const Shape<4>& y, F&& f) {
  const Index channels = o.in_channels / o.groups;  // of x, that one output channel sees
  const Index filters = o.out_channels / o.groups;  // of w, in one group
  for (Index n = 0; n < x[0]; ++n) {
    for (Index oc = 0; oc < o.out_channels; ++oc) {
      for (Index c = 0; c < channels; ++c) {
        const Index ic = oc / filters * channels + c;
        for (Index oh = 0; oh < y[2]; ++oh) {
          for (Index kh = 0; kh < o.kernel.height; ++kh) {
            const Index ih = oh * o.stride.height + kh * o.dilation.height - o.padding.top;
            if (ih < 0 || ih >= x[2]) continue;
            for (Index kw = 0; kw < o.kernel.width; ++kw) {
              for (Index ow = 0; ow < y[3]; ++ow) {
                const Index iw = ow * o.stride.width + kw * o.dilation.width - o.padding.left;
                if (iw < 0 || iw >= x[3]) continue;
                f(Product{n, oc, oh, ow, ic, ih, iw, c, kh, kw});
              }
            }
          }
        }
      }
    }
  }
}

/// Errors: ShapeError unless the three shapes are those of one convolution with these options.
inline void check_shapes(const char* function, const Conv2DOptions& o, const Shape<4>& x, const Shape<4>& w,
                         const Shape<4>& y) {
  using unfold::detail::fail;
  unfold::detail::check_options(function, o);
  const auto& [T, B, L, R] = o.padding;
  const Index OH = window_positions(x[2], T, B, o.kernel.height, o.stride.height, o.dilation.height);
  const Index OW = window_positions(x[3], L, R, o.kernel.width, o.stride.width, o.dilation.width);
  const Shape<4> filters{o.out_channels, o.in_channels / o.groups, o.kernel.height, o.kernel.width};
  const Shape<4> pixels{x[0], o.out_channels, OH, OW};
  if (x[1] != o.in_channels) {
    fail(function, "x must have " + std::to_string(o.in_channels) + " channels", to_string(x));
  }
  if (OH == 0 || OW == 0) fail(function, "the kernel must fit the padded image", "x " + to_string(x));
  if (w != filters) fail(function, "w must be " + to_string(filters), to_string(w));
  if (y != pixels) fail(function, "y must be " + to_string(pixels), to_string(y));
}

/// The convolution, without bias (cross-correlation: the kernel is not turned).
///
///   y(n, oc, oh, ow) = sum over c, kh, kw of x(n, ic, ih, iw) * w(oc, c, kh, kw)
///
/// Shape   x [N, IC, IH, IW], w [OC, IC/G, KH, KW] -> y [N, OC, OH, OW]
/// Writes  y is overwritten
/// Errors  ShapeError if the shapes are not those of one convolution
template <TensorOfRank<4> X, TensorOfRank<4> W, WritableTensorOfRank<4> Y>
void conv2d_forward(const X& x_in, const W& w_in, const Conv2DOptions& options, Y&& y_out) {
  using Sum = ValueOf<Y>;
  const ReadableView<X> x = x_in;   // [N, IC, IH, IW]
  const ReadableView<W> w = w_in;   // [OC, IC/G, KH, KW]
  const WritableView<Y> y = y_out;  // [N, OC, OH, OW]
  check_shapes("reference::conv2d_forward", options, x.shape(), w.shape(), y.shape());
  y.fill(Sum(0));
  for_each_product(options, x.shape(), y.shape(), [&](const Product& p) {
    y(p.n, p.oc, p.oh, p.ow) += Sum(x(p.n, p.ic, p.ih, p.iw)) * Sum(w(p.oc, p.c, p.kh, p.kw));
  });
}

/// The gradient of sum(y*dy) by x.
///
///   dx(n, ic, ih, iw) = sum over the products with x(n, ic, ih, iw) of dy(n, oc, oh, ow) * w(oc, c, kh, kw)
///
/// Shape   dy [N, OC, OH, OW], w [OC, IC/G, KH, KW] -> dx [N, IC, IH, IW]
/// Writes  dx is overwritten; pixels under no window get 0
/// Errors  ShapeError if the shapes are not those of one convolution
template <TensorOfRank<4> DY, TensorOfRank<4> W, WritableTensorOfRank<4> DX>
void conv2d_backward_input(const DY& dy_in, const W& w_in, const Conv2DOptions& options, DX&& dx_out) {
  using Sum = ValueOf<DX>;
  const ReadableView<DY> dy = dy_in;   // [N, OC, OH, OW]
  const ReadableView<W> w = w_in;      // [OC, IC/G, KH, KW]
  const WritableView<DX> dx = dx_out;  // [N, IC, IH, IW]
  check_shapes("reference::conv2d_backward_input", options, dx.shape(), w.shape(), dy.shape());
  dx.fill(Sum(0));
  for_each_product(options, dx.shape(), dy.shape(), [&](const Product& p) {
    dx(p.n, p.ic, p.ih, p.iw) += Sum(dy(p.n, p.oc, p.oh, p.ow)) * Sum(w(p.oc, p.c, p.kh, p.kw));
  });
}

/// The gradient of sum(y*dy) by w.
///
///   dw(oc, c, kh, kw) = sum over n, oh, ow of dy(n, oc, oh, ow) * x(n, ic, ih, iw)
///
/// Shape   x [N, IC, IH, IW], dy [N, OC, OH, OW] -> dw [OC, IC/G, KH, KW]
/// Writes  dw is overwritten
/// Errors  ShapeError if the shapes are not those of one convolution
template <TensorOfRank<4> X, TensorOfRank<4> DY, WritableTensorOfRank<4> DW>
void conv2d_backward_weights(const X& x_in, const DY& dy_in, const Conv2DOptions& options, DW&& dw_out) {
  using Sum = ValueOf<DW>;
  const ReadableView<X> x = x_in;      // [N, IC, IH, IW]
  const ReadableView<DY> dy = dy_in;   // [N, OC, OH, OW]
  const WritableView<DW> dw = dw_out;  // [OC, IC/G, KH, KW]
  check_shapes("reference::conv2d_backward_weights", options, x.shape(), dw.shape(), dy.shape());
  dw.fill(Sum(0));
  for_each_product(options, x.shape(), dy.shape(), [&](const Product& p) {
    dw(p.oc, p.c, p.kh, p.kw) += Sum(dy(p.n, p.oc, p.oh, p.ow)) * Sum(x(p.n, p.ic, p.ih, p.iw));
  });
}

/// Adds b to y:  y(n, oc, oh, ow) += b(oc)
///
/// Shape   b [OC] -> y [N, OC, OH, OW]
/// Errors  ShapeError if b does not have y's channels
template <TensorOfRank<1> B, WritableTensorOfRank<4> Y>
void add_bias(const B& b_in, Y&& y_out) {
  const ReadableView<B> b = b_in;   // [OC]
  const WritableView<Y> y = y_out;  // [N, OC, OH, OW]
  unfold::detail::require(b.shape(0) == y.shape(1), "reference::add_bias",
                          "b must be [" + std::to_string(y.shape(1)) + "]", b.shape());
  for (Index n = 0; n < y.shape(0); ++n) {
    for (Index oc = 0; oc < y.shape(1); ++oc) {
      for (Index oh = 0; oh < y.shape(2); ++oh) {
        for (Index ow = 0; ow < y.shape(3); ++ow) y(n, oc, oh, ow) += ValueOf<Y>(b(oc));
      }
    }
  }
}

/// The gradient of sum(y*dy) by b:  db(oc) = sum over n, oh, ow of dy(n, oc, oh, ow)
///
/// Shape   dy [N, OC, OH, OW] -> db [OC]
/// Writes  db is overwritten
/// Errors  ShapeError if db does not have dy's channels
template <TensorOfRank<4> DY, WritableTensorOfRank<1> DB>
void bias_gradient(const DY& dy_in, DB&& db_out) {
  const ReadableView<DY> dy = dy_in;   // [N, OC, OH, OW]
  const WritableView<DB> db = db_out;  // [OC]
  unfold::detail::require(db.shape(0) == dy.shape(1), "reference::bias_gradient",
                          "db must be [" + std::to_string(dy.shape(1)) + "]", db.shape());
  db.fill(ValueOf<DB>(0));
  for (Index n = 0; n < dy.shape(0); ++n) {
    for (Index oc = 0; oc < dy.shape(1); ++oc) {
      for (Index oh = 0; oh < dy.shape(2); ++oh) {
        for (Index ow = 0; ow < dy.shape(3); ++ow) db(oc) += ValueOf<DB>(dy(n, oc, oh, ow));
      }
    }
  }
}

/// |q| of every element. A function above called on magnitudes gives S, the sum of |a||b| by which the
/// rounding error of the same sum over a*b is bounded: |error| <= terms * epsilon * S, in any order.
///
/// Shape   q [...] -> [...]
template <class Q>
auto magnitude(const Q& q) {
  using std::abs;
  using T = ValueOf<Q>;
  Tensor<T, Q::rank> magnitudes{ReadableView<Q>(q)};
  const TensorView<T, 1> all(magnitudes.data(), {magnitudes.size()});
  for (Index i = 0; i < all.size(); ++i) all(i) = T(abs(all(i)));
  return magnitudes;
}

}  // namespace unfold::reference
