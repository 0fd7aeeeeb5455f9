// SPDX-License-Identifier: MIT
#include "gradcheck.hpp"

#include "names.hpp"
#include "usage.hpp"

#include <unfold/core/random.hpp>
#include <unfold/nn/batch_norm.hpp>
#include <unfold/nn/conv2d.hpp>
#include <unfold/nn/dense.hpp>
#include <unfold/nn/loss.hpp>
#include <unfold/nn/pooling.hpp>
#include <unfold/verify/gradient_check.hpp>

#include <fmt/format.h>

namespace unfold::program {
namespace {

/// BatchNormalization, which works in place, as a layer with parameters of its own.
class BatchNormLayer {
 public:
  BatchNormLayer(BatchNorm kind, Index channels)
      : norm_(kind, channels), scales_(Shape<1>(channels)), bias_(Shape<1>(channels)) {}

  const Tensor<double, 4>& forward(TensorView<const double, 4> x, Mode mode = Mode::training) {
    y_ = Tensor<double, 4>(x);
    norm_.forward(y_, scales_.value, bias_.value, mode);
    return y_;
  }
  const Tensor<double, 4>& backward(TensorView<const double, 4> dy, InputGradient = InputGradient::compute) {
    dx_ = Tensor<double, 4>(dy);
    norm_.backward(dx_, scales_.value, scales_.gradient, bias_.gradient);
    return dx_;
  }
  template <class Visit>
  void visit_parameters(Visit&& visit) {
    visit("scales", scales_.value.view(), scales_.gradient.view());
    visit("bias", bias_.value.view(), bias_.gradient.view());
  }

 private:
  BatchNormalization<double> norm_;
  Parameter<double, 1> scales_, bias_;
  Tensor<double, 4> y_, dx_;
};

template <int Rank>
void draw(Random& random, TensorView<double, Rank> values) {
  values.for_each_run([&](double* run, Index n, Index step) {
    for (Index i = 0; i < n; ++i) run[i * step] = random.normal();
  });
}

template <int Rank>
Tensor<double, Rank> drawn(Random& random, const Shape<Rank>& shape) {
  Tensor<double, Rank> values(shape);
  draw(random, values.view());
  return values;
}

/// Checks a layer at parameters and an input drawn from the seed. Of one that is linear in each of its tensors every
/// gradient is compared exactly, on integers.
template <class Layer, int Rank>
GradientReport check(Layer layer, const Shape<Rank>& x, std::uint64_t seed, bool linear) {
  Random random(seed);
  const auto draw_value = [&](std::string_view, auto value, auto) { draw(random, value); };
  detail::visit_parameters(layer, "", draw_value);
  return gradient_check(layer, drawn(random, x),
                        {.seed = seed, .engine = linear ? GradientEngine::integers : GradientEngine::differences});
}

GradientReport check_softmax(const GradcheckOptions& options) {
  Random random(options.seed);
  const Index N = options.batch, C = options.conv.out_channels;
  const Tensor<double, 2> logits = drawn(random, Shape(N, C));
  Tensor<Index, 1> labels({N});
  for (Index n = 0; n < N; ++n) labels(n) = random.below(C);
  SoftmaxCrossEntropy<double> loss;
  loss.forward(logits, labels);
  const Tensor<double, 2> dlogits = loss.backward();
  return gradient_check([&](TensorView<const double, 2> z) { return loss.forward(z, labels); }, logits, dlogits,
                        {.seed = options.seed});
}

GradientReport check_layer(const GradcheckOptions& options) {
  const Conv2DOptions& conv = options.conv;
  const Pool2DOptions pool{.kernel = conv.kernel, .stride = conv.stride, .padding = conv.padding};
  const Shape<4> x{options.batch, conv.in_channels, options.size.height, options.size.width};
  const std::uint64_t seed = options.seed;
  const bool linear = conv.activation == Activation::linear;
  switch (options.layer) {
    case Layer::conv: return check(Conv2D<double>(conv), x, seed, linear && conv.batch_norm == BatchNorm::none);
    case Layer::dense:
      return check(
          Dense<double>({.inputs = conv.in_channels, .outputs = conv.out_channels, .activation = conv.activation}),
          Shape(options.batch, conv.in_channels), seed, linear);
    case Layer::maxpool: return check(MaxPool2D<double>(pool), x, seed, false);
    case Layer::avgpool: return check(AvgPool2D<double>(pool), x, seed, false);
    case Layer::batchnorm: {
      const BatchNorm kind = conv.batch_norm == BatchNorm::none ? BatchNorm::standard : conv.batch_norm;
      return check(BatchNormLayer(kind, conv.in_channels), x, seed, false);
    }
    case Layer::softmax: return check_softmax(options);
  }
  return {};
}

}  // namespace

bool gradcheck(const GradcheckOptions& options) {
  try {
    const GradientReport report = check_layer(options);
    fmt::print("{}: {}", name_of(options.layer), to_string(report));
    return static_cast<bool>(report);
  } catch (const ShapeError& error) {  // every shape here comes from the options
    throw UsageError(error.what());
  }
}

}  // namespace unfold::program
