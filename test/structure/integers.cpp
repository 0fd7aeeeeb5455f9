// SPDX-License-Identifier: MIT
// What every compiler must get right, with nothing but the library: on integers, where nothing is rounded,
// Conv2D<float> and Conv2D<double> equal the loop reference with ==, and a second backward and an update do what they
// say.
#include <unfold/unfold.hpp>

#include "support/fill.hpp"

#include <iostream>

namespace {

using namespace unfold;

/// Prints what differs; the number of differences.
template <class T, int Rank>
int differences(const test::Problem& problem, const char* name, const TensorView<const T, Rank>& got,
                const Tensor<T, Rank>& expected) {
  if (Tensor<T, Rank>(got) == expected) return 0;
  std::cout << "FAILED: " << problem << ": " << name << ", elements of " << sizeof(T) << " bytes\n";
  return 1;
}

template <class T>
int check(const test::Problem& problem) {
  const Conv2DOptions options = problem.options();
  const test::ConvolutionData<T> data = test::integer_data<T>(problem.geometry(), 1);
  Tensor<T, 4> y(data.dy.shape()), dx(data.x.shape()), dw(data.w.shape());
  Tensor<T, 1> db(data.b.shape());
  reference::conv2d_forward(data.x, data.w, options, y);
  if (options.bias) reference::add_bias(data.b, y);
  reference::conv2d_backward_input(data.dy, data.w, options, dx);
  reference::conv2d_backward_weights(data.x, data.dy, options, dw);
  reference::bias_gradient(data.dy, db);

  Conv2D<T> layer(options);
  test::copy_into(layer.weights(), data.w);
  if (options.bias) test::copy_into(layer.bias(), data.b);
  int wrong = differences<T, 4>(problem, "y", layer.forward(data.x), y);
  wrong += differences<T, 4>(problem, "dx", layer.backward(data.dy), dx);
  wrong += differences<T, 4>(problem, "dw", layer.weight_gradient(), dw);
  if (options.bias) wrong += differences<T, 1>(problem, "db", layer.bias_gradient(), db);

  layer.backward(data.dy);
  layer.update({.learning_rate = 1, .batch = 2});
  Tensor<T, 4> w = data.w;
  for (Index i = 0; i < w.size(); ++i) w.data()[i] -= dw.data()[i];  // 2*dw, over a batch of 2
  return wrong + differences<T, 4>(problem, "weights after an update", layer.weights(), w);
}

}  // namespace

// NOLINTNEXTLINE(bugprone-exception-escape): that would be a failure, and is one
int main() {
  int cases = 0, failed = 0;
  for (const test::Problem& problem : test::problems()) {
    for (const int wrong : {check<float>(problem), check<double>(problem)}) {
      ++cases;
      failed += wrong > 0 ? 1 : 0;
    }
  }
  std::cout << "cases: " << cases - failed << " passed, " << failed << " failed, 0 skipped\n";
  return failed > 0 ? 1 : 0;
}
