// SPDX-License-Identifier: MIT
// Two training steps of the listing (pjreddie/darknet, CPU), step for step. Its signs and buffers:
//   delta = -dLoss/dy, and all its gradients are negative; `*_updates` is gradient and velocity in one:
//   before the update  updates = (updates after the last update) - dq
//   after it           updates = -momentum * v,   v the velocity of unfold
#include <unfold/nn/conv2d.hpp>
#include <unfold/verify/reference.hpp>

#include "support/catch.hpp"
#include "support/conformance.hpp"
#include "support/fill.hpp"
#include "support/shared_data.hpp"
#include "support/tensor_matcher.hpp"

using namespace unfold;
using test::converted;
using test::equals;
using test::within;

namespace {

struct DarknetCase {
  test::GoldenCase files;

  Index number(const char* field) const { return files.info.at(field); }
  double real(const char* field) const { return files.info.at(field); }
  bool exact() const { return files.info.at("exact"); }

  Conv2DOptions options() const {
    const Index size = number("size"), stride = number("stride"), pad = number("pad");
    return {.in_channels = number("c"),
            .out_channels = number("n"),
            .kernel = {size, size},
            .stride = {stride, stride},
            .padding = {pad, pad, pad, pad},
            .groups = number("groups"),
            .batch_norm = number("batch_normalize") == 1 ? BatchNorm::darknet : BatchNorm::none,
            .activation = activation_from_name(files.info.at("activation").get<std::string>())};
  }
  SgdArgs update() const {
    return {.learning_rate = real("learning_rate"),
            .momentum = real("momentum"),
            .decay = real("decay"),
            .batch = number("update_batch")};
  }
  template <int Rank>
  Tensor<float, Rank> read(const std::string& name) const {
    return files.read<float, Rank>(name);
  }
};

/// factor * q, in double.
template <class T, int Rank>
Tensor<double, Rank> times(double factor, const Tensor<T, Rank>& q) {
  auto product = converted<double>(q);
  for (Index i = 0; i < product.size(); ++i) product.data()[i] *= factor;
  return product;
}

template <int Rank>
Tensor<double, Rank> difference(Tensor<double, Rank> a, const Tensor<float, Rank>& b) {
  for (Index i = 0; i < a.size(); ++i) a.data()[i] -= static_cast<double>(b.data()[i]);
  return a;
}

/// Within 2e-6 of the largest magnitude of the array that the listing stored, or equal in the exact cases.
template <class Actual, int Rank>
void compare(const DarknetCase& c, const Actual& actual, const Tensor<double, Rank>& expected, double largest) {
  if (c.exact()) {
    CHECK_THAT(actual, equals(expected));
  } else {
    CHECK_THAT(actual, within(expected, Tensor<double, Rank>(expected.shape(), 2e-6 * largest)));
  }
}

template <int Rank>
double largest(const Tensor<float, Rank>& stored) {
  double most = 0;
  for (Index i = 0; i < stored.size(); ++i) most = std::max(most, static_cast<double>(std::abs(stored.data()[i])));
  return most;
}

template <class T>
struct Steps {
  const DarknetCase& c;
  Conv2D<T> layer;

  explicit Steps(const DarknetCase& darknet) : c(darknet), layer(darknet.options()) {
    test::copy_into(layer.weights(), c.read<4>("weights"));
    test::copy_into(layer.bias(), c.read<1>("biases"));
    if (layer.scales().size() > 0) test::copy_into(layer.scales(), c.read<1>("scales"));
    layer.learning_rate_scale = c.real("learning_rate_scale");
  }

  template <int Rank>
  void check(const std::string& file, const TensorView<const T, Rank>& actual) {
    INFO(file);
    const auto stored = c.read<Rank>(file);
    compare(c, actual, converted<double>(stored), largest(stored));
  }

  /// dq against the change of `updates` since the last update.
  template <int Rank>
  void check_gradient(int step, const std::string& q, const TensorView<T, Rank>& dq) {
    const auto now = c.read<Rank>("step" + std::to_string(step) + "_" + q + "_updates");
    auto before = Tensor<double, Rank>(now.shape());
    if (step > 1) before = converted<double>(c.read<Rank>("step1_" + q + "_updates_after"));
    INFO(q << " gradient");
    compare(c, dq, difference(before, now), largest(now));
  }

  /// -momentum * v against `updates` after the update.
  void check_velocity(int step) {
    layer.visit_state([&](std::string_view name, auto view) {
      const auto dot = name.find(".velocity");
      if (dot == std::string_view::npos) return;
      const std::string q = name.substr(0, dot) == "weights" ? "weight"
                            : name.substr(0, dot) == "bias"  ? "bias"
                                                             : "scale";
      const auto stored = c.read<decltype(view)::rank>("step" + std::to_string(step) + "_" + q + "_updates_after");
      INFO(name);
      compare(c, times(-c.real("momentum"), Tensor<T, decltype(view)::rank>(view)), converted<double>(stored),
              largest(stored));
    });
  }

