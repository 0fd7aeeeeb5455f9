// SPDX-License-Identifier: MIT
// LoopConv: a convolution in plain loops over any scalar, with a fault of one's choice in its backward: what a gradient
// check must catch. Without a fault it is a twin for the check, and shares no code with the library's.
#pragma once

#include "support/fill.hpp"

#include <unfold/verify/reference.hpp>

#include <cstdint>

namespace unfold::test {

enum class Fault : std::uint8_t {
  none,
  one_entry,         // dw(1, 0, 1, 0) is larger by the part `amount`
  all_entries,       // so is all of dw
  sign,              // dw is -dw
  scale,             // dw is the mean over the batch
  transposed,        // the rows of a filter's gradient are its columns
  missing_term,      // dw misses the last image
  stale_input,       // dw is that of the first input ever seen
  stale_weights,     // forward uses the first weights ever seen
  ignored_dilation,  // backward is that of dilation 1
  swapped_stride,    // backward takes SH for SW
  missed_group,      // backward takes every group's input from the first
  shortcut,          // backward of a 1x1 kernel has no stride
  shortcut_in_both,  // nor has forward: the two agree
};

/// y = conv(x, w), as reference::conv2d_forward; one filter bank, no bias.
template <class T>
class LoopConv {
 public:
  using value_type = T;

  explicit LoopConv(const Conv2DOptions& options, Fault fault = Fault::none, double amount = 0)
      : w({options.out_channels, options.in_channels / options.groups, options.kernel.height, options.kernel.width}),
        dw(w.shape()),
        options_(options),
        fault_(fault),
        amount_(amount) {
    Random random(7);
    fill_normal(w.view(), random);
  }

  const Tensor<T, 4>& forward(TensorView<const T, 4> x, Mode = Mode::training) {
    x_ = x;
    if (first_x_.size() == 0) first_x_ = Tensor<T, 4>(x);
    if (first_w_.size() == 0) first_w_ = w;
    const Tensor<T, 4>& used = fault_ == Fault::stale_weights ? first_w_ : w;
    y_ = Tensor<T, 4>(conv2d_geometry("test::LoopConv", options_, x.shape()).y_shape());
    Conv2DOptions options = options_;
    if (fault_ == Fault::shortcut_in_both) options.stride = {1, 1};
    reference::for_each_product(options, x.shape(), y_.shape(), [&](const reference::Product& p) {
      y_(p.n, p.oc, p.oh, p.ow) += x(p.n, p.ic, p.ih, p.iw) * used(p.oc, p.c, p.kh, p.kw);
    });
    return y_;
  }

  const Tensor<T, 4>& backward(TensorView<const T, 4> dy, InputGradient = InputGradient::compute) {
    dx_ = Tensor<T, 4>(x_.shape());
    Tensor<T, 4> added(w.shape());
    const TensorView<const T, 4> x = fault_ == Fault::stale_input ? std::as_const(first_x_).view() : x_;
    const auto walk = [&](const reference::Product& p) {
      const Index ic = fault_ == Fault::missed_group ? p.c : p.ic;
      const bool turned = fault_ == Fault::transposed;
      dx_(p.n, ic, p.ih, p.iw) += w(p.oc, p.c, p.kh, p.kw) * dy(p.n, p.oc, p.oh, p.ow);
      if (fault_ == Fault::missing_term && p.n == x.shape(0) - 1) return;
      added(p.oc, p.c, turned ? p.kw : p.kh, turned ? p.kh : p.kw) +=
          x(p.n, ic, p.ih, p.iw) * dy(p.n, p.oc, p.oh, p.ow);
    };
    reference::for_each_product(options_of_backward(), x.shape(), dy.shape(), walk);
    const T more = T(1) + T(amount_);
    if (fault_ == Fault::one_entry) added(1, 0, 1, 0) *= more;
    for (Index i = 0; i < dw.size(); ++i) {
      T& g = added.data()[i];
      if (fault_ == Fault::all_entries) g *= more;
      if (fault_ == Fault::sign) g = -g;
      if (fault_ == Fault::scale) g /= T(static_cast<double>(x.shape(0)));
      dw.data()[i] += g;
    }
    return dx_;
  }

  template <class Visit>
  void visit_parameters(Visit&& visit) {
    visit("weights", w.view(), dw.view());
  }

  Tensor<T, 4> w, dw;

 private:
  Conv2DOptions options_of_backward() const {
    Conv2DOptions options = options_;
    if (fault_ == Fault::ignored_dilation) options.dilation = {1, 1};
    if (fault_ == Fault::swapped_stride) options.stride = {options.stride.width, options.stride.height};
    if (fault_ == Fault::shortcut || fault_ == Fault::shortcut_in_both) options.stride = {1, 1};
    return options;
  }

  Conv2DOptions options_;
  Fault fault_;
  double amount_;
  TensorView<const T, 4> x_;
  Tensor<T, 4> first_x_, first_w_, y_, dx_;
};

}  // namespace unfold::test
