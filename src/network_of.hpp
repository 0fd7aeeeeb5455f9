// SPDX-License-Identifier: MIT
// The Network that a tuple of layers is, and the models' makers. Each maker is compiled in a file of its own.
#pragma once

#include "network.hpp"

#include <unfold/instances.hpp>
#include <unfold/io/checkpoint.hpp>
#include <unfold/nn/loss.hpp>
#include <unfold/nn/sequential.hpp>

#include <utility>

namespace unfold::program {

/// Layers that take [N, 1, H, W] to logits [N, 10], with the loss and the buffers of a batch.
template <class Layers>
class NetworkOf final : public Network {
 public:
  using T = typename Layers::value_type;

  NetworkOf(Layers layers, const PixelScale& scale) : layers_(std::move(layers)), scale_(scale) {}

  void initialize(std::uint64_t seed) override { layers_.initialize(seed); }

  Score train(const LabelledImages& images, const Batch& batch, SgdArgs args) override {
    const Score score = forward(images, batch, Mode::training);
    layers_.backward(loss_.backward(), InputGradient::skip);
    args.batch = batch.size();
    layers_.update(args);
    return score;
  }

  Score evaluate(const LabelledImages& images, const Batch& batch) override {
    return forward(images, batch, Mode::inference);
  }

  void save(const std::filesystem::path& path, const Metadata& metadata) override {
    save_checkpoint(path, layers_, metadata);
  }
  void load(const std::filesystem::path& path) override { load_checkpoint(path, layers_); }

  Index parameter_count() override {
    Index count = 0;
    layers_.visit_parameters([&](std::string_view, const auto& value, const auto&) { count += value.size(); });
    return count;
  }

 private:
  Score forward(const LabelledImages& images, const Batch& batch, Mode mode) {
    scale_.gather(images, batch, x_, labels_);
    const T loss = loss_.forward(layers_.forward(x_, mode), labels_);
    return {static_cast<double>(loss), loss_.correct()};
  }

  Layers layers_;
  SoftmaxCrossEntropy<T> loss_;
  PixelScale scale_;
  Tensor<T, 4> x_;           // [N, 1, H, W]
  Tensor<Index, 1> labels_;  // [N]
};

template <class Layers>
std::unique_ptr<Network> network_of(Layers layers, const PixelScale& scale) {
  return std::make_unique<NetworkOf<Layers>>(std::move(layers), scale);
}

template <class T>
std::unique_ptr<Network> make_lenet(Extent2D image, const PixelScale& scale);
template <class T>
std::unique_ptr<Network> make_resnet_mini(Extent2D image, const PixelScale& scale);
template <class T>
std::unique_ptr<Network> make_mobile_mini(Extent2D image, const PixelScale& scale);

}  // namespace unfold::program
