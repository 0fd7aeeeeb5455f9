// SPDX-License-Identifier: MIT
// A user of <unfold/instances.hpp>: one step of training with code that comes from the library unfold-instances.
#include <unfold/instances.hpp>

int main() {
  unfold::Conv2D<float> layer({.in_channels = 1, .out_channels = 1, .kernel = {2, 3}});
  layer.weights().fill(1);
  const unfold::Tensor<float, 4> x({1, 1, 2, 3}, 1);
  const bool forward = layer.forward(x) == unfold::Tensor<float, 4>({1, 1, 1, 1}, 6);
  const bool backward =
      layer.backward(unfold::Tensor<float, 4>({1, 1, 1, 1}, 2)) == unfold::Tensor<float, 4>(x.shape(), 2);
  return forward && backward ? 0 : 1;
}
