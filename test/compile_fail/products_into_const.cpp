// SPDX-License-Identifier: MIT
// The result of a product is written.
// expected: WritableTensorOfRank
#include <unfold/nn/conv2d_products.hpp>

using unfold::Tensor;

#ifdef WRONG
void f(const Tensor<float, 4>& dy, const Tensor<float, 4>& w, const Tensor<float, 4>& dx) {
#else
void f(const Tensor<float, 4>& dy, const Tensor<float, 4>& w, Tensor<float, 4>& dx) {
#endif
  conv2d_backward_input(dy, w, {.in_channels = 1, .out_channels = 2, .kernel = {3, 5}}, dx);
}
