// SPDX-License-Identifier: MIT
// The convolution that the models with batch normalisation are made of.
#pragma once

#include <unfold/nn/conv2d.hpp>

namespace unfold::program {

/// A batch-normalised convolution, padded so that only its stride makes the image smaller. Its kernel must be odd;
/// its padding and batch_norm are set here.
template <class T>
Conv2D<T> normalized(Conv2DOptions options) {
  const Index vertical = options.kernel.height / 2, horizontal = options.kernel.width / 2;
  options.padding = {vertical, vertical, horizontal, horizontal};
  options.batch_norm = BatchNorm::standard;
  return Conv2D<T>(options);
}

}  // namespace unfold::program
