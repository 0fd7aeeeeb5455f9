// SPDX-License-Identifier: MIT
// `unfold gradcheck`: the gradients of one layer, in double, against derivatives measured by an engine of one's choice.
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

/// automatic: integers where the layer is linear in each of its tensors, else differences.
enum class Engine : std::uint8_t { automatic, differences, integers, adjoint, taylor, dual, complex };
constexpr std::array<std::string_view, 7> names(Engine) {
  return {"auto", "differences", "integers", "adjoint", "taylor", "dual", "complex"};
}

struct GradcheckOptions {
  Layer layer = Layer::conv;
  Engine engine = Engine::automatic;
  Conv2DOptions conv{.in_channels = 3, .out_channels = 4, .kernel = {3, 3}};  // pools use kernel, stride, padding
  Extent2D size{7, 6};                                                        // of the input images
  Index batch = 2;
  std::uint64_t seed = 1;
  bool json = false;
};

/// Prints the checker's report; true if every gradient agrees.
/// Errors  UsageError if the options describe no layer, none for images of this size, or none of complex numbers where
///         these are wanted
bool gradcheck(const GradcheckOptions& options);

}  // namespace unfold::program
