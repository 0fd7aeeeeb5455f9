// SPDX-License-Identifier: MIT
#include <unfold/nn/dense.hpp>
#include <unfold/nn/flatten.hpp>
#include <unfold/verify/gradient_check.hpp>

#include "support/catch.hpp"
#include "support/fill.hpp"
#include "support/largest_allocation.hpp"

#include <complex>
#include <string>
#include <vector>

using namespace unfold;
using Catch::Matchers::Message;
using test::integers;

namespace {

constexpr Index N = 3, IC = 7, OC = 5;

template <class T>
Dense<T> integer_layer(const DenseOptions& options) {
  Dense<T> layer(options);
  Random random(1);
  test::fill_integers(layer.weights(), random);
  test::fill_integers(layer.bias(), random);
  return layer;
}

}  // namespace

TEMPLATE_TEST_CASE("A dense layer and its gradients are those of plain loops", "", float, double, long double,
                   std::complex<double>) {
  using T = TestType;
  auto layer = integer_layer<T>({.inputs = IC, .outputs = OC});
  const auto x = integers<T>(Shape<2>{N, IC}, 2), dy = integers<T>(Shape<2>{N, OC}, 3);
  const auto w = layer.weights();
  Tensor<T, 2> y({N, OC}), dx({N, IC}), dw({OC, IC});
  Tensor<T, 1> db({OC});
  for (Index n = 0; n < N; ++n) {
    for (Index oc = 0; oc < OC; ++oc) {
      y(n, oc) = layer.bias()(oc);
      db(oc) += dy(n, oc);
      for (Index ic = 0; ic < IC; ++ic) {
        y(n, oc) += w(oc, ic) * x(n, ic);
        dw(oc, ic) += dy(n, oc) * x(n, ic);
        dx(n, ic) += dy(n, oc) * w(oc, ic);
      }
    }
  }
  CHECK(layer.forward(x) == y);
  CHECK(layer.backward(dy) == dx);
  CHECK(Tensor<T, 2>(layer.weight_gradient()) == dw);
  CHECK(Tensor<T, 1>(layer.bias_gradient()) == db);
  CHECK(layer.backward(dy, InputGradient::skip).size() == 0);  // adds to the parameters' gradients all the same
  for (Index i = 0; i < dw.size(); ++i) dw.data()[i] *= T(2);
  CHECK(Tensor<T, 2>(layer.weight_gradient()) == dw);
}

TEST_CASE("A dense layer reads strided views") {
  auto layer = integer_layer<float>({.inputs = IC, .outputs = OC});
  const auto wide = integers<float>(Shape<2>{2 * N, IC + 4}, 4), dwide = integers<float>(Shape<2>{N, OC + 1}, 5);
  const auto x = TensorView<const float, 2>(wide.data(), {N, IC}, {2 * (IC + 4), 1}).slice(0, 0, N);
  const auto dy = dwide.slice(1, 1, OC);
  const Tensor<float, 2> x_copy(x), dy_copy(dy);
  const Tensor<float, 2> y = layer.forward(x), dx = layer.backward(dy), dw(layer.weight_gradient());
  layer = integer_layer<float>({.inputs = IC, .outputs = OC});
  CHECK(layer.forward(x_copy) == y);
  CHECK(layer.backward(dy_copy) == dx);
  CHECK(Tensor<float, 2>(layer.weight_gradient()) == dw);
}

TEST_CASE("A constant dense layer shows its parameters to be read") {
  Dense<float> layer({.inputs = IC, .outputs = OC});
  const Dense<float>& constant = layer;
  STATIC_REQUIRE(std::is_same_v<decltype(constant.weights()), TensorView<const float, 2>>);
  CHECK(constant.weights().data() == layer.weights().data());
  CHECK(constant.bias().data() == layer.bias().data());
  CHECK(constant.weight_gradient().data() == layer.weight_gradient().data());
  CHECK(constant.bias_gradient().data() == layer.bias_gradient().data());
  CHECK(constant.weight_gradient().data() != constant.weights().data());
}

