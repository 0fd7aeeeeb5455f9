// SPDX-License-Identifier: MIT
// A network to be trained, whatever its layers and scalar: the one virtual interface of the program, so that each
// model is compiled in a file of its own. See network_of.hpp for what stands behind it.
#pragma once

#include "dataset.hpp"

#include <unfold/core/conv2d_options.hpp>
#include <unfold/nn/sgd.hpp>

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace unfold::program {

enum class Model : std::uint8_t { lenet, resnet_mini, mobile_mini };
constexpr std::array<std::string_view, 3> names(Model) { return {"lenet", "resnet-mini", "mobile-mini"}; }

enum class Precision : std::uint8_t { single, twofold };  // of the scalar
constexpr std::array<std::string_view, 2> names(Precision) { return {"float", "double"}; }

/// Sums over the images of a batch.
struct Score {
  double loss = 0;    // cross entropy
  Index correct = 0;  // images whose largest output is their label's
};

/// One tensor of a network's state, in the network's own memory.
struct StateTensor {
  std::string name;  // "3.weights.velocity"
  std::vector<Index> shape;
  std::span<std::byte> bytes;  // row-major float or double, as the machine has them
};

class Network {
 public:
  virtual ~Network() = default;

  /// Fills the parameters with random numbers, the same for the same seed on every machine.
  virtual void initialize(std::uint64_t seed) = 0;

  /// Forward, backward and update on the images `which`; `args.batch` is set here.
  virtual Score train(const LabelledImages& images, std::span<const Index> which, SgdArgs args) = 0;

  /// Forward in inference mode.
  virtual Score evaluate(const LabelledImages& images, std::span<const Index> which) = 0;

  /// Calls visit for each parameter, velocity and running statistic, always in the same order.
  virtual void visit_state(const std::function<void(const StateTensor&)>& visit) = 0;
};

/// A network for [N, 1, image.height, image.width] and ten classes, its parameters zero until initialize().
/// Errors  ShapeError if the images are too small for the model
std::unique_ptr<Network> make_network(Model model, Precision precision, Extent2D image, const PixelScale& scale);

/// The number of elements that training adjusts: of every state tensor that has a velocity.
Index parameter_count(Network& network);

}  // namespace unfold::program
