// SPDX-License-Identifier: MIT
#include <unfold/nn/conv2d.hpp>
#include <unfold/nn/dense.hpp>
#include <unfold/nn/flatten.hpp>
#include <unfold/nn/loss.hpp>
#include <unfold/nn/pooling.hpp>
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

namespace {

const Conv2DOptions convolution{.in_channels = 2, .out_channels = 3, .kernel = {2, 3}, .activation = Activation::tanh};
const Conv2DOptions normalized{.in_channels = 3, .out_channels = 4, .batch_norm = BatchNorm::standard};
const DenseOptions dense{.inputs = 16, .outputs = 5};
const Shape<4> x_shape{3, 2, 5, 7};  // -> [3, 3, 4, 5] -> [3, 3, 2, 2] -> [3, 4, 2, 2] -> [3, 16] -> [3, 5]

template <class T>
auto network() {
  Sequential net(Conv2D<T>(convolution), AvgPool2D<T>({.kernel = {2, 2}}),
                 Sequential(Conv2D<T>(normalized), Flatten<T>()), Dense<T>(dense));
  net.initialize(1);
  return net;
}

template <class T, int Rank>
Tensor<T, Rank> normal(const Shape<Rank>& shape, std::uint64_t seed) {
  Random random(seed);
  Tensor<T, Rank> q(shape);
  test::fill_normal(q.view(), random);
  return q;
}

template <class Net>
std::vector<float> parameters_of(Net& net) {
  std::vector<float> values;
  net.visit_parameters([&](std::string_view, auto value, auto) {
    values.insert(values.end(), value.data(), value.data() + value.size());
  });
  return values;
}

using Net = decltype(network<float>());
static_assert(LayerOn<Net, Tensor<float, 4>>);
static_assert(!LayerOn<Net, Tensor<float, 2>>);
static_assert(!LayerOn<Net, Tensor<double, 4>>);
static_assert(!LayersOn<Tensor<float, 4>, Conv2D<float>, Dense<float>>);  // an image is no row
static_assert(std::is_same_v<Net::value_type, float>);

}  // namespace

TEST_CASE("A sequence does what its layers do one after another") {
  auto net = network<float>();
  Conv2D<float> first = net.layer<0>(), third = net.layer<2>().layer<0>();
  AvgPool2D<float> pool({.kernel = {2, 2}});
  Flatten<float> flatten;
  Dense<float> last = net.layer<3>();
  const auto x = normal<float>(x_shape, 2);
  const auto dy = normal<float>(Shape<2>{3, 5}, 3);
  for (const Mode mode : {Mode::inference, Mode::training}) {
    CHECK_THAT(net.forward(x, mode),
               equals(last.forward(
                   flatten.forward(third.forward(pool.forward(first.forward(x, mode), mode), mode), mode), mode)));
  }
  CHECK_THAT(net.backward(dy),
             equals(first.backward(pool.backward(third.backward(flatten.backward(last.backward(dy)))))));
  CHECK_THAT(net.layer<0>().weight_gradient(), equals(first.weight_gradient()));
  CHECK_THAT(net.layer<2>().layer<0>().scale_gradient(), equals(third.scale_gradient()));
  const SgdArgs args{.learning_rate = 0.1, .momentum = 0.5, .batch = 3};
  net.update(args), first.update(args), third.update(args), last.update(args);
  CHECK_THAT(net.layer<0>().weights(), equals(first.weights()));
  CHECK_THAT(net.layer<2>().layer<0>().scales(), equals(third.scales()));
  CHECK_THAT(net.layer<3>().bias(), equals(last.bias()));
}

TEST_CASE("Skipping the input gradient skips that of the first layer alone") {
  auto net = network<float>(), other = network<float>();
  const auto x = normal<float>(x_shape, 2);
  const auto dy = normal<float>(Shape<2>{3, 5}, 3);
  net.forward(x), other.forward(x);
  CHECK(net.backward(dy, InputGradient::skip).size() == 0);
  CHECK(other.backward(dy).shape() == x_shape);
  CHECK_THAT(net.layer<0>().weight_gradient(), equals(other.layer<0>().weight_gradient()));
}