TEST_CASE("The activation and the lack of a bias reach both directions") {
  const auto x = integers<double>(Shape<2>{N, IC}, 6), dy = integers<double>(Shape<2>{N, OC}, 7);
  auto linear = integer_layer<double>({.inputs = IC, .outputs = OC, .bias = false});
  auto relu = integer_layer<double>({.inputs = IC, .outputs = OC, .bias = false, .activation = Activation::relu});
  CHECK(linear.bias().size() == 0);
  CHECK(linear.bias_gradient().size() == 0);
  Tensor<double, 2> y = linear.forward(x), dz = dy;
  for (Index i = 0; i < y.size(); ++i) {
    if (y.data()[i] > 0) continue;
    y.data()[i] = dz.data()[i] = 0;
  }
  CHECK(relu.forward(x) == y);
  CHECK(relu.backward(dy) == linear.backward(dz));
  CHECK(Tensor<double, 2>(relu.weight_gradient()) == Tensor<double, 2>(linear.weight_gradient()));
}

TEST_CASE("Differences confirm the gradients of a dense layer, exactly where it is linear") {
  const auto x = integers<double>(Shape<2>{N, IC}, 8);
  Dense<double> linear({.inputs = IC, .outputs = OC}),
      silu({.inputs = IC, .outputs = OC, .activation = Activation::silu});
  silu.initialize(2);
  CHECK(gradient_check(linear, x, {.engine = GradientEngine::integers}));
  CHECK(gradient_check(silu, x));
}

TEST_CASE("A dense layer starts with He's numbers and zero bias") {
  Dense<double> layer({.inputs = 8, .outputs = 3});  // deviation sqrt(2/8) = 1/2
  layer.bias().fill(7);
  layer.learning_rate_scale = 3;
  const auto weights = layer.weights();
  layer.initialize(42);
  CHECK(weights.data() == layer.weights().data());
  Random random(42);
  for (Index i = 0; i < 24; ++i) CHECK(layer.weights().data()[i] == 0.5 * random.normal());
  for (Index i = 0; i < 3; ++i) CHECK(layer.bias()(i) == 0);
  CHECK(layer.learning_rate_scale == 3);
}

TEST_CASE("An update is one step of descent, and the next backward starts anew") {
  Dense<double> layer({.inputs = 1, .outputs = 1});
  layer.weights()(0, 0) = 2;
  layer.bias()(0) = 3;
  layer.learning_rate_scale = 0.5;
  const Tensor<double, 2> x({1, 1}, 4.0), dy({1, 1}, 1.0);
  const SgdArgs args{.learning_rate = 1, .momentum = 0.5, .decay = 0.25, .batch = 2};
  layer.forward(x);
  layer.backward(dy);
  layer.update(args);  // v = 4 + 0.25*2*2 = 5, and 1 for the bias, which does not decay; step 0.5/2
  CHECK(layer.weights()(0, 0) == 2 - 0.25 * 5);
  CHECK(layer.bias()(0) == 3 - 0.25 * 1);
  CHECK(layer.weight_gradient()(0, 0) == 4);  // still to be read
  layer.forward(x);
  layer.backward(dy);
  CHECK(layer.weight_gradient()(0, 0) == 4);
  layer.update(args);  // v = 0.5*5 + 4 + 0.5*0.75 = 6.875, and 1.5
  CHECK(layer.weights()(0, 0) == 0.75 - 0.25 * 6.875);
  CHECK(layer.bias()(0) == 2.75 - 0.25 * 1.5);
}

TEST_CASE("A dense layer shows its state and its parameters by name") {
  std::vector<std::string> names;
  const auto state = [&](std::string_view name, auto view) {
    names.push_back(std::string(name) + " " + to_string(view.shape()));
  };
  const auto parameters = [&](std::string_view name, auto value, auto gradient) {
    names.push_back(std::string(name) + " " + to_string(value.shape()) + " " + to_string(gradient.shape()));
  };
  Dense<float> full({.inputs = 4, .outputs = 2}), bare({.inputs = 4, .outputs = 2, .bias = false});
  full.visit_state(state);
  full.visit_parameters(parameters);
  bare.visit_state(state);
  bare.visit_parameters(parameters);
  CHECK(names == std::vector<std::string>{"weights [2, 4]", "weights.velocity [2, 4]", "bias [2]", "bias.velocity [2]",
                                          "weights [2, 4] [2, 4]", "bias [2] [2]", "weights [2, 4]",
                                          "weights.velocity [2, 4]", "weights [2, 4] [2, 4]"});
}

