// SPDX-License-Identifier: MIT
// `unfold gradcheck`: the gradients of one layer against central differences, in double.
#pragma once

#include <unfold/core/conv2d_options.hpp>

#include <array>
#include <cstdint>
#include <string_view>

namespace unfold::program {

enum class Layer : std::uint8_t { conv, dense, maxpool, avgpool, batchnorm, softmax };
constexpr std::array<std::string_view, 6> names(Layer) {
  return {"conv", "dense", "maxpool", "avgpool", "batchnorm", "softmax"};
}

struct GradcheckOptions {
  Layer layer = Layer::conv;
  Conv2DOptions conv{.in_channels = 3, .out_channels = 4, .kernel = {3, 3}};  // pools use kernel, stride, padding
  Extent2D size{7, 6};                                                        // of the input images
  Index batch = 2;
  std::uint64_t seed = 1;
};

/// Prints the checker's report; true if every gradient agrees.
/// Errors  UsageError if the options describe no layer, or none for images of this size
bool gradcheck(const GradcheckOptions& options);

}  // namespace unfold::program
