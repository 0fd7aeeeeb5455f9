// SPDX-License-Identifier: MIT
// Conv2DOptions: everything that describes a 2-D convolution layer before it sees an image.
#pragma once

#include <unfold/core/shape.hpp>

#include <cstdint>

namespace unfold {

struct Extent2D {
  Index height, width;
  friend constexpr bool operator==(const Extent2D&, const Extent2D&) = default;
};

struct Padding2D {
  Index top, bottom, left, right;
  friend constexpr bool operator==(const Padding2D&, const Padding2D&) = default;
};

/// "{height, width}" and "{top, bottom, left, right}"
inline std::string to_string(Extent2D e) {
  return "{" + std::to_string(e.height) + ", " + std::to_string(e.width) + "}";
}
inline std::string to_string(Padding2D p) {
  return "{" + std::to_string(p.top) + ", " + std::to_string(p.bottom) + ", " + std::to_string(p.left) + ", " +
         std::to_string(p.right) + "}";
}

/// What normalises the convolution's output before its activation.
/// standard: biased variance, 1e-5 inside the root, in forward and backward alike.
/// darknet:  the listing as it is: variance over N-1, 1e-6 outside the root forward, 1e-5 inside it
///           backward, so its gradient is not the gradient of its forward (docs/04_conv2d.md).
enum class BatchNorm : std::uint8_t { none, standard, darknet };

/// The activation f of y = f(z); values and gradients in nn/activation.hpp.
// clang-format off: two rows, as they are two kinds
enum class Activation : std::uint8_t {
  linear, logistic, loggy, relu, elu, selu, relie, ramp, leaky, tanh, plse, stair, hardtan, lhtan,  // f'(z) from y
  silu, gelu                                                                                       // f'(z) from z
};
// clang-format on

/// Whether `backward` computes the gradient of the layer's input; a first layer needs none.
enum class InputGradient : std::uint8_t { compute, skip };

/// training: batch statistics, everything kept for `backward`; inference: running statistics.
enum class Mode : std::uint8_t { training, inference };

/// A 2-D convolution. Use designated initialisers:
///   Conv2DOptions{.in_channels = 3, .out_channels = 64, .kernel = {3, 3}, .padding = {1, 1, 1, 1}}
///
/// Units   stride, padding, dilation: elements of x; dilation 1 is dense
struct Conv2DOptions {
  Index in_channels, out_channels;
  Extent2D kernel{1, 1}, stride{1, 1};
  Padding2D padding{0, 0, 0, 0};
  Extent2D dilation{1, 1};
  Index groups = 1;
  bool bias = true;
  BatchNorm batch_norm = BatchNorm::none;
  Activation activation = Activation::linear;
};

}  // namespace unfold
