// SPDX-License-Identifier: MIT
// The three products take tensors of one element type.
// expected: TensorOf
// expected: unfold::Tensor<double, 4>
#include <unfold/nn/conv2d_products.hpp>

using unfold::Tensor;

void f(const Tensor<float, 4>& x, const Tensor<double, 4>& u, const unfold::Conv2DOptions& options, Tensor<float, 4>& w,
       Tensor<float, 4>& y) {
#ifdef WRONG
  conv2d_forward(u, w, options, y);
#else
  (void)u;
  conv2d_forward(x, w, options, y);
#endif
}
