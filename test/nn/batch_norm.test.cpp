// SPDX-License-Identifier: MIT
#include "support/batch_norm_run.hpp"
#include "support/catch.hpp"
#include "support/largest_allocation.hpp"
#include "support/tensor_matcher.hpp"

#include <algorithm>  // std::ranges::copy
#include <cmath>

using namespace unfold;
using Catch::Matchers::Message;
using test::equals;
using test::norm_shapes;
using test::NormRun;
using test::within;

namespace {

constexpr BatchNorm kinds[] = {BatchNorm::standard, BatchNorm::darknet};

}  // namespace

TEMPLATE_TEST_CASE("Batch normalisation is its formula, forward and backward", "", float, double) {
  using T = TestType;
  for (const auto kind : kinds) {
    for (const auto& shape : norm_shapes) {
      INFO("kind " << static_cast<int>(kind) << ", shape " << to_string(shape));
      const auto data = test::norm_data(shape, 11);
      // Sums of float are taken in double, so that its bound does not grow with the samples.
      const Index terms = std::is_same_v<T, float> ? 8 : data.x.size() / shape[1] + 8;
      const auto bound = test::batch_norm_bounds(kind, data, terms, double{std::numeric_limits<T>::epsilon()});
      const auto expected = test::batch_norm_reference(kind, data);
      const NormRun<T> run(kind, data);
      CHECK_THAT(run.y, within(expected.y, bound.y));
      CHECK_THAT(run.dx, within(expected.dx, bound.dx));
      CHECK_THAT(run.norm.mean(), within(expected.mean, bound.mean));
      CHECK_THAT(run.norm.variance(), within(expected.variance, bound.variance));
      CHECK_THAT(run.dscales, within(expected.dscales, bound.dscales));
      CHECK_THAT(run.dbias, within(expected.dbias, bound.dbias));
    }
  }
}

TEMPLATE_TEST_CASE("Mean, variance and bias gradient of integers are exact", "", float, double) {
  using T = TestType;
  Random random(5);
  Tensor<T, 4> y({4, 3, 2, 8}), dy(y.shape());  // 64 samples: divisions by M are exact
  test::fill_integers(y.view(), random);
  test::fill_integers(dy.view(), random);
  Tensor<T, 1> mean({3}), variance({3}), dbias({3}, T(100)), expected_dbias(dbias);
  for (Index c = 0; c < 3; ++c) {
    T sum(0), squares(0);
    test::for_each_sample(y.shape(), [&](Index n, Index h, Index w) {
      sum += y(n, c, h, w);
      squares += y(n, c, h, w) * y(n, c, h, w);
      expected_dbias(c) += dy(n, c, h, w);
    });
    mean(c) = sum / 64;
    variance(c) = squares / 64 - mean(c) * mean(c);
  }
  BatchNormalization<T> norm(BatchNorm::standard, 3);
  const Tensor<T, 1> scales({3}, T(2)), bias({3}, T(1));
  Tensor<T, 1> dscales({3});
  norm.forward(y, scales, bias, Mode::training);
  norm.backward(dy, scales, dscales, dbias);
  CHECK_THAT(norm.mean(), equals(mean));
  CHECK_THAT(norm.variance(), equals(variance));
  CHECK_THAT(dbias, equals(expected_dbias));  // added to what was there
}

TEST_CASE("Sums of float are taken in double") {
  Tensor<float, 4> y({1, 1, 512, 512});  // a float sum of these would be off by thousands
  for (Index i = 0; i < y.size(); ++i) y.data()[i] = i % 2 == 0 ? 10000 : 10001;
  BatchNormalization<float> norm(BatchNorm::standard, 1);
  norm.forward(y, Tensor<float, 1>({1}, 1.0f), Tensor<float, 1>({1}), Mode::training);
  CHECK(norm.mean()(0) == 10000.5f);
  CHECK(norm.variance()(0) == 0.25f);
}

