// SPDX-License-Identifier: MIT
// Two convolutions, each with pooling, then two dense layers.
// Source  Y. LeCun et al., Gradient-based learning applied to document recognition, 1998, with today's ReLU and maxima
#include "network_of.hpp"

#include <unfold/nn/conv2d.hpp>
#include <unfold/nn/dense.hpp>
#include <unfold/nn/flatten.hpp>
#include <unfold/nn/pooling.hpp>

namespace unfold::program {

template <class T>
std::unique_ptr<Network> make_lenet(Extent2D image, const PixelScale& scale) {
  constexpr Activation relu = Activation::relu;
  const auto extent = [](Index before) { return ((before - 4) / 2 - 4) / 2; };  // behind both convolutions and poolings
  const Index h = extent(image.height), w = extent(image.width);
  Sequential layers(Conv2D<T>({.in_channels = 1, .out_channels = 20, .kernel = {5, 5}, .activation = relu}),
                    MaxPool2D<T>({.kernel = {2, 2}}),
                    Conv2D<T>({.in_channels = 20, .out_channels = 50, .kernel = {5, 5}, .activation = relu}),
                    MaxPool2D<T>({.kernel = {2, 2}}),  // [N, 50, h, w]
                    Flatten<T>(),                      // [N, 50*h*w]
                    Dense<T>({.inputs = 50 * h * w, .outputs = 128, .activation = relu}),
                    Dense<T>({.inputs = 128, .outputs = classes}));
  return network_of(std::move(layers), scale);
}

template std::unique_ptr<Network> make_lenet<float>(Extent2D, const PixelScale&);
template std::unique_ptr<Network> make_lenet<double>(Extent2D, const PixelScale&);

}  // namespace unfold::program
