// SPDX-License-Identifier: MIT
// A convolution that copies its input, then normalises it, is the batch normalisation that other tests hold
// against PyTorch and the listing: to the last bit.
#include <unfold/nn/conv2d.hpp>

#include "support/batch_norm_run.hpp"
#include "support/catch.hpp"
#include "support/tensor_matcher.hpp"

using namespace unfold;
using test::equals;

namespace {

template <class T>
Conv2D<T> normalised_copy(BatchNorm kind, const test::NormData& data) {
  const Index channels = data.x.shape(1);
  Conv2D<T> layer({.in_channels = channels, .out_channels = channels, .groups = channels, .batch_norm = kind});
  layer.weights().fill(T(1));
  test::copy_into(layer.scales(), data.scales);
  test::copy_into(layer.bias(), data.bias);
  return layer;
}

}  // namespace

TEMPLATE_TEST_CASE("Conv2D normalises the convolution's output as BatchNormalization does", "", float, double) {
  for (const auto kind : {BatchNorm::standard, BatchNorm::darknet}) {
    const auto data = test::norm_data({3, 4, 5, 2}, 17);
    const test::NormRun<TestType> run(kind, data);
    auto layer = normalised_copy<TestType>(kind, data);
    const auto x = test::converted<TestType>(data.x), dy = test::converted<TestType>(data.dy);
    CHECK_THAT(layer.forward(x), equals(run.y));
    CHECK_THAT(layer.backward(dy), equals(run.dx));
    CHECK_THAT(layer.scale_gradient(), equals(run.dscales));
    CHECK_THAT(layer.bias_gradient(), equals(run.dbias));
  }
}

TEST_CASE("The filters' gradient passes through the batch normalisation") {
  const auto data = test::norm_data({3, 4, 5, 2}, 17);
  auto layer = normalised_copy<double>(BatchNorm::standard, data);
  layer.forward(data.x);
  const auto& dz = layer.backward(data.dy);  // the filters are 1, so dx is the gradient of their output
  for (Index c = 0; c < 4; ++c) {
    double sum = 0, magnitude = 0;
    test::for_each_sample(data.x.shape(), [&](Index n, Index h, Index w) {
      sum += dz(n, c, h, w) * data.x(n, c, h, w);
      magnitude += std::abs(dz(n, c, h, w) * data.x(n, c, h, w));
    });
    CHECK(std::abs(layer.weight_gradient()(c, 0, 0, 0) - sum) <=
          30 * std::numeric_limits<double>::epsilon() * magnitude);
  }
}

TEST_CASE("Inference normalises by the running statistics, which training moves") {
  const auto data = test::norm_data({3, 4, 5, 2}, 17);
  auto layer = normalised_copy<double>(BatchNorm::standard, data);
  const auto before = layer.forward(data.x, Mode::inference);
  for (Index c = 0; c < 4; ++c) {  // mean 0 and variance 1 until then
    const double expected = data.x(1, c, 2, 0) / std::sqrt(1 + 1e-5) * data.scales(c) + data.bias(c);
    CHECK(std::abs(before(1, c, 2, 0) - expected) <= 1e-15 * (std::abs(expected) + std::abs(data.bias(c))));
  }
  layer.forward(data.x);
  CHECK_FALSE(layer.forward(data.x, Mode::inference) == before);
}
