// SPDX-License-Identifier: MIT
#include "gradcheck.hpp"

#include "names.hpp"
#include "usage.hpp"

#include <unfold/core/random.hpp>
#include <unfold/instances.hpp>
#include <unfold/nn/batch_norm.hpp>
#include <unfold/nn/conv2d.hpp>
#include <unfold/nn/dense.hpp>
#include <unfold/nn/loss.hpp>
#include <unfold/nn/pooling.hpp>
#include <unfold/verify/gradient_check.hpp>

#include <fmt/format.h>

#include <complex>

namespace unfold::program {
namespace {

using Complex = std::complex<double>;

/// BatchNormalization, which works in place, as a layer with parameters of its own.
template <class T>
class BatchNormLayer {
 public:
  using value_type = T;

  BatchNormLayer(BatchNorm kind, Index channels)
      : norm_(kind, channels), scales_(Shape<1>(channels)), bias_(Shape<1>(channels)) {}

  const Tensor<T, 4>& forward(TensorView<const T, 4> x, Mode mode = Mode::training) {
    y_ = Tensor<T, 4>(x);
    norm_.forward(y_, scales_.value, bias_.value, mode);
    return y_;
  }
  const Tensor<T, 4>& backward(TensorView<const T, 4> dy, InputGradient = InputGradient::compute) {
    dx_ = Tensor<T, 4>(dy);
    norm_.backward(dx_, scales_.value, scales_.gradient, bias_.gradient);
    return dx_;
  }
  template <class Visit>
  void visit_parameters(Visit&& visit) {
    visit("scales", scales_.value.view(), scales_.gradient.view());
    visit("bias", bias_.value.view(), bias_.gradient.view());
  }

 private:
  BatchNormalization<T> norm_;
  Parameter<T, 1> scales_, bias_;
  Tensor<T, 4> y_, dx_;
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

GradientCheckOptions how(const GradcheckOptions& options, bool linear) {
  GradientCheckOptions how{.seed = options.seed};
  switch (options.engine) {
    case Engine::integers: how.engine = GradientEngine::integers; break;
    case Engine::adjoint: how.engine = GradientEngine::adjoint; break;
    case Engine::taylor: how.engine = GradientEngine::taylor; break;
    case Engine::automatic: how.engine = linear ? GradientEngine::integers : GradientEngine::differences; break;
    default: break;
  }
  return how;
}

[[noreturn]] void refuse_complex(const GradcheckOptions& options) {
  throw UsageError(fmt::format("--engine complex is not for {}, which compares numbers", name_of(options.layer)));
}

/// Checks a layer at parameters and an input drawn from the seed. `make<T>()` gives the layer over T. `linear`: in each
/// of its tensors by itself.
template <class Make, int Rank>
GradientReport check(const GradcheckOptions& options, const Make& make, const Shape<Rank>& x, bool linear) {
  auto layer = make.template operator()<double>();
  Random random(options.seed);
  const auto draw_value = [&](std::string_view, auto value, auto) { draw(random, value); };
  detail::visit_parameters(layer, "", draw_value);
  const Tensor<double, Rank> input = drawn(random, x);
  const GradientCheckOptions measured = how(options, linear);
  if (options.engine == Engine::dual) {
    return gradient_check(layer, input, make.template operator()<DualNumber>(), measured);
  }
  if (options.engine == Engine::complex) {
    if constexpr (requires { make.template operator()<Complex>(); }) {
      return gradient_check(layer, input, make.template operator()<Complex>(), measured);
    }
    refuse_complex(options);
  }
  return gradient_check(layer, input, measured);
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
  const auto loss_of = [&]<class T>(TensorView<const T, 2> z) { return SoftmaxCrossEntropy<T>().forward(z, labels); };
  const GradientCheckOptions measured = how(options, false);
  if (options.engine == Engine::complex) refuse_complex(options);
  if (options.engine == Engine::dual) return gradient_check<DualNumber>(loss_of, logits, dlogits, measured);
  return gradient_check(loss_of, logits, dlogits, measured);
}

GradientReport check_layer(const GradcheckOptions& options) {
  const Conv2DOptions& conv = options.conv;
  const Pool2DOptions pool{.kernel = conv.kernel, .stride = conv.stride, .padding = conv.padding};
  const DenseOptions dense{.inputs = conv.in_channels, .outputs = conv.out_channels, .activation = conv.activation};
  const BatchNorm kind = conv.batch_norm == BatchNorm::none ? BatchNorm::standard : conv.batch_norm;
  const Shape<4> x{options.batch, conv.in_channels, options.size.height, options.size.width};
  const bool linear = conv.activation == Activation::linear;
  switch (options.layer) {
    case Layer::conv: {
      const auto make = [&]<class T>() { return Conv2D<T>(conv); };
      return check(options, make, x, linear && conv.batch_norm == BatchNorm::none);
    }
    case Layer::dense: {
      const auto make = [&]<class T>() { return Dense<T>(dense); };
      return check(options, make, Shape(options.batch, conv.in_channels), linear);
    }
    case Layer::maxpool: {
      const auto make = [&]<class T>() -> MaxPool2D<T> { return MaxPool2D<T>(pool); };
      return check(options, make, x, false);
    }
    case Layer::avgpool: {
      const auto make = [&]<class T>() { return AvgPool2D<T>(pool); };
      return check(options, make, x, false);
    }
    case Layer::batchnorm: {
      const auto make = [&]<class T>() { return BatchNormLayer<T>(kind, conv.in_channels); };
      return check(options, make, x, false);
    }
    case Layer::softmax: return check_softmax(options);
  }
  return {};
}

}  // namespace

bool gradcheck(const GradcheckOptions& options) {
  try {
    const GradientReport report = check_layer(options);
    if (options.json) {
      fmt::print("{}\n", to_json(report));
    } else {
      fmt::print("{}: {}", name_of(options.layer), to_string(report));
    }
    return static_cast<bool>(report);
  } catch (const ShapeError& error) {  // every shape here comes from the options
    throw UsageError(error.what());
  }
}

}  // namespace unfold::program
