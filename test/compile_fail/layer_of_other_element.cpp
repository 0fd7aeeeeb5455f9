// SPDX-License-Identifier: MIT
// A layer over float takes no double.
// expected: no known conversion
// expected: TensorView<const float, 4>
#include <unfold/nn/conv2d.hpp>

#ifdef WRONG
using Images = unfold::Tensor<double, 4>;
#else
using Images = unfold::Tensor<float, 4>;
#endif

void f(unfold::Conv2D<float>& layer, const Images& x) { layer.forward(x); }
