// SPDX-License-Identifier: MIT
// A network to be trained, whatever its layers and scalar: the one virtual interface of the program, so that each
// model is compiled in a file of its own. See network_of.hpp for what stands behind it.
#pragma once

#include "dataset.hpp"

#include <unfold/core/conv2d_options.hpp>
#include <unfold/io/safetensors.hpp>
#include <unfold/nn/sgd.hpp>

#include <array>
#include <filesystem>
#include <memory>
#include <string_view>

namespace unfold::program {

enum class Model : std::uint8_t { lenet, resnet_mini, mobile_mini };
constexpr std::array<std::string_view, 3> names(Model) { return {"lenet", "resnet-mini", "mobile-mini"}; }

/// With batch normalisation a model bears, and needs, larger steps.
constexpr double default_learning_rate(Model model) { return model == Model::lenet ? 0.01 : 0.05; }

enum class Precision : std::uint8_t { single, twofold };  // of the scalar
constexpr std::array<std::string_view, 2> names(Precision) { return {"float", "double"}; }

/// Sums over the images of a batch.
struct Score {
  double loss = 0;    // cross entropy
  Index correct = 0;  // images whose largest output is their label's
};

class Network {
 public:
  virtual ~Network() = default;

  /// Fills the parameters with random numbers, the same for the same seed on every machine.
  virtual void initialize(std::uint64_t seed) = 0;

  /// Forward, backward and update on a batch of images; `args.batch` is set here.
  virtual Score train(const LabelledImages& images, const Batch& batch, SgdArgs args) = 0;

  /// Forward in inference mode.
  virtual Score evaluate(const LabelledImages& images, const Batch& batch) = 0;

  /// save_checkpoint and load_checkpoint of io/checkpoint.hpp, with their errors.
  virtual void save(const std::filesystem::path& path, const Metadata& metadata) = 0;
  virtual void load(const std::filesystem::path& path) = 0;

  /// The number of elements that training adjusts.
  virtual Index parameter_count() = 0;
};

/// A network for images of this size and ten classes, its parameters zero until initialize().
/// Errors  UsageError if the images are too small for the model
std::unique_ptr<Network> make_network(Model model, Precision precision, Extent2D image, const PixelScale& scale);

}  // namespace unfold::program
