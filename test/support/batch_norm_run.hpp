// SPDX-License-Identifier: MIT
// One training step of batch normalisation, and the shapes on which the tests run it.
#pragma once

#include "support/batch_norm_reference.hpp"

#include <unfold/nn/batch_norm.hpp>

namespace unfold::test {

// The last three have one pixel, two samples a channel, and one column.
inline const Shape<4> norm_shapes[] = {{3, 5, 4, 7}, {1, 3, 2, 5}, {9, 2, 1, 1}, {2, 4, 1, 1}, {2, 3, 5, 1}};

template <class T>
struct NormRun {
  NormRun(BatchNorm kind, const NormData& data)
      : norm(kind, data.x.shape(1)), y(converted<T>(data.x)), dx(converted<T>(data.dy)) {
    norm.forward(y, converted<T>(data.scales), converted<T>(data.bias), Mode::training);
    norm.backward(dx, converted<T>(data.scales), dscales, dbias);
  }
  BatchNormalization<T> norm;
  Tensor<T, 4> y, dx;
  Tensor<T, 1> dscales{Shape<1>(y.shape(1))}, dbias{Shape<1>(y.shape(1))};
};

}  // namespace unfold::test
