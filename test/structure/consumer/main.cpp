// SPDX-License-Identifier: MIT
// A user of the installed library: one header, one convolution.
#include <unfold/unfold.hpp>

#include <iostream>

int main() {
  unfold::Conv2D<float> layer({.in_channels = 1, .out_channels = 2, .kernel = {3, 3}});
  const unfold::Tensor<float, 4> x({1, 1, 5, 7});
  std::cout << to_string(layer.forward(x).shape()) << '\n';
}
