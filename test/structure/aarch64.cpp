// SPDX-License-Identifier: MIT
// The three products of every named problem, on integers, against the loops of the reference: a program without a test
// framework, for machines that are emulated.
#include "support/fill.hpp"
#include "support/problems.hpp"

#include <unfold/nn/conv2d_products.hpp>
#include <unfold/verify/reference.hpp>

#include <cstdio>

using namespace unfold;

template <class T>
int wrong_products(const test::Problem& problem) {
  const Conv2DGeometry g = problem.geometry();
  const Conv2DOptions options = problem.options();
  Random random(1);
  Tensor<T, 4> x(g.x_shape()), w(g.w_shape()), dy(g.y_shape());
  for (Tensor<T, 4>* operand : {&x, &w, &dy}) test::fill_integers(operand->view(), random);
  Tensor<T, 4> y(g.y_shape()), dx(g.x_shape()), dw(g.w_shape());
  Tensor<T, 4> loops_y(g.y_shape()), loops_dx(g.x_shape()), loops_dw(g.w_shape());
  conv2d_forward(x, w, options, y);
  conv2d_backward_input(dy, w, options, dx);
  conv2d_backward_weights(x, dy, options, dw);
  reference::conv2d_forward(x, w, options, loops_y);
  reference::conv2d_backward_input(dy, w, options, loops_dx);
  reference::conv2d_backward_weights(x, dy, options, loops_dw);
  return (y != loops_y) + (dx != loops_dx) + (dw != loops_dw);
}

int main() {
  int wrong = 0;
  for (const auto& problem : test::problems()) {
    const int of_problem = wrong_products<float>(problem) + wrong_products<double>(problem);
    if (of_problem > 0) std::printf("%d products of %s are wrong\n", of_problem, to_string(problem).c_str());
    wrong += of_problem;
  }
  std::printf("%zu problems, float and double: %d products are wrong\n", test::problems().size(), wrong);
  return wrong == 0 ? 0 : 1;
}