  void run(int step) {
    const std::string t = std::to_string(step), prefix = "step" + t + "_";
    INFO("step " << step);
    const auto x = converted<T>(c.read<4>("x" + t));
    const auto dy = converted<T>(times(-1, c.read<4>("dy" + t)));
    check<4>(prefix + "output", layer.forward(x));
    check_input_gradient(step, layer.backward(dy));
    check_gradient(step, "weight", layer.weight_gradient());
    check_gradient(step, "bias", layer.bias_gradient());
    if (layer.scales().size() > 0) check_gradient(step, "scale", layer.scale_gradient());
    layer.update(c.update());
    check<4>(prefix + "weights_after", layer.weights());
    check<1>(prefix + "biases_after", layer.bias());
    if (layer.scales().size() > 0) check<1>(prefix + "scales_after", layer.scales());
    check_velocity(step);
    layer.visit_state([&](std::string_view name, auto view) {
      if constexpr (decltype(view)::rank == 1) {
        if (name == "running_mean") check<1>(prefix + "rolling_mean", view);
        if (name == "running_variance") check<1>(prefix + "rolling_variance", view);
      }
    });
  }

  /// net.delta = -dx, plus what was there where the listing adds: it does for a kernel larger than 1 (case 37),
  /// and overwrites for a kernel of 1 (case 38). backward always overwrites, so what was there is added here.
  void check_input_gradient(int step, const Tensor<T, 4>& dx) {
    const auto stored = c.read<4>("step" + std::to_string(step) + "_net_delta");
    auto expected = converted<double>(stored);
    const std::string initial = "dx_init" + std::to_string(step);
    if (c.files.has(initial) && c.number("size") > 1) expected = difference(expected, c.read<4>(initial));
    INFO("dx");
    compare(c, times(-1, dx), expected, largest(stored));
  }
};

constexpr const char* set_name = "conformance/golden_darknet";

}  // namespace

TEMPLATE_TEST_CASE("Conv2D takes two training steps as the listing does", "", float, double) {
  const auto set = test::shared(set_name);
  if (set.empty()) SKIP(test::absent(set_name));
  int compared = 0, exact = 0;
  for (const auto& files : test::golden_cases(set)) {
    if (files.name().starts_with("39_") || files.name().starts_with("40_")) continue;
    const DarknetCase c{files};
    INFO(files.name());
    Steps<TestType> steps(c);
    steps.run(1);
    steps.run(2);
    ++compared;
    exact += c.exact();
  }
  CHECK(compared == 39);
  CHECK(exact == 2);
}

TEST_CASE("Where the listing's 1x1 shortcut ignores the stride, Conv2D convolves") {
  const auto set = test::shared(set_name);
  if (set.empty()) SKIP(test::absent(set_name));
  const DarknetCase c{test::golden_cases(set).at(39)};
  REQUIRE(c.files.info.at("matches_convolution") == false);
  Steps<float> steps(c);
  const auto x = c.read<4>("x1"), w = c.read<4>("weights"), stored = c.read<4>("step1_output");
  const auto& y = steps.layer.forward(x);
  Tensor<double, 4> right(y.shape()), listing(y.shape());
  reference::conv2d_forward(x, w, c.options(), right);
  reference::add_bias(c.read<1>("biases"), right);
  compare(c, y, right, largest(y));

  // The listing multiplies by the IC x OH*OW matrix that begins at the image, whose rows are no planes.
  const Index pixels = y.shape(2) * y.shape(3);
  const TensorView<const float, 4> rows(x.data(), {2, 3, 1, pixels}, {x.stride(0), pixels, pixels, 1});
  reference::conv2d_forward(rows, w, {.in_channels = 3, .out_channels = 4},
                            TensorView<double, 4>(listing.data(), {2, 4, 1, pixels}));
  reference::add_bias(c.read<1>("biases"), listing);
  compare(c, stored, listing, largest(stored));
  CHECK_FALSE(y == stored);
}

TEST_CASE("Where the listing's division lets a kernel fit that is larger than the image, Conv2D refuses it") {
  const auto set = test::shared(set_name);
  if (set.empty()) SKIP(test::absent(set_name));
  const DarknetCase c{test::golden_cases(set).at(40)};
  Steps<float> steps(c);
  const auto x = c.read<4>("x1");
  CHECK_THROWS_AS(steps.layer.forward(x), ShapeError);
}
