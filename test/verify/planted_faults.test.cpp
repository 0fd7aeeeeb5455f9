// SPDX-License-Identifier: MIT
// The checker is checked: faults of every kind that backward passes have had, and every engine must catch each.
#include <unfold/nn/conv2d.hpp>
#include <unfold/verify/gradient_check.hpp>

#include "support/catch.hpp"
#include "support/loop_conv.hpp"

using namespace unfold;
using test::Fault;
using test::LoopConv;
using Complex = std::complex<double>;

namespace {

constexpr Conv2DOptions everything{.in_channels = 4,
                                   .out_channels = 6,
                                   .kernel = {2, 2},
                                   .stride = {2, 1},
                                   .padding = {1, 0, 0, 1},
                                   .dilation = {2, 3},
                                   .groups = 2};
constexpr Conv2DOptions pointwise{.in_channels = 3, .out_channels = 4, .stride = {2, 3}};

Tensor<double, 4> normal_image(Index channels) {
  Random random(11);
  Tensor<double, 4> x({3, channels, 8, 7});
  test::fill_normal(x.view(), random);
  return x;
}

const std::vector<std::string> engines{"differences", "integers", "adjoint", "taylor", "dual", "complex"};

GradientReport check(const std::string& engine, LoopConv<double>& layer, const Conv2DOptions& conv) {
  const auto x = normal_image(conv.in_channels);
  const GradientCheckOptions options{.coordinates = 400};
  if (engine == "dual") return gradient_check(layer, x, LoopConv<DualNumber>(conv), options);
  if (engine == "complex") return gradient_check(layer, x, LoopConv<Complex>(conv), options);
  const auto place = std::find(engines.begin(), engines.end(), engine) - engines.begin();
  return gradient_check(layer, x, {.engine = static_cast<GradientEngine>(place)});
}

GradientReport check(const std::string& engine, Fault fault, double amount = 0) {
  const bool is_pointwise = fault == Fault::shortcut || fault == Fault::shortcut_in_both;
  const Conv2DOptions& conv = is_pointwise ? pointwise : everything;
  LoopConv<double> layer(conv, fault, amount);
  return check(engine, layer, conv);
}

}  // namespace

TEST_CASE("Every engine passes the convolution without a fault") {
  for (const auto& engine : engines) {
    INFO(engine);
    CHECK(check(engine, Fault::none));
    LoopConv<double> layer(pointwise);
    CHECK(check(engine, layer, pointwise));
  }
}

TEST_CASE("Every engine catches every fault of a backward pass, and in its tensor") {
  const auto engine = GENERATE(from_range(engines));
  const auto [fault, of_x, of_weights] = GENERATE(table<Fault, bool, bool>({
      {Fault::one_entry, false, true},
      {Fault::sign, false, true},
      {Fault::scale, false, true},
      {Fault::transposed, false, true},
      {Fault::missing_term, false, true},
      {Fault::stale_input, false, true},
      {Fault::ignored_dilation, true, true},
      {Fault::swapped_stride, true, true},
      {Fault::missed_group, true, true},
      {Fault::shortcut, true, true},
  }));
  INFO(engine << ", fault " << static_cast<int>(fault));
  const auto report = check(engine, fault, 0.25);
  REQUIRE(report.tensors.size() == 2);
  CHECK((report.tensors[0].verdict() >= Verdict::convention) == of_x);
  CHECK((report.tensors[1].verdict() >= Verdict::convention) == of_weights);
  CHECK(report.verdict() >= Verdict::convention);
}

TEST_CASE("Weights that forward packs once are caught by every engine") {
  for (const auto& engine : engines) {
    INFO(engine);
    LoopConv<double> layer(everything, Fault::stale_weights);
    layer.forward(normal_image(4));
    layer.w.fill(1);
    CHECK(check(engine, layer, everything).verdict() >= Verdict::convention);
  }
}

TEST_CASE("A sign or a scale is told as such, with its ratio") {
  for (const auto& engine : engines) {
    INFO(engine);
    const auto sign = check(engine, Fault::sign);
    CHECK(sign.verdict() == Verdict::convention);
    CHECK(std::abs(sign.tensors[1].ratio().value() + 1) < 1e-6);
    CHECK_THAT(to_string(sign), Catch::Matchers::ContainsSubstring("weights: analytic = -1"));
    const auto scale = check(engine, Fault::scale);
    CHECK(scale.verdict() == Verdict::convention);
    CHECK(std::abs(scale.tensors[1].ratio().value() - 1 / 3.0) < 1e-6);
    CHECK(check(engine, Fault::missing_term).verdict() == Verdict::fail);
  }
}

TEST_CASE("What backward and forward have wrong together only a twin sees, by its outputs") {
  for (const auto& engine : engines) {
    INFO(engine);
    const auto report = check(engine, Fault::shortcut_in_both);
    const bool has_twin = engine == "dual" || engine == "complex";
    CHECK(static_cast<bool>(report) == !has_twin);
    CHECK(report.findings.size() == (has_twin ? 1 : 0));
  }
}

TEST_CASE("A part of 1e-12 in one entry is seen on integers, by dual numbers and by the complex step") {
  for (const std::string engine : {"integers", "dual", "complex"}) {
    INFO(engine);
    const auto report = check(engine, Fault::one_entry, 1e-12);
    CHECK(report.verdict() == Verdict::fail);
    CHECK(report.tensors[1].count(Verdict::fail) == 1);
    CHECK(report.worst(1).at(0).index() == "[1, 0, 1, 0]");
  }
}

TEST_CASE("A part of 1e-12 in all entries is seen by the dot product, of 1e-8 by differences and of 1e-6 by Taylor") {
  CHECK(check("adjoint", Fault::all_entries, 1e-12).verdict() >= Verdict::convention);
  CHECK(check("differences", Fault::one_entry, 1e-8).verdict() == Verdict::fail);
  CHECK(check("taylor", Fault::all_entries, 1e-6).verdict() >= Verdict::convention);
}

TEST_CASE("A layer over float is judged to its own precision by a twin over double") {
  Conv2D<float> layer(everything);
  layer.initialize(5);
  const Tensor<float, 4> x = test::converted<float>(normal_image(4));
  const auto report = gradient_check(layer, x, Conv2D<DualNumber>(everything), {.coordinates = 100});
  CHECK(report);
  for (const auto& tensor : report.tensors) {
    for (const auto& entry : tensor.entries) CHECK(entry.bound() < 1e-3);
  }
}
