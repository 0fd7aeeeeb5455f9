// SPDX-License-Identifier: MIT
#include "names.hpp"
#include "network_of.hpp"
#include "usage.hpp"

#include <fmt/format.h>

namespace unfold::program {
namespace {

template <class T>
std::unique_ptr<Network> make(Model model, Extent2D image, const PixelScale& scale) {
  switch (model) {
    case Model::lenet: return make_lenet<T>(image, scale);
    case Model::resnet_mini: return make_resnet_mini<T>(image, scale);
    case Model::mobile_mini: return make_mobile_mini<T>(image, scale);
  }
  return nullptr;
}

}  // namespace

std::unique_ptr<Network> make_network(Model model, Precision precision, Extent2D image, const PixelScale& scale) {
  constexpr Index least = 16;  // pixels: below, a layer of lenet would have no output
  if (image.height < least || image.width < least) {
    throw UsageError(fmt::format("images must be at least {} pixels high and wide for {}, got {}", least,
                                 name_of(model), to_string(image)));
  }
  return precision == Precision::single ? make<float>(model, image, scale) : make<double>(model, image, scale);
}

}  // namespace unfold::program
