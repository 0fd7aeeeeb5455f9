// SPDX-License-Identifier: MIT
// The three products take image batches: one image is a batch of one.
// expected: TensorOfRank
// expected by gcc: '(unfold::detail::AsTensor<typename std::remove_reference<_Tp>::type>::rank == Rank)' is not satisfied
// expected by clang: (3 == 4) evaluated to false
#include <unfold/nn/conv2d_products.hpp>

using unfold::Tensor;

void f(const Tensor<float, 4>& x, const Tensor<float, 4>& dy, const unfold::Conv2DOptions& options,
       Tensor<float, 4>& dw) {
#ifdef WRONG
  conv2d_backward_weights(x[0], dy, options, dw);
#else
  conv2d_backward_weights(x.slice(0, 0, 1), dy, options, dw);
#endif
}
