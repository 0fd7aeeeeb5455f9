// SPDX-License-Identifier: MIT
#include "torch_lenet.hpp"

#include "torch_threads.hpp"

#include <unfold/io/safetensors.hpp>

#include <torch/torch.h>

#include <memory>
#include <string>

namespace unfold::bench {
namespace {

namespace nn = torch::nn;

template <class T>
class Lenet {
 public:
  Lenet(const std::filesystem::path& checkpoint, Tensor<T, 4>& x, Tensor<Index, 1>& labels, const SgdArgs& args)
      : layers_(nn::Conv2d(nn::Conv2dOptions(1, 20, 5)), nn::ReLU(), nn::MaxPool2d(2),
                nn::Conv2d(nn::Conv2dOptions(20, 50, 5)), nn::ReLU(), nn::MaxPool2d(2), nn::Flatten(),
                nn::Linear(800, 128), nn::ReLU(), nn::Linear(128, 10)),
        x_(torch::from_blob(x.data(), {x.shape(0), 1, x.shape(2), x.shape(3)}, type)),
        labels_(torch::from_blob(labels.data(), {labels.size()}, torch::kInt64)) {
    layers_->to(type);
    // Of torch's ten layers those with parameters, and the names that they have in ours, of seven.
    Safetensors file(checkpoint);
    copy<4>(file, "0.weights", 0, "weight"), copy<1>(file, "0.bias", 0, "bias");
    copy<4>(file, "2.weights", 3, "weight"), copy<1>(file, "2.bias", 3, "bias");
    copy<2>(file, "5.weights", 7, "weight"), copy<1>(file, "5.bias", 7, "bias");
    copy<2>(file, "6.weights", 9, "weight"), copy<1>(file, "6.bias", 9, "bias");
    std::vector<torch::Tensor> weights, biases;  // only weights decay
    for (const auto& parameter : layers_->named_parameters()) {
      (parameter.key().ends_with("weight") ? weights : biases).push_back(parameter.value());
    }
    const auto options = [&](double decay) {
      return std::make_unique<torch::optim::SGDOptions>(
          torch::optim::SGDOptions(args.learning_rate).momentum(args.momentum).weight_decay(decay));
    };
    std::vector<torch::optim::OptimizerParamGroup> groups;
    groups.emplace_back(weights, options(args.decay));
    groups.emplace_back(biases, options(0));
    optimizer_ = std::make_unique<torch::optim::SGD>(groups, torch::optim::SGDOptions(args.learning_rate));
  }

  double step(Index begin, Index count) {
    optimizer_->zero_grad();
    const torch::Tensor logits = layers_->forward(x_.narrow(0, begin, count));
    const torch::Tensor loss = nn::functional::cross_entropy(logits, labels_.narrow(0, begin, count));
    loss.backward();
    optimizer_->step();
    return loss.template item<double>() * static_cast<double>(count);  // loss is the mean
  }

 private:
  static constexpr auto type = std::is_same_v<T, float> ? torch::kFloat32 : torch::kFloat64;

  template <int Rank>
  void copy(Safetensors& file, const std::string& name, std::size_t layer, const std::string& parameter) {
    const torch::NoGradGuard no_tape;
    torch::Tensor to = layers_->ptr(layer)->named_parameters()[parameter];
    Shape<Rank> shape;
    for (int d = 0; d < Rank; ++d) shape[d] = to.size(d);
    Tensor<T, Rank> values(shape);
    file.read(name, values);
    to.copy_(torch::from_blob(values.data(), to.sizes(), type));
  }

  nn::Sequential layers_;
  torch::Tensor x_, labels_;
  std::unique_ptr<torch::optim::SGD> optimizer_;
};

}  // namespace

template <class T>
Step torch_lenet(const std::filesystem::path& checkpoint, Tensor<T, 4>& x, Tensor<Index, 1>& labels,
                 const SgdArgs& args, int threads) {
  set_torch_threads(threads);
  const auto lenet = std::make_shared<Lenet<T>>(checkpoint, x, labels, args);
  return [lenet](Index begin, Index count) { return lenet->step(begin, count); };
}

template Step torch_lenet(const std::filesystem::path&, Tensor<float, 4>&, Tensor<Index, 1>&, const SgdArgs&, int);
template Step torch_lenet(const std::filesystem::path&, Tensor<double, 4>&, Tensor<Index, 1>&, const SgdArgs&, int);

}  // namespace unfold::bench