TEST_CASE("Training moves the running statistics by a tenth, or a hundredth for darknet") {
  const Tensor<double, 1> scales({1}, 1.0), bias({1});
  const auto train = [&](BatchNormalization<double>& norm, std::initializer_list<double> samples) {
    Tensor<double, 4> y({1, 1, 1, static_cast<Index>(samples.size())});
    std::ranges::copy(samples, y.data());
    norm.forward(y, scales, bias, Mode::training);
  };
  BatchNormalization<double> standard(BatchNorm::standard, 1), darknet(BatchNorm::darknet, 1);
  CHECK(standard.running_mean()(0) == 0);
  CHECK(standard.running_variance()(0) == 1);
  CHECK(darknet.running_mean()(0) == 0);
  CHECK(darknet.running_variance()(0) == 0);
  for (auto* norm : {&standard, &darknet}) train(*norm, {1, 3, 5, 7});  // mean 4, sum of squares 20
  CHECK(standard.variance()(0) == 5);
  CHECK(darknet.variance()(0) == 20.0 / 3);
  CHECK(standard.running_mean()(0) == 0.1 * 4);
  CHECK(standard.running_variance()(0) == 0.9 + 0.1 * (20.0 / 3));
  CHECK(darknet.running_mean()(0) == 0.01 * 4);
  CHECK(darknet.running_variance()(0) == 0.01 * (20.0 / 3));
  for (auto* norm : {&standard, &darknet}) train(*norm, {-2, 2});  // mean 0, sum of squares 8
  CHECK(standard.running_mean()(0) == 0.9 * (0.1 * 4));
  CHECK(standard.running_variance()(0) == 0.9 * (0.9 + 0.1 * (20.0 / 3)) + 0.1 * 8);
  CHECK(darknet.running_mean()(0) == 0.99 * (0.01 * 4));
  CHECK(darknet.running_variance()(0) == 0.99 * (0.01 * (20.0 / 3)) + 0.01 * 8);
}

TEST_CASE("Inference uses the running statistics and leaves them as they are") {
  for (const auto kind : kinds) {
    BatchNormalization<double> norm(kind, 2);
    norm.running_mean()(0) = 3, norm.running_mean()(1) = -1;
    norm.running_variance()(0) = 4, norm.running_variance()(1) = 0.25;
    const Tensor<double, 1> scales({2}, 1.5), bias({2}, 0.5);
    Tensor<double, 4> y({1, 2, 1, 1});  // one sample a channel is enough
    y(0, 0, 0, 0) = 7, y(0, 1, 0, 0) = -2;
    norm.forward(y, scales, bias, Mode::inference);
    const auto divisor = [&](double variance) {
      return kind == BatchNorm::standard ? std::sqrt(variance + 1e-5) : std::sqrt(variance) + 1e-6;
    };
    CHECK(std::abs(y(0, 0, 0, 0) - (1.5 * 4 / divisor(4) + 0.5)) <= 4e-15);
    CHECK(std::abs(y(0, 1, 0, 0) - (1.5 * -1 / divisor(0.25) + 0.5)) <= 4e-15);
    CHECK(norm.running_mean()(0) == 3);
    CHECK(norm.running_variance()(1) == 0.25);
  }
}

TEST_CASE("The results are the same bits for any number of threads") {
  const auto data = test::norm_data({5, 7, 6, 11}, 14);
  const int before = threads();
  set_threads(1);
  const NormRun<float> alone(BatchNorm::standard, data);
  for (const int n : {2, 3, 8}) {
    set_threads(n);
    const NormRun<float> together(BatchNorm::standard, data);
    CHECK_THAT(together.y, equals(alone.y));
    CHECK_THAT(together.dx, equals(alone.dx));
    CHECK_THAT(together.dscales, equals(alone.dscales));
    CHECK_THAT(together.norm.running_variance(), equals(alone.norm.running_variance()));
  }
  set_threads(before);
}

TEMPLATE_TEST_CASE("An activation in the passes is the activation after them, and its gradient before", "", float,
                   double) {
  using T = TestType;
  for (const auto f : {Activation::linear, Activation::leaky, Activation::silu}) {
    for (const auto mode : {Mode::training, Mode::inference}) {
      const auto data = test::norm_data({3, 2, 35, 33}, 16);
      const auto scales = test::converted<T>(data.scales), bias = test::converted<T>(data.bias);
      BatchNormalization<T> together(BatchNorm::standard, 2), apart(BatchNorm::standard, 2);
      Tensor<T, 4> y = test::converted<T>(data.x), z = y, kept(z.shape());
      together.forward(y, scales, bias, mode, f, f == Activation::silu ? kept.data() : nullptr);
      apart.forward(z, scales, bias, mode);
      if (f == Activation::silu) CHECK_THAT(kept, equals(z));
      const Tensor<T, 4> before = z;
      activate(f, z.data(), z.data(), z.size());
      CHECK_THAT(y, equals(z));
      if (mode == Mode::inference) continue;
      const T* const at = f == Activation::silu ? before.data() : z.data();
      const Tensor<T, 4> dy = test::converted<T>(data.dy);
      Tensor<T, 4> dz(dy.shape()), expected = dy;
      Tensor<T, 1> dscales({2}), dbias({2}), expected_dscales({2}), expected_dbias({2});
      together.backward(f, at, dy, dz, scales, dscales, dbias);
      activation_gradient(f, at, dy.data(), expected.data(), dy.size());
      apart.backward(expected, scales, expected_dscales, expected_dbias);
      CHECK_THAT(dz, equals(expected));
      CHECK_THAT(dscales, equals(expected_dscales));
      CHECK_THAT(dbias, equals(expected_dbias));
    }
  }
}

