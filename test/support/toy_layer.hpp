// SPDX-License-Identifier: MIT
// Toy: a small dense layer in plain loops, with a place where a wrong gradient can be planted.
#pragma once

#include "support/fill.hpp"

#include <cmath>
#include <functional>

namespace unfold::test {

/// y = f(x W + b) for each row of x, with a place where a wrong gradient can be planted.
template <class T>
class Toy {
 public:
  Toy(Index in, Index out) : w({in, out}), dw({in, out}), b({out}), db({out}), last_dz({out}) {}

  const Tensor<T, 2>& forward(TensorView<const T, 2> x, Mode mode = Mode::training) {
    x_ = mode == Mode::training ? x : TensorView<const T, 2>();
    y_.reshape_for_overwrite({x.shape(0), w.shape(1)});
    for (Index n = 0; n < x.shape(0); ++n) {
      for (Index o = 0; o < w.shape(1); ++o) {
        T z = b(o);
        for (Index i = 0; i < w.shape(0); ++i) z += x(n, i) * w(i, o);
        y_(n, o) = f(z);
      }
    }
    return y_;
  }

  const Tensor<T, 2>& backward(TensorView<const T, 2> dy, InputGradient = InputGradient::compute) {
    dx_.reshape_for_overwrite(x_.shape());
    dx_.fill(T(0));
    for (Index n = 0; n < x_.shape(0); ++n) {
      for (Index o = 0; o < w.shape(1); ++o) {
        const T dz = dy(n, o) * slope(y_(n, o));
        last_dz(o) = dz;
        db(o) += dz;
        for (Index i = 0; i < w.shape(0); ++i) {
          dx_(n, i) += dz * w(i, o);
          dw(i, o) += dz * x_(n, i);
        }
      }
    }
    if (plant) plant(*this);
    return dx_;
  }

  template <class Visit>
  void visit_parameters(Visit&& visit) {
    visit("weights", w.view(), dw.view());
    visit("bias", b.view(), db.view());
  }

  TensorView<T, 2> dx() { return dx_; }
  TensorView<const T, 2> input() const { return x_; }

  Tensor<T, 2> w, dw;
  Tensor<T, 1> b, db, last_dz;
  std::function<T(T)> f = [](T z) { return z; };
  std::function<T(T)> slope = [](T) { return T(1); };  // f' from y
  std::function<void(Toy&)> plant;

 private:
  TensorView<const T, 2> x_;
  Tensor<T, 2> y_, dx_;
};

template <class T>
Toy<T> linear_toy() {
  Random random(3);
  Toy<T> toy(4, 3);
  fill_normal(toy.w.view(), random);
  fill_normal(toy.b.view(), random);
  return toy;
}

template <class T>
Toy<T> tanh_toy() {
  auto toy = linear_toy<T>();
  toy.f = [](T z) { return std::tanh(z); };
  toy.slope = [](T y) { return 1 - y * y; };
  return toy;
}

template <class T>
Tensor<T, 2> normal_input(Index rows = 5) {
  Random random(4);
  Tensor<T, 2> x({rows, 4});
  fill_normal(x.view(), random);
  return x;
}

}  // namespace unfold::test
