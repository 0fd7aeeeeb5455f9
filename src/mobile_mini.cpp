// SPDX-License-Identifier: MIT
// Depthwise 3x3 and pointwise 1x1 convolutions in turn, then one with both in groups; all batch-normalised.
// Source  A. Howard et al., MobileNets, 2017; S. Xie et al., Aggregated residual transformations, 2017, in miniature
#include "network_of.hpp"
#include "normalized.hpp"

#include <unfold/nn/dense.hpp>
#include <unfold/nn/flatten.hpp>
#include <unfold/nn/pooling.hpp>
#include <unfold/nn/residual.hpp>

namespace unfold::program {
namespace {

constexpr Activation relu = Activation::relu;

/// A 3x3 convolution taken apart: each channel by itself, then every pixel by itself.
template <class T>
auto separable(Index IC, Index OC, Extent2D stride) {
  return Sequential(normalized<T>({.in_channels = IC,
                                   .out_channels = IC,
                                   .kernel = {3, 3},
                                   .stride = stride,
                                   .groups = IC,
                                   .activation = relu}),
                    normalized<T>({.in_channels = IC, .out_channels = OC, .activation = relu}));
}

/// y = relu(conv(conv(conv(x))) + x), 1x1 in G groups, 3x3 in 2*G, 1x1 whole.
template <class T>
auto grouped_block(Index C, Index G) {
  return Residual(Sequential(
      normalized<T>({.in_channels = C, .out_channels = C, .groups = G, .activation = relu}),
      normalized<T>({.in_channels = C, .out_channels = C, .kernel = {3, 3}, .groups = 2 * G, .activation = relu}),
      normalized<T>({.in_channels = C, .out_channels = C})));
}

}  // namespace

template <class T>
std::unique_ptr<Network> make_mobile_mini(Extent2D /*any*/, const PixelScale& scale) {
  const Conv2DOptions stem{
      .in_channels = 1, .out_channels = 16, .kernel = {3, 3}, .stride = {2, 2}, .activation = relu};
  Sequential layers(normalized<T>(stem),           // [N, 16, H/2, W/2]
                    separable<T>(16, 32, {1, 1}),  // [N, 32, H/2, W/2]
                    separable<T>(32, 64, {2, 2}),  // [N, 64, H/4, W/4]
                    grouped_block<T>(64, 4),       // [N, 64, H/4, W/4]
                    separable<T>(64, 96, {2, 2}),  // [N, 96, H/8, W/8]
                    AvgPool2D<T>::global(),        // [N, 96, 1, 1]
                    Flatten<T>(),                  // [N, 96]
                    Dense<T>({.inputs = 96, .outputs = classes}));
  return network_of(std::move(layers), scale);
}

template std::unique_ptr<Network> make_mobile_mini<float>(Extent2D, const PixelScale&);
template std::unique_ptr<Network> make_mobile_mini<double>(Extent2D, const PixelScale&);

}  // namespace unfold::program
