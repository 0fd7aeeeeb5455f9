// SPDX-License-Identifier: MIT
// Dual numbers certify the hand-written backward: they differentiate the forward by themselves, exactly where all is in
// integers.
#include <unfold/nn/conv2d.hpp>

#include "support/catch.hpp"
#include "support/fill.hpp"
#include "support/matrices.hpp"

using namespace unfold;
using test::copy_into;
using test::Dual;
using test::integer_tensor;

namespace {

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
      copy_into(layer.weights(), w);
      layer.bias().fill(0.5);
      layer.forward(x);
      const double by_x = inner_product<double>(layer.backward(dy), x_direction);
      const double by_w = inner_product<double>(layer.weight_gradient(), w_direction);

      Conv2D<Dual> dual(options);
      const auto dual_x = along(x, x_direction, 0);
      copy_into(dual.weights(), along(w, w_direction, 1));
      dual.bias().fill(Dual(0.5));
      const Dual loss = inner_product<Dual>(dual.forward(dual_x), dy);
      CHECK(loss.derivatives() == Eigen::Vector2d(by_x, by_w));

      // The layer of dual numbers goes backward as well: dx is linear in w, so its derivative is dx of w's direction.
      const auto still = along(dy, Tensor<double, 4>(dy.shape()), 0);
      const Dual dual_by_x = inner_product<Dual>(dual.backward(still), x_direction);
      CHECK(dual_by_x.value() == by_x);
      if (f != Activation::linear) continue;
      copy_into(layer.weights(), w_direction);
      layer.forward(x);
      CHECK(dual_by_x.derivatives() == Eigen::Vector2d(0, inner_product<double>(layer.backward(dy), x_direction)));
    }
  }
}
