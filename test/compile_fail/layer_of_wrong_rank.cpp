// SPDX-License-Identifier: MIT
// A layer takes an image batch: one image is a batch of one.
// expected by gcc: cannot convert 'TensorView<[...],3>' to 'TensorView<[...],4>'
// expected by clang: no viable conversion from 'TensorView<[...], 4 - 1 aka 3>' to 'TensorView<[...], 4>'
#include <unfold/nn/conv2d.hpp>

void f(unfold::Conv2D<float>& layer, const unfold::Tensor<float, 4>& dy) {
#ifdef WRONG
  layer.backward(dy[0]);
#else
  layer.backward(dy.slice(0, 0, 1));
#endif
}
