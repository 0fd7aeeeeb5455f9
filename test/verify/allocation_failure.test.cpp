// SPDX-License-Identifier: MIT
// Where memory runs out in a gradient check, at whichever allocation, std::bad_alloc comes out and the layer's state is
// what it was, although the check moves every parameter to and fro.
#include "support/allocation_failure.hpp"
#include "support/fill.hpp"

#include <unfold/unfold.hpp>

#include <complex>

using namespace unfold;
using test::for_each_failing_allocation;

namespace {

using Network = Sequential<Conv2D<double>, Sequential<Conv2D<double>>>;

Network network() {
  Network net(Conv2D<double>({.in_channels = 1, .out_channels = 2, .kernel = {2, 1}}),
              Sequential(Conv2D<double>({.in_channels = 2, .out_channels = 1, .batch_norm = BatchNorm::standard})));
  net.initialize(1);
  return net;
}

std::vector<double> state(Network& net) {
  std::vector<double> numbers;
  net.visit_state([&](std::string_view, const auto& view) {
    for (Index i = 0; i < view.size(); ++i) numbers.push_back(view.data()[i]);
  });
  return numbers;
}

}  // namespace

TEST_CASE("A gradient check that gets no memory leaves the layer's state as it was") {
  Tensor<double, 4> x({1, 1, 3, 2});
  Random random(2);
  test::fill_normal(x.view(), random);
  Network whole = network();
  const auto start = state(whole);
  for (const GradientEngine engine :
       {GradientEngine::differences, GradientEngine::integers, GradientEngine::adjoint, GradientEngine::taylor}) {
    CAPTURE(to_string(engine));
    const GradientCheckOptions options{.engine = engine, .coordinates = 2, .directions = 1};
    const auto check = [&](Network& net) { gradient_check(net, x, options); };
    const auto unchanged = [&](Network& net, bool) { CHECK(state(net) == start); };
    CHECK(for_each_failing_allocation(1, network, check, unchanged) > 100);
  }
}

TEST_CASE("A gradient check of a function by twins says that there is no memory") {
  const auto f = [](const auto& x) { return x(0) * x(0) * x(1); };
  Tensor<double, 1> x({2}), gradient({2});
  x(0) = 3, x(1) = 5, gradient(0) = 30, gradient(1) = 9;
  const auto none = [] { return 0; };
  CHECK(gradient_check<std::complex<double>>(f, x, gradient));
  const auto check = [&](int) { gradient_check<std::complex<double>>(f, x, gradient); };
  CHECK(for_each_failing_allocation(1, none, check, [](int, bool) {}) > 10);
}