TEST_CASE("Statistics far from zero keep their digits, also where the first image is far from the others") {
  Tensor<double, 4> y({8, 1, 4, 4});
  for (Index i = 0; i < y.size(); ++i) y.data()[i] = 1e9 + (i < 16 ? 4096 : 0) + static_cast<double>(i % 2);
  BatchNormalization<double> norm(BatchNorm::standard, 1);
  norm.forward(y, Tensor<double, 1>({1}, 1.0), Tensor<double, 1>({1}), Mode::training);
  CHECK(norm.mean()(0) == 1e9 + 512.5);
  CHECK(norm.variance()(0) == 7.0 * 512 * 512 + 0.25);  // of 0 and 4096, one of eight, and of 0 and 1
}

TEST_CASE("Batch normalisation allocates nothing after the first call with a shape") {
  const auto data = test::norm_data({3, 4, 5, 6}, 15);
  Tensor<double, 4> y = data.x, dy = data.dy;
  Tensor<double, 1> dscales({4}), dbias({4});
  BatchNormalization<double> norm(BatchNorm::standard, 4);
  norm.forward(y, data.scales, data.bias, Mode::training);
  norm.backward(dy, data.scales, dscales, dbias);
  const test::LargestAllocation allocated;
  norm.forward(y, data.scales, data.bias, Mode::training);
  norm.backward(dy, data.scales, dscales, dbias);
  norm.forward(y, data.scales, data.bias, Mode::inference);
  CHECK(allocated.bytes() == 0);
}

TEST_CASE("Batch normalisation refuses wrong arguments before it writes") {
  CHECK_THROWS_MATCHES(BatchNormalization<float>(BatchNorm::none, 3), ShapeError,
                       Message("unfold::BatchNormalization: kind must be standard or darknet, got none"));
  CHECK_THROWS_MATCHES(BatchNormalization<float>(BatchNorm::standard, 0), ShapeError,
                       Message("unfold::BatchNormalization: channels must be >= 1, got 0"));
  BatchNormalization<float> norm(BatchNorm::standard, 3);
  Tensor<float, 4> y({1, 3, 1, 1}, 5.0f), other({2, 4, 1, 1}), dy({2, 3, 1, 1}), wide({2, 3, 2, 4});
  Tensor<float, 1> three({3}, 1.0f), four({4});
  const auto forward = [&](TensorView<float, 4> z, const Tensor<float, 1>& scales, const Tensor<float, 1>& bias) {
    norm.forward(z, scales, bias, Mode::training);
  };
  CHECK_THROWS_MATCHES(forward(y, three, three), ShapeError,
                       Message("unfold::BatchNormalization::forward: training needs N*H*W >= 2 samples a channel, got "
                               "[1, 3, 1, 1]"));
  CHECK_THROWS_MATCHES(forward(other, three, three), ShapeError,
                       Message("unfold::BatchNormalization::forward: z must be a contiguous [N, 3, H, W], got "
                               "[2, 4, 1, 1] with strides [4, 1, 1, 1]"));
  CHECK_THROWS_MATCHES(forward(wide.slice(3, 0, 2), three, three), ShapeError,
                       Message("unfold::BatchNormalization::forward: z must be a contiguous [N, 3, H, W], got "
                               "[2, 3, 2, 2] with strides [24, 8, 4, 1]"));
  CHECK_THROWS_MATCHES(forward(wide, four, three), ShapeError,
                       Message("unfold::BatchNormalization::forward: scales must be [3], got [4]"));
  CHECK_THROWS_MATCHES(forward(wide, three, four), ShapeError,
                       Message("unfold::BatchNormalization::forward: bias must be [3], got [4]"));
  CHECK(y(0, 0, 0, 0) == 5);
  CHECK(norm.running_variance()(0) == 1);

  const auto too_early = Message("unfold::BatchNormalization::backward: call forward in training mode first");
  CHECK_THROWS_MATCHES(norm.backward(dy, three, three, three), StateError, too_early);
  forward(wide, three, three);
  CHECK_THROWS_MATCHES(norm.backward(dy, three, three, three), ShapeError,
                       Message("unfold::BatchNormalization::backward: dy must be [2, 3, 2, 4], got [2, 3, 1, 1]"));
  CHECK_THROWS_MATCHES(norm.backward(wide, three, four, three), ShapeError,
                       Message("unfold::BatchNormalization::backward: dscales must be [3], got [4]"));
  CHECK_THROWS_MATCHES(norm.backward(wide, three, three, four), ShapeError,
                       Message("unfold::BatchNormalization::backward: dbias must be [3], got [4]"));
  norm.forward(wide, three, three, Mode::inference);
  CHECK_THROWS_MATCHES(norm.backward(wide, three, three, three), StateError, too_early);
}
