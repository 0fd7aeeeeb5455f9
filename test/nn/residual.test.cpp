// SPDX-License-Identifier: MIT
#include <unfold/nn/conv2d.hpp>
#include <unfold/nn/residual.hpp>
#include <unfold/nn/sequential.hpp>
#include <unfold/verify/gradient_check.hpp>

#include "support/catch.hpp"
#include "support/fill.hpp"
#include "support/largest_allocation.hpp"
#include "support/tensor_matcher.hpp"

#include <string>
#include <utility>
#include <vector>

using namespace unfold;
using Catch::Matchers::Message;
using test::equals;
using test::integers;

namespace {

const Conv2DOptions same{.in_channels = 2, .out_channels = 2, .kernel = {3, 3}, .padding = {1, 1, 1, 1}};
const Conv2DOptions halving{
    .in_channels = 2, .out_channels = 3, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1, 1, 1}};
const Conv2DOptions projection{.in_channels = 2, .out_channels = 3, .stride = {2, 2}};
const Shape<4> of_two_channels{2, 2, 5, 4};

template <class T>
Conv2D<T> integer_layer(const Conv2DOptions& options, std::uint64_t seed) {
  Conv2D<T> layer(options);
  Random random(seed);
  test::fill_integers(layer.weights(), random);
  return layer;
}

template <class T>
Tensor<T, 4> sum(const Tensor<T, 4>& a, const Tensor<T, 4>& b) {
  Tensor<T, 4> c = a;
  for (Index i = 0; i < c.size(); ++i) c.data()[i] += b.data()[i];
  return c;
}

/// Sets to 0 what relu cuts off: q where z is not above 0.
Tensor<float, 4> where_positive(const Tensor<float, 4>& z, Tensor<float, 4> q) {
  for (Index i = 0; i < q.size(); ++i) q.data()[i] = z.data()[i] > 0 ? q.data()[i] : 0;
  return q;
}

}  // namespace

TEST_CASE("A residual block adds its input, or a projection of it, before the activation") {
  const auto x = integers<float>(of_two_channels, 1);
  SECTION("the shortcut is x") {
    auto main = integer_layer<float>(same, 2);
    Residual block(main);
    const auto dy = integers<float>(of_two_channels, 3);
    const auto z = sum(main.forward(x), x);
    const auto dz = where_positive(z, dy);
    CHECK_THAT(block.forward(x), equals(where_positive(z, z)));
    CHECK_THAT(block.backward(dy), equals(sum(main.backward(dz), dz)));
    CHECK_THAT(block.main().weight_gradient(), equals(main.weight_gradient()));
  }
  SECTION("the shortcut is a convolution") {
    auto main = integer_layer<float>(halving, 4), shortcut = integer_layer<float>(projection, 5);
    Residual block(main, shortcut);
    const auto dy = integers<float>({2, 3, 3, 2}, 6);
    const auto z = sum(main.forward(x), shortcut.forward(x));
    const auto dz = where_positive(z, dy);
    CHECK_THAT(block.forward(x), equals(where_positive(z, z)));
    CHECK_THAT(block.backward(dy), equals(sum(main.backward(dz), shortcut.backward(dz))));
    CHECK_THAT(block.shortcut().weight_gradient(), equals(shortcut.weight_gradient()));
    const SgdArgs args{.learning_rate = 0.5};
    block.update(args), main.update(args), shortcut.update(args);
    CHECK_THAT(block.main().weights(), equals(main.weights()));
    CHECK_THAT(block.shortcut().weights(), equals(shortcut.weights()));
  }
}

TEST_CASE("Central differences confirm the gradients of residual blocks") {
  const auto x = integers<double>(of_two_channels, 7);
  Residual identity{Sequential{Conv2D<double>(same), Conv2D<double>(same)}, Activation::silu};
  identity.initialize(8);
  CHECK(gradient_check(identity, x));
  Residual projected{Conv2D<double>(halving), Sequential{Conv2D<double>(projection)}, Activation::leaky};
  projected.initialize(9);
  CHECK(gradient_check(projected, x));
}

TEST_CASE("The branches of a block start from its seed and are named") {
  Residual block{Sequential{Conv2D<float>(halving)}, Conv2D<float>(projection)};
  block.initialize(10);
  Random random(10);
  Sequential main{Conv2D<float>(halving)};
  Conv2D<float> shortcut(projection);
  main.initialize(random.next());
  shortcut.initialize(random.next());
  CHECK_THAT(block.main().layer<0>().weights(), equals(main.layer<0>().weights()));
  CHECK_THAT(block.shortcut().weights(), equals(shortcut.weights()));
  std::vector<std::string> names;
  block.visit_parameters([&](std::string_view name, auto, auto) { names.emplace_back(name); });
  CHECK(names == std::vector<std::string>{"main.0.weights", "main.0.bias", "shortcut.weights", "shortcut.bias"});
  names.clear();
  Residual<Conv2D<float>>(Conv2D<float>(same)).visit_state([&](std::string_view name, auto) {
    names.emplace_back(name);
  });
  CHECK(names == std::vector<std::string>{"main.weights", "main.weights.velocity", "main.bias", "main.bias.velocity"});
}

TEST_CASE("A block in training allocates nothing after the first step with a shape") {
  Residual block{Conv2D<float>(halving), Conv2D<float>(projection), Activation::silu};
  const auto x = integers<float>(of_two_channels, 11), dy = integers<float>({2, 3, 3, 2}, 12);
  const auto step = [&] {
    block.forward(x);
    block.backward(dy);
    block.update({.learning_rate = 0.1});
  };
  step();
  const test::LargestAllocation allocated;
  step();
  CHECK(allocated.bytes() == 0);
}

TEST_CASE("A block refuses branches of two shapes, and a wrong order of calls") {
  const auto x = integers<float>(of_two_channels, 13), dy = integers<float>({2, 3, 3, 2}, 14);
  Residual uneven{Conv2D<float>(halving)};
  CHECK_THROWS_MATCHES(
      uneven.forward(x), ShapeError,
      Message("unfold::Residual::forward: shortcut must give main's shape [2, 3, 3, 2], got [2, 2, 5, 4]"));
  Residual block{Conv2D<float>(halving), Conv2D<float>(projection)};
  const auto too_early = Message("unfold::Residual::backward: call forward in training mode first");
  CHECK_THROWS_MATCHES(block.backward(dy), StateError, too_early);
  block.forward(x);
  CHECK_THROWS_MATCHES(block.backward(x), ShapeError,
                       Message("unfold::Residual::backward: dy must be [2, 3, 3, 2], got [2, 2, 5, 4]"));
  auto copy = block;
  CHECK_THROWS_AS(copy.backward(dy), StateError);
  auto moved = std::move(block);
  CHECK(moved.backward(dy, InputGradient::skip).size() == 0);
  moved.forward(x, Mode::inference);
  CHECK_THROWS_MATCHES(moved.backward(dy), StateError, too_early);
}
