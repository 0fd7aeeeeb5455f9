// SPDX-License-Identifier: MIT
// The first layer of a network keeps a view of the input, so a tensor that dies at once is refused.
// expected: deleted
// expected: forward
#include <unfold/nn/conv2d.hpp>
#include <unfold/nn/sequential.hpp>

using unfold::Conv2D;
using unfold::Tensor;

Tensor<float, 4> images();

void f(unfold::Sequential<Conv2D<float>, Conv2D<float>>& network) {
#ifdef WRONG
  network.forward(images());
#else
  const Tensor<float, 4> x = images();
  network.forward(x);
#endif
}