TEST_CASE("Each layer starts from a number of the network's seed, by its place") {
  auto net = network<float>();
  net.initialize(7);
  Random random(7);
  Conv2D<float> first(convolution), third(normalized);
  Dense<float> last(dense);
  first.initialize(random.next());
  random.next();  // the pooling layer's
  Random inner(random.next());
  third.initialize(inner.next());
  last.initialize(random.next());
  CHECK_THAT(net.layer<0>().weights(), equals(first.weights()));
  CHECK_THAT(net.layer<2>().layer<0>().weights(), equals(third.weights()));
  CHECK_THAT(net.layer<3>().weights(), equals(last.weights()));
}

TEST_CASE("State and parameters are named by the places of their layers") {
  auto net = network<float>();
  std::vector<std::string> state, parameters;
  net.visit_state([&](std::string_view name, auto) { state.emplace_back(name); });
  net.visit_parameters([&](std::string_view name, auto value, auto gradient) {
    CHECK(value.shape() == gradient.shape());
    parameters.emplace_back(name);
  });
  CHECK(state == std::vector<std::string>{"0.weights", "0.weights.velocity", "0.bias", "0.bias.velocity", "2.0.weights",
                                          "2.0.weights.velocity", "2.0.bias", "2.0.bias.velocity", "2.0.scales",
                                          "2.0.scales.velocity", "2.0.running_mean", "2.0.running_variance",
                                          "3.weights", "3.weights.velocity", "3.bias", "3.bias.velocity"});
  CHECK(parameters == std::vector<std::string>{"0.weights", "0.bias", "2.0.weights", "2.0.bias", "2.0.scales",
                                               "3.weights", "3.bias"});
}

TEST_CASE("Central differences confirm the gradients of a whole network") {
  auto net = network<double>();
  CHECK(gradient_check(net, normal<double>(x_shape, 4)));
}

TEST_CASE("A copy is a network of its own, which needs a forward of its own") {
  auto net = network<float>();
  const auto x = normal<float>(x_shape, 5);
  const auto dy = normal<float>(Shape<2>{3, 5}, 6);
  net.forward(x);
  auto copy = net;
  CHECK_THROWS_MATCHES(copy.backward(dy), StateError,
                       Message("unfold::Dense::backward: call forward in training mode first"));
  const auto before = parameters_of(net);
  copy.forward(x);
  copy.backward(dy);
  copy.update({.learning_rate = 0.5});
  CHECK((parameters_of(net) == before));  // training the copy left the original as it was
  CHECK((parameters_of(copy) != before));
  net.backward(dy);  // and the original still has its own input
  net.update({.learning_rate = 0.5});
  CHECK((parameters_of(net) == parameters_of(copy)));
}

TEST_CASE("A move takes along what backward needs") {
  auto stays = network<float>(), leaves = network<float>();
  const auto x = normal<float>(x_shape, 5);
  const auto dy = normal<float>(Shape<2>{3, 5}, 6);
  stays.forward(x), leaves.forward(x);
  auto arrived = std::move(leaves);
  CHECK_THAT(arrived.backward(dy), equals(stays.backward(dy)));
  CHECK_THAT(arrived.layer<0>().weight_gradient(), equals(stays.layer<0>().weight_gradient()));
}

TEST_CASE("A network in training allocates nothing after the first step with a shape") {
  auto net = network<float>();
  SoftmaxCrossEntropy<float> loss;
  const auto x = normal<float>(x_shape, 5);
  const Tensor<Index, 1> labels({3}, 2);
  const auto step = [&] {
    loss.forward(net.forward(x), labels);
    net.backward(loss.backward(), InputGradient::skip);
    net.update({.learning_rate = 0.1, .batch = 3});
    net.forward(x, Mode::inference);
  };
  step();
  const test::LargestAllocation allocated;
  step();
  CHECK(allocated.bytes() == 0);
}