TEST_CASE("A dense layer allocates nothing after the first call with a shape") {
  auto layer = integer_layer<float>({.inputs = IC, .outputs = OC, .activation = Activation::gelu});
  const auto x = integers<float>(Shape<2>{N, IC}, 9), dy = integers<float>(Shape<2>{N, OC}, 10);
  const auto step = [&] {
    layer.forward(x);
    layer.backward(dy);
    layer.update({.learning_rate = 0.1});
  };
  step();
  const test::LargestAllocation allocated;
  step();
  CHECK(allocated.bytes() == 0);
}

TEST_CASE("A dense layer refuses wrong arguments and a wrong order of calls") {
  CHECK_THROWS_MATCHES(Dense<float>({.inputs = 0, .outputs = 2}), ShapeError,
                       Message("unfold::Dense: inputs must be >= 1, got 0"));
  CHECK_THROWS_MATCHES(Dense<float>({.inputs = 2, .outputs = -1}), ShapeError,
                       Message("unfold::Dense: outputs must be >= 1, got -1"));
  Dense<float> layer({.inputs = IC, .outputs = OC});
  const Tensor<float, 2> x({N, IC}), dy({N, OC}), narrow({N, IC - 1}), empty({0, IC});
  const auto too_early = Message("unfold::Dense::backward: call forward in training mode first");
  CHECK_THROWS_MATCHES(layer.backward(dy), StateError, too_early);
  CHECK_THROWS_MATCHES(layer.forward(narrow), ShapeError,
                       Message("unfold::Dense::forward: x must be [N, 7] with N >= 1, got [3, 6]"));
  CHECK_THROWS_MATCHES(layer.forward(empty), ShapeError,
                       Message("unfold::Dense::forward: x must be [N, 7] with N >= 1, got [0, 7]"));
  layer.forward(x);
  CHECK_THROWS_MATCHES(layer.backward(x), ShapeError,
                       Message("unfold::Dense::backward: dy must be [3, 5], got [3, 7]"));
  CHECK_THROWS_MATCHES(layer.update({.learning_rate = 1, .batch = 0}), ShapeError,
                       Message("unfold::Dense::update: batch must be >= 1, got 0"));
  auto copy = layer;
  CHECK_THROWS_MATCHES(copy.backward(dy), StateError, too_early);
  layer.forward(x, Mode::inference);
  CHECK_THROWS_MATCHES(layer.backward(dy), StateError, too_early);
}

TEST_CASE("Flatten shows images as rows, and their gradient as images, without a copy") {
  const auto batch = integers<float>(Shape<4>{4, 2, 3, 5}, 11);
  const auto x = batch.slice(0, 1, 2);
  Flatten<float> flatten;
  const auto y = flatten.forward(x);
  CHECK(y.shape() == Shape<2>{2, 30});
  CHECK(y.data() == x.data());
  CHECK(y(1, 17) == x(1, 1, 0, 2));
  const auto columns = batch.slice(3, 2, 1);  // [4, 2, 3, 1]: an image is every fifth element of a part of memory
  CHECK(Flatten<float>().forward(columns)(2, 4) == batch(2, 1, 1, 2));
  const auto wide = integers<float>(Shape<2>{2, 33}, 12);
  const auto dx = flatten.backward(wide.slice(1, 2, 30));
  CHECK(dx.shape() == x.shape());
  CHECK(dx.data() == wide.data() + 2);
  CHECK(dx(1, 1, 0, 2) == wide(1, 19));

  CHECK_THROWS_MATCHES(flatten.backward(wide), ShapeError,
                       Message("unfold::Flatten::backward: dy must be [2, 30], got [2, 33]"));
  CHECK_THROWS_MATCHES(flatten.forward(batch.slice(3, 0, 4)), ShapeError,
                       Message("unfold::Flatten::forward: axes from 1 on must lie in one stride (copy the view first), "
                               "got shape [4, 2, 3, 4] with strides [30, 15, 5, 1]"));
  flatten.forward(x, Mode::inference);
  CHECK_THROWS_MATCHES(flatten.backward(wide), StateError,
                       Message("unfold::Flatten::backward: call forward in training mode first"));
}
