// SPDX-License-Identifier: MIT
#include "wrong_use/wrong_call.hpp"

#include <unfold/nn/conv2d.hpp>
#include <unfold/verify/reference.hpp>

using namespace unfold;
using test::huge;

namespace {

struct Products {
  Conv2DOptions options{.in_channels = 6, .out_channels = 4, .kernel = {3, 2}, .groups = 2};
  Tensor<float, 4> x = test::counted(Shape{2, 6, 5, 4}), w = test::counted(Shape{4, 3, 3, 2});
  Tensor<float, 4> y = test::counted(Shape{2, 4, 3, 3}), wide = test::counted(Shape{4, 3, 3, 4});
  Tensor<float, 1> b = test::counted(Shape<1>(4)), short_b = test::counted(Shape<1>(3));
  Eigen::MatrixXf matrix = Eigen::MatrixXf::Ones(18, 17), tall = Eigen::MatrixXf::Ones(19, 2);

  std::vector<float> bits() const {
    std::vector<float> bits;
    for (const auto* tensor : {&x, &w, &y, &wide}) test::append(bits, *tensor);
    for (const auto* vector : {&b, &short_b}) test::append(bits, *vector);
    return bits;
  }
  void step() { conv2d_forward(x, w, options, y); }
};

const test::WrongCalls<Products> product_calls{
    // The convolution: each tensor of a wrong shape, axis by axis.
    {"unfold::conv2d_forward: x must be [N, 6, IH, IW] with IH, IW >= 1, got [2, 5, 5, 4]",
     [](auto& s) { conv2d_forward(s.x.slice(1, 0, 5), s.w, s.options, s.y); }},
    {"unfold::conv2d_forward: x must be [N, 6, IH, IW] with IH, IW >= 1, got [2, 6, 0, 4]",
     [](auto& s) { conv2d_forward(s.x.slice(2, 0, 0), s.w, s.options, s.y); }},
    {"unfold::conv2d_forward: x must be [N, 6, IH, IW] with IH, IW >= 1, got [2, 6, 5, 0]",
     [](auto& s) { conv2d_forward(s.x.slice(3, 0, 0), s.w, s.options, s.y); }},
    {"unfold::conv2d_forward: the kernel must fit the padded image (kernel {3, 2}, dilation {1, 1}, padding {0, 0, 0, "
     "0}), got x [2, 6, 5, 1]",
     [](auto& s) { conv2d_forward(s.x.slice(3, 0, 1), s.w, s.options, s.y); }},
    {"unfold::conv2d_forward: w must be [4, 3, 3, 2], got [3, 3, 3, 2]",
     [](auto& s) { conv2d_forward(s.x, s.w.slice(0, 0, 3), s.options, s.y); }},
    {"unfold::conv2d_forward: w must be [4, 3, 3, 2], got [4, 2, 3, 2]",
     [](auto& s) { conv2d_forward(s.x, s.w.slice(1, 0, 2), s.options, s.y); }},
    {"unfold::conv2d_forward: w must be [4, 3, 3, 2], got [4, 3, 2, 2]",
     [](auto& s) { conv2d_forward(s.x, s.w.slice(2, 0, 2), s.options, s.y); }},
    {"unfold::conv2d_forward: y must be [2, 4, 3, 3], got [1, 4, 3, 3]",
     [](auto& s) { conv2d_forward(s.x, s.w, s.options, s.y.slice(0, 0, 1)); }},
    {"unfold::conv2d_forward: y must be [2, 4, 3, 3], got [2, 3, 3, 3]",
     [](auto& s) { conv2d_forward(s.x, s.w, s.options, s.y.slice(1, 0, 3)); }},
    {"unfold::conv2d_forward: y must be [2, 4, 3, 3], got [2, 4, 3, 2]",
     [](auto& s) { conv2d_forward(s.x, s.w, s.options, s.y.slice(3, 1, 2)); }},
    {"unfold::conv2d_forward: y must be [0, 4, 3, 3], got [2, 4, 3, 3]",
     [](auto& s) { conv2d_forward(s.x.slice(0, 0, 0), s.w, s.options, s.y); }},
    {"unfold::TensorView: the size in bytes must fit 63 bits, got [144115188075855872, 6, 5, 4]",
     [](auto& s) {
       const TensorView<const float, 4> many(s.x.data(), {Index{1} << 57, 6, 5, 4}, {0, 20, 4, 1});
       conv2d_forward(many, s.w, s.options, s.y);
     }},
    {"unfold::conv2d_backward_input: x must be [N, 6, IH, IW] with IH, IW >= 1, got [2, 4, 5, 4]",
     [](auto& s) { conv2d_backward_input(s.y, s.w, s.options, s.x.slice(1, 0, 4)); }},
    {"unfold::conv2d_backward_input: dy must be [2, 4, 3, 3], got [1, 4, 3, 3]",
     [](auto& s) { conv2d_backward_input(s.y.slice(0, 0, 1), s.w, s.options, s.x); }},
    {"unfold::conv2d_backward_input: dy must be [2, 4, 3, 3], got [2, 3, 3, 3]",
     [](auto& s) { conv2d_backward_input(s.y.slice(1, 1, 3), s.w, s.options, s.x); }},
    {"unfold::conv2d_backward_input: dy must be [2, 4, 3, 3], got [2, 4, 2, 3]",
     [](auto& s) { conv2d_backward_input(s.y.slice(2, 0, 2), s.w, s.options, s.x); }},
    {"unfold::conv2d_backward_input: w must be [4, 3, 3, 2], got [4, 3, 3, 1]",
     [](auto& s) { conv2d_backward_input(s.y, s.w.slice(3, 0, 1), s.options, s.x); }},
    {"unfold::conv2d_backward_input: w must be [4, 3, 3, 2], got [4, 3, 3, 4]",
     [](auto& s) { conv2d_backward_input(s.y, s.wide, s.options, s.x); }},
    {"unfold::conv2d_backward_weights: x must be [N, 6, IH, IW] with IH, IW >= 1, got [2, 3, 5, 4]",
     [](auto& s) { conv2d_backward_weights(s.x.slice(1, 2, 3), s.y, s.options, s.w); }},
    {"unfold::conv2d_backward_weights: dy must be [1, 4, 3, 3], got [2, 4, 3, 3]",
     [](auto& s) { conv2d_backward_weights(s.x.slice(0, 0, 1), s.y, s.options, s.w); }},
    {"unfold::conv2d_backward_weights: dy must be [2, 4, 3, 3], got [2, 4, 3, 2]",
     [](auto& s) { conv2d_backward_weights(s.x, s.y.slice(3, 0, 2), s.options, s.w); }},
    {"unfold::conv2d_backward_weights: dw must be [4, 3, 3, 2], got [2, 3, 3, 2]",
     [](auto& s) { conv2d_backward_weights(s.x, s.y, s.options, s.w.slice(0, 0, 2)); }},
    {"unfold::conv2d_backward_weights: dw must be [4, 3, 3, 2], got [4, 1, 3, 2]",
     [](auto& s) { conv2d_backward_weights(s.x, s.y, s.options, s.w.slice(1, 0, 1)); }},
    // The views.
    {"unfold::im2col: group must be in [0, 2), got -1", [](auto& s) { im2col(s.x, s.options, -1); }},
    {"unfold::im2col: group must be in [0, 2), got 2", [](auto& s) { im2col(s.x, s.options, 2); }},
    {"unfold::im2col: x must be [N, 6, IH, IW] with IH, IW >= 1, got [4, 3, 3, 2]",
     [](auto& s) { im2col(s.w, s.options); }},
    {"unfold::col2im: group must be in [0, 2), got 2", [](auto& s) { col2im(s.x, s.options, 2); }},
    {"unfold::col2im: group must be in [0, 2), got -4611686018427387904",
     [](auto& s) { col2im(s.x, s.options, -huge); }},
    {"unfold::col2im: x must be [N, 6, IH, IW] with IH, IW >= 1, got [2, 4, 3, 3]",
     [](auto& s) { col2im(s.y, s.options); }},
    {"unfold::col2im: the matrix added must be [18, 18], got [18, 17]",
     [](auto& s) { col2im(s.x, s.options) += s.matrix; }},
    {"unfold::col2im: the matrix added must be [18, 18], got [19, 2]",
     [](auto& s) { col2im(s.x, s.options) += s.tall; }},
    {"unfold::col2im: the matrix added must be [18, 18], got [18, 17]",
     [](auto& s) { col2im(s.x, s.options).from_zero() += s.matrix; }},
    {"unfold::col2im: the matrix added must be [18, 18], got [17, 17]",
     [](auto& s) { col2im(s.x, s.options, 1) += s.matrix.transpose() * s.matrix; }},
    {"unfold::col2im: the matrix added must be [18, 18], got [19, 19]",
     [](auto& s) { col2im(s.x, s.options).from_zero() += s.tall * s.tall.transpose(); }},
    {"unfold::channels: groups must divide the channels, got 0 for [2, 4, 3, 3]",
     [](auto& s) { channels(s.y, 0).setZero(); }},
    {"unfold::channels: groups must divide the channels, got -2 for [2, 4, 3, 3]",
     [](auto& s) { channels(s.y, -2).setZero(); }},
    {"unfold::channels: groups must divide the channels, got 3 for [2, 4, 3, 3]",
     [](auto& s) { channels(s.y, 3).setZero(); }},
    {"unfold::channels: group must be in [0, 2), got 2", [](auto& s) { channels(s.y, 2, 2).setZero(); }},
    {"unfold::channels: group must be in [0, 2), got -1", [](auto& s) { channels(s.y, 2, -1).setZero(); }},
    // The reference.
    {"unfold::reference::conv2d_forward: x must have 6 channels, got [2, 5, 5, 4]",
     [](auto& s) { reference::conv2d_forward(s.x.slice(1, 0, 5), s.w, s.options, s.y); }},
    {"unfold::reference::conv2d_forward: the kernel must fit the padded image, got x [2, 6, 2, 4]",
     [](auto& s) { reference::conv2d_forward(s.x.slice(2, 0, 2), s.w, s.options, s.y); }},
    {"unfold::reference::conv2d_forward: w must be [4, 3, 3, 2], got [4, 3, 3, 4]",
     [](auto& s) { reference::conv2d_forward(s.x, s.wide, s.options, s.y); }},
    {"unfold::reference::conv2d_forward: y must be [2, 4, 3, 3], got [2, 4, 1, 3]",
     [](auto& s) { reference::conv2d_forward(s.x, s.w, s.options, s.y.slice(2, 0, 1)); }},
    {"unfold::reference::conv2d_backward_input: y must be [2, 4, 3, 3], got [1, 4, 3, 3]",
     [](auto& s) { reference::conv2d_backward_input(s.y.slice(0, 0, 1), s.w, s.options, s.x); }},
    {"unfold::reference::conv2d_backward_weights: w must be [4, 3, 3, 2], got [4, 3, 2, 2]",
     [](auto& s) { reference::conv2d_backward_weights(s.x, s.y, s.options, s.w.slice(2, 0, 2)); }},
    {"unfold::reference::add_bias: b must be [4], got [3]", [](auto& s) { reference::add_bias(s.short_b, s.y); }},
    {"unfold::reference::bias_gradient: db must be [4], got [3]",
     [](auto& s) { reference::bias_gradient(s.y, s.short_b); }},
};

}  // namespace

TEST_CASE("A wrong call of the products, their views and the reference says what is wrong and writes nothing") {
  product_calls.check();
}
