// SPDX-License-Identifier: MIT
// Integers, so that nothing is rounded: Conv2D and the free functions equal the loop reference with == over
// a grid of small geometries and over the shapes of real networks. A failure prints the row to repeat with
//   UNFOLD_SHAPE=<row> <this program> "The shape named by UNFOLD_SHAPE is exact"
#include <unfold/nn/conv2d.hpp>
#include <unfold/verify/reference.hpp>

#include "support/catch.hpp"
#include "support/conformance.hpp"
#include "support/fill.hpp"
#include "support/shared_data.hpp"
#include "support/tensor_matcher.hpp"

#include <iostream>  // std::cout
#include <numeric>   // std::iota

using namespace unfold;
using test::equals;
using test::poisoned;
using test::Problem;

namespace {

struct Expected {
  Tensor<double, 4> y, dx, dw;  // y without bias
  Tensor<double, 1> db;
};

template <class T>
void check_type(const Problem& problem, const test::ConvolutionData<double>& data, const Expected& expected) {
  const auto options = problem.options();
  const auto x = test::converted<T>(data.x), w = test::converted<T>(data.w), dy = test::converted<T>(data.dy);
  auto y = poisoned<T>(dy.shape()), dx = poisoned<T>(x.shape()), dw = poisoned<T>(w.shape());
  conv2d_forward(x, w, options, y);
  conv2d_backward_input(dy, w, options, dx);
  conv2d_backward_weights(x, dy, options, dw);
  CHECK_THAT(y, equals(expected.y));
  CHECK_THAT(dx, equals(expected.dx));
  CHECK_THAT(dw, equals(expected.dw));

  Conv2D<T> layer(options);
  test::copy_into(layer.weights(), w);
  CHECK_THAT(layer.forward(x), equals(expected.y));
  CHECK_THAT(layer.backward(dy), equals(expected.dx));
  CHECK_THAT(layer.weight_gradient(), equals(expected.dw));
  if (options.bias) CHECK_THAT(layer.bias_gradient(), equals(expected.db));
}

void check(const Problem& problem) {
  INFO("UNFOLD_SHAPE=" << problem);
  const auto g = problem.geometry();
  const auto data = test::integer_data<double>(g, static_cast<std::uint64_t>(g.IH * 64 + g.IW));
  const auto options = problem.options();
  Expected expected{poisoned<double>(g.y_shape()), poisoned<double>(g.x_shape()), poisoned<double>(g.w_shape()),
                    poisoned<double>(Shape<1>(g.OC))};
  reference::conv2d_forward(data.x, data.w, options, expected.y);
  reference::conv2d_backward_input(data.dy, data.w, options, expected.dx);
  reference::conv2d_backward_weights(data.x, data.dy, options, expected.dw);
  reference::bias_gradient(data.dy, expected.db);
  check_type<float>(problem, data, expected);
  check_type<double>(problem, data, expected);
}

/// Everything that describes a convolution along one axis.
struct Axis {
  Index in, kernel, stride, before, after, dilation;
};

/// Every axis of 1 to 8 elements, kernel 1 to 5, stride 1 to 4, padding 0 to 3 on either side, dilation 1 to 3,
/// on which the kernel fits.
std::vector<Axis> all_axes() {
  std::vector<Axis> axes;
  for (Index in = 1; in <= 8; ++in) {
    for (Index kernel = 1; kernel <= 5; ++kernel) {
      for (Index stride = 1; stride <= 4; ++stride) {
        for (Index before = 0; before <= 3; ++before) {
          for (Index after = 0; after <= 3; ++after) {
            for (Index dilation = 1; dilation <= 3; ++dilation) {
              if (reference::window_positions(in, before, after, kernel, stride, dilation) == 0) continue;
              axes.push_back({in, kernel, stride, before, after, dilation});
            }
          }
        }
      }
    }
  }
  return axes;
}

/// For each number of groups 1, 2, 3 and C: every axis as the height of one problem and the width of another.
std::vector<Problem> grid() {
  const auto axes = all_axes();
  std::vector<Problem> problems;
  Random random(11);
  for (const Index groups : {1, 2, 3, 5}) {
    const Index channels = groups == 5 ? 5 : 6;
    std::vector<std::size_t> partner(axes.size());
    std::iota(partner.begin(), partner.end(), std::size_t{0});
    for (std::size_t i = partner.size() - 1; i > 0; --i) {
      std::swap(partner[i], partner[static_cast<std::size_t>(random.below(static_cast<Index>(i) + 1))]);
    }
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const Axis &h = axes[i], &w = axes[partner[i]];
      problems.push_back({.name = "grid",
                          .x = {1 + random.below(2), channels, h.in, w.in},
                          .out_channels = channels * (1 + random.below(2)),
                          .kernel = {h.kernel, w.kernel},
                          .stride = {h.stride, w.stride},
                          .padding = {h.before, h.after, w.before, w.after},
                          .dilation = {h.dilation, w.dilation},
                          .groups = groups});
    }
  }
  return problems;
}

double multiply_adds(const Problem& problem) {
  const auto g = problem.geometry();
  return static_cast<double>(g.P()) * static_cast<double>(g.K()) * static_cast<double>(g.OC);
}

}  // namespace

TEST_CASE("The named problems are exact") {
  for (const auto& problem : test::problems()) check(problem);
}

TEST_CASE("Groups whose rows fill the lanes as well as groups do are exact") {
  const Problem wide{.name = "wide_groups", .x = {1, 24, 4, 66}, .out_channels = 24, .kernel = {3, 2}, .groups = 8};
  check(wide);
  for (const Index M : {2, 5}) {  // too few and too many for the rows: the groups are taken
    check({.name = "filters", .x = wide.x, .out_channels = 8 * M, .kernel = wide.kernel, .groups = 8});
    check({.name = "channels", .x = {1, 8 * M, 4, 66}, .out_channels = 24, .kernel = wide.kernel, .groups = 8});
  }
}

TEST_CASE("A grid of small geometries is exact") {
  const auto problems = grid();
  REQUIRE(problems.size() >= 20000);
  const std::size_t stride = test::long_tests() ? 1 : 13;  // a prime: the sample follows none of the grid's sides
  std::size_t checked = 0;
  for (std::size_t i = 0; i < problems.size(); i += stride) {
    check(problems[i]);
    ++checked;
  }
  std::cout << "grid: " << checked << " of " << problems.size() << " geometries\n";
  CHECK(checked >= problems.size() / stride);
}

TEST_CASE("The shapes of real networks are exact") {
  const auto file = test::shared("conformance/shapes_public.csv");
  if (file.empty()) SKIP(test::absent("conformance/shapes_public.csv"));
  const auto problems = test::read_shapes(file);
  REQUIRE(problems.size() == 124);
  std::size_t checked = 0;
  for (auto problem : problems) {
    if (!test::long_tests() && multiply_adds(problem) > 5e6) continue;
    if (multiply_adds(problem) > 3e8) problem.x[0] = 1;  // the loop reference takes its time
    check(problem);
    ++checked;
  }
  std::cout << "shapes: " << checked << " of " << problems.size() << '\n';
  CHECK(checked >= (test::long_tests() ? problems.size() : 10));
}

TEST_CASE("The shape named by UNFOLD_SHAPE is exact", "[.]") {
  const char* row = std::getenv("UNFOLD_SHAPE");
  REQUIRE(row != nullptr);
  check(test::problem_from_row(row));
}
