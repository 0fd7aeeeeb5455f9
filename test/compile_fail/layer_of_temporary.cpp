// SPDX-License-Identifier: MIT
// A layer keeps a view of its input for backward, so a tensor that dies at once is refused.
// expected: deleted
// expected: forward
#include <unfold/nn/conv2d.hpp>

using unfold::Tensor;

Tensor<float, 4> images();

void f(unfold::Conv2D<float>& layer) {
#ifdef WRONG
  layer.forward(images());
#else
  const Tensor<float, 4> x = images();
  layer.forward(x);
#endif
}
