// SPDX-License-Identifier: MIT
// Conv2D and the free functions of any scalar. Dual numbers certify the hand-written backward: they differentiate the
// forward by themselves, exactly where all is in integers.
#include <unfold/nn/conv2d.hpp>

#include "support/catch.hpp"
#include "support/matrices.hpp"

using namespace unfold;
using test::difference;
using test::Dual;
using test::integer_tensor;

namespace {

template <class T, int Rank>
void set(const TensorView<T, Rank>& view, const Tensor<T, Rank>& values) {
  REQUIRE(view.shape() == values.shape());
  std::copy_n(values.data(), values.size(), view.data());
}

/// The sum of a_i * b_i.
template <class T, class A, class B>
T inner_product(const A& a, const B& b) {
  T sum(0);
  for (Index i = 0; i < a.size(); ++i) sum += a.data()[i] * b.data()[i];
  return sum;
}

/// value + direction * d(axis)
template <int Rank>
Tensor<Dual, Rank> along(const Tensor<double, Rank>& value, const Tensor<double, Rank>& direction, int axis) {
  Tensor<Dual, Rank> dual(value.shape());
  for (Index i = 0; i < value.size(); ++i) {
    dual.data()[i] = Dual(value.data()[i], direction.data()[i] * Eigen::Vector2d::Unit(axis));
  }
  return dual;
}

}  // namespace

TEMPLATE_TEST_CASE("A layer and the free functions of any scalar are the sums of the reference", "", long double,
                   std::complex<double>, Dual) {
  using T = TestType;
  for (const auto& problem : test::problems()) {
    INFO(problem);
    const Conv2DGeometry g = problem.geometry();
    const auto options = problem.options();
    const auto x = integer_tensor<T>(g.x_shape(), 1), w = integer_tensor<T>(g.w_shape(), 2);
    const auto dy = integer_tensor<T>(g.y_shape(), 3);
    const auto b = integer_tensor<T>(Shape{g.OC}, 4);
    Tensor<T, 4> y(g.y_shape()), dx(g.x_shape()), dw(g.w_shape());
    reference::conv2d_forward(x, w, options, y);
    reference::conv2d_backward_input(dy, w, options, dx);
    reference::conv2d_backward_weights(x, dy, options, dw);

    Tensor<T, 4> out(g.y_shape()), din(g.x_shape()), dfilters(g.w_shape());
    conv2d_forward(x, w, options, out);
    conv2d_backward_input(dy, w, options, din);
    conv2d_backward_weights(x, dy, options, dfilters);
    CHECK(difference(out.matrix(), y.matrix()) == "");
    CHECK(difference(din.matrix(), dx.matrix()) == "");
    CHECK(difference(dfilters.matrix(), dw.matrix()) == "");

    Conv2D<T> layer(options);
    set(layer.weights(), w);
    if (options.bias) {
      set(layer.bias(), b);
      reference::add_bias(b, y);
    }
    CHECK(difference(layer.forward(x).matrix(), y.matrix()) == "");
    CHECK(difference(layer.backward(dy).matrix(), dx.matrix()) == "");
    CHECK(difference(layer.weight_gradient().matrix(), dw.matrix()) == "");
    Tensor<T, 1> db({g.OC});
    reference::bias_gradient(dy, db);
    if (options.bias) CHECK(difference(layer.bias_gradient().matrix(), db.matrix()) == "");
    layer.initialize(1);
    layer.update({.learning_rate = 0.5, .momentum = 0.5});
  }
}

TEST_CASE("Dual numbers through forward give what backward gives") {
  for (const Activation f : {Activation::linear, Activation::relu}) {
    for (const auto& problem : test::problems()) {
      INFO(problem);
      const Conv2DGeometry g = problem.geometry();
      Conv2DOptions options = problem.options();
      options.activation = f;
      options.bias = true;  // of 1/2, so that no sum stands on the kink
      const auto x = integer_tensor<double>(g.x_shape(), 1), x_direction = integer_tensor<double>(g.x_shape(), 2);
      const auto w = integer_tensor<double>(g.w_shape(), 3), w_direction = integer_tensor<double>(g.w_shape(), 4);
      const auto dy = integer_tensor<double>(g.y_shape(), 5);

      Conv2D<double> layer(options);
      set(layer.weights(), w);
      layer.bias().fill(0.5);
      layer.forward(x);
      const double by_x = inner_product<double>(layer.backward(dy), x_direction);
      const double by_w = inner_product<double>(layer.weight_gradient(), w_direction);

      Conv2D<Dual> dual(options);
      const auto dual_x = along(x, x_direction, 0);
      set(dual.weights(), along(w, w_direction, 1));
      dual.bias().fill(Dual(0.5));
      const Dual loss = inner_product<Dual>(dual.forward(dual_x), dy);
      CHECK(loss.derivatives() == Eigen::Vector2d(by_x, by_w));
    }
  }
}
