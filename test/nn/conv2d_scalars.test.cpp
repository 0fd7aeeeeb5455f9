// SPDX-License-Identifier: MIT
// Conv2D and the free functions of scalars that the engine does not multiply; of dual numbers in conv2d_dual.
#include <unfold/nn/conv2d.hpp>

#include "support/catch.hpp"
#include "support/fill.hpp"
#include "support/matrices.hpp"

using namespace unfold;
using test::copy_into;
using test::difference;
using test::integer_tensor;

TEMPLATE_TEST_CASE("A layer and the free functions of any scalar are the sums of the reference", "", long double,
                   std::complex<double>) {
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
    copy_into(layer.weights(), w);
    if (options.bias) {
      copy_into(layer.bias(), b);
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
