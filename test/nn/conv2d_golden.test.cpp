// SPDX-License-Identifier: MIT
#include <unfold/nn/conv2d.hpp>

#include "support/bounds.hpp"
#include "support/catch.hpp"
#include "support/conformance.hpp"
#include "support/shared_data.hpp"
#include "support/tensor_matcher.hpp"

using namespace unfold;
using test::converted;
using test::equals;
using test::poisoned;
using test::within;

namespace {

template <class T>
struct Results {
  Tensor<T, 4> y, dx, dw;
  Tensor<T, 1> db;
};

template <class T>
Results<T> run_layer(const test::ConvolutionData<double>& data, const Conv2DOptions& options) {
  Conv2D<T> layer(options);
  test::copy_into(layer.weights(), data.w);
  test::copy_into(layer.bias(), data.b);
  const auto x = converted<T>(data.x), dy = converted<T>(data.dy);
  Results<T> r;
  r.y = layer.forward(x);
  r.dx = layer.backward(dy);
  r.dw = Tensor<T, 4>(layer.weight_gradient());
  r.db = Tensor<T, 1>(layer.bias_gradient());
  return r;
}

template <class T>
Results<T> run_free_functions(const test::ConvolutionData<double>& data, const Conv2DOptions& options) {
  const auto x = converted<T>(data.x), w = converted<T>(data.w), dy = converted<T>(data.dy);
  Results<T> r{poisoned<T>(dy.shape()), poisoned<T>(x.shape()), poisoned<T>(w.shape()), {}};
  conv2d_forward(x, w, options, r.y);
  conv2d_backward_input(dy, w, options, r.dx);
  conv2d_backward_weights(x, dy, options, r.dw);
  return r;
}

template <class T>
int compare_with_golden(const std::filesystem::path& set) {
  int compared = 0;
  for (const auto& golden : test::golden_cases(set)) {
    const auto expected = test::read_convolution(golden);
    INFO(expected.problem);
    const auto options = expected.problem.options();
    const Index rounded_inputs = std::is_same_v<T, float> ? 2 : 0;
    const auto bounds = test::convolution_bounds<T>(expected.data, options, rounded_inputs);
    const auto check = [&](const auto& actual, const auto& reference, const auto& bound) {
      if (expected.integers) {
        CHECK_THAT(actual, equals(reference));
      } else {
        CHECK_THAT(actual, within(reference, bound));
      }
    };
    const auto layer = run_layer<T>(expected.data, options);
    check(layer.y, expected.y, bounds.y);
    check(layer.dx, expected.dx, bounds.dx);
    check(layer.dw, expected.dw, bounds.dw);
    check(layer.db, expected.db, bounds.db);

    auto free = run_free_functions<T>(expected.data, options);
    reference::add_bias(converted<T>(expected.data.b), free.y);
    check(free.y, expected.y, bounds.y);
    check(free.dx, expected.dx, bounds.dx);
    check(free.dw, expected.dw, bounds.dw);

    const auto untouched = [&](const auto& dx) {  // a pixel under no window has no term in its sum
      Index zeros = 0;
      for (Index i = 0; i < dx.size(); ++i) zeros += bounds.dx.data()[i] == 0 && dx.data()[i] == 0;
      return zeros;
    };
    const Index planes = expected.data.x.shape(0) * expected.data.x.shape(1);
    CHECK(untouched(layer.dx) == expected.untouched_pixels * planes);
    CHECK(untouched(free.dx) == expected.untouched_pixels * planes);
    ++compared;
  }
  return compared;
}

}  // namespace

TEMPLATE_TEST_CASE("Conv2D and the free functions agree with PyTorch on the cases that come with the tests", "", float,
                   double) {
  CHECK(compare_with_golden<TestType>(test::data("golden")) == 5);
}

TEMPLATE_TEST_CASE("Conv2D and the free functions agree with PyTorch on the whole golden set", "", float, double) {
  const auto set = test::shared("conformance/golden_public");
  if (set.empty()) SKIP(test::absent("conformance/golden_public"));
  CHECK(compare_with_golden<TestType>(set) == 61);
}
