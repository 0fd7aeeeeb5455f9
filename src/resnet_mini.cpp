// SPDX-License-Identifier: MIT
// A stem, three residual blocks of batch-normalised 3x3 convolutions, the mean of each channel, one dense layer.
// Source  K. He et al., Deep residual learning for image recognition, 2015, in miniature
#include "network_of.hpp"
#include "normalized.hpp"

#include <unfold/nn/dense.hpp>
#include <unfold/nn/flatten.hpp>
#include <unfold/nn/pooling.hpp>
#include <unfold/nn/residual.hpp>

namespace unfold::program {
namespace {

/// y = relu(conv(conv(x)) + x)
template <class T>
auto block(Index C) {
  return Residual(
      Sequential(normalized<T>({.in_channels = C, .out_channels = C, .kernel = {3, 3}, .activation = Activation::relu}),
                 normalized<T>({.in_channels = C, .out_channels = C, .kernel = {3, 3}})));
}

/// The same to OC channels of half the height and width; the shortcut is then a 1x1 convolution.
template <class T>
auto halving_block(Index IC, Index OC) {
  return Residual(Sequential(normalized<T>({.in_channels = IC,
                                            .out_channels = OC,
                                            .kernel = {3, 3},
                                            .stride = {2, 2},
                                            .activation = Activation::relu}),
                             normalized<T>({.in_channels = OC, .out_channels = OC, .kernel = {3, 3}})),
                  normalized<T>({.in_channels = IC, .out_channels = OC, .stride = {2, 2}}));
}

}  // namespace

template <class T>
std::unique_ptr<Network> make_resnet_mini(Extent2D /*any*/, const PixelScale& scale) {
  const Conv2DOptions stem{.in_channels = 1, .out_channels = 16, .kernel = {3, 3}, .activation = Activation::relu};
  Sequential layers(normalized<T>(stem),               // [N, 16, H, W]
                    MaxPool2D<T>({.kernel = {2, 2}}),  // [N, 16, H/2, W/2]
                    block<T>(16),                      // [N, 16, H/2, W/2]
                    halving_block<T>(16, 32),          // [N, 32, H/4, W/4]
                    halving_block<T>(32, 64),          // [N, 64, H/8, W/8]
                    AvgPool2D<T>::global(),            // [N, 64, 1, 1]
                    Flatten<T>(),                      // [N, 64]
                    Dense<T>({.inputs = 64, .outputs = classes}));
  return network_of(std::move(layers), scale);
}

template std::unique_ptr<Network> make_resnet_mini<float>(Extent2D, const PixelScale&);
template std::unique_ptr<Network> make_resnet_mini<double>(Extent2D, const PixelScale&);

}  // namespace unfold::program
