// SPDX-License-Identifier: MIT
// What every convolution obeys, whoever computes it: no reference is needed. Integers, compared with ==.
#include <unfold/nn/conv2d.hpp>

#include "support/catch.hpp"
#include "support/fill.hpp"
#include "support/tensor_matcher.hpp"

#include <set>

using namespace unfold;
using test::equals;
using test::poisoned;
using test::Problem;

namespace {

template <class T>
Tensor<T, 4> forward(const Tensor<T, 4>& x, const Tensor<T, 4>& w, const Conv2DOptions& options) {
  const auto g = conv2d_geometry("forward", options, x.shape());
  auto y = poisoned<T>(g.y_shape());
  conv2d_forward(x, w, options, y);
  return y;
}

template <class T>
Tensor<T, 4> backward_input(const Tensor<T, 4>& dy, const Tensor<T, 4>& w, const Conv2DOptions& options,
                            const Shape<4>& x_shape) {
  auto dx = poisoned<T>(x_shape);
  conv2d_backward_input(dy, w, options, dx);
  return dx;
}

template <class T>
Tensor<T, 4> backward_weights(const Tensor<T, 4>& x, const Tensor<T, 4>& dy, const Conv2DOptions& options) {
  const auto g = conv2d_geometry("backward_weights", options, x.shape());
  auto dw = poisoned<T>(g.w_shape());
  conv2d_backward_weights(x, dy, options, dw);
  return dw;
}

/// <a, b> = sum of a*b: exact in double for the integers of the problem list.
template <class T>
double dot(const Tensor<T, 4>& a, const Tensor<T, 4>& b) {
  REQUIRE(a.shape() == b.shape());
  double sum = 0;
  for (Index i = 0; i < a.size(); ++i) sum += static_cast<double>(a.data()[i]) * static_cast<double>(b.data()[i]);
  return sum;
}

/// The part [begin, begin + count) of an axis, copied.
template <class T>
Tensor<T, 4> part(const Tensor<T, 4>& tensor, int axis, Index begin, Index count) {
  return Tensor<T, 4>(tensor.slice(axis, begin, count));
}

template <class T>
Tensor<T, 4> times(int factor, Tensor<T, 4> q) {
  q.array() *= T(factor);
  return q;
}

/// Runs `law(problem, options, data)` for every problem of the list.
template <class T, class Law>
void for_each_problem(Law&& law) {
  for (const auto& problem : test::problems()) {
    INFO(problem);
    law(problem, problem.options(), test::integer_data<T>(problem.geometry(), 5));
  }
}

}  // namespace

TEMPLATE_TEST_CASE("The three products are adjoint: <conv(x, w), dy> = <x, dx> = <w, dw>", "", float, double) {
  for_each_problem<TestType>([](const Problem& problem, const Conv2DOptions& options, const auto& data) {
    const double loss = dot(forward(data.x, data.w, options), data.dy);
    CHECK(dot(data.x, backward_input(data.dy, data.w, options, problem.x)) == loss);
    CHECK(dot(data.w, backward_weights(data.x, data.dy, options)) == loss);
  });
}

TEMPLATE_TEST_CASE("G groups are G convolutions side by side", "", float, double) {
  int grouped = 0;
  for_each_problem<TestType>([&](const Problem&, const Conv2DOptions& options, const auto& data) {
    const Index G = options.groups, IC = options.in_channels / G, OC = options.out_channels / G;
    if (G == 1) return;
    ++grouped;
    auto one = options;
    one.groups = 1, one.in_channels = IC, one.out_channels = OC;
    const auto y = forward(data.x, data.w, options);
    const auto dx = backward_input(data.dy, data.w, options, data.x.shape());
    const auto dw = backward_weights(data.x, data.dy, options);
    for (Index g = 0; g < G; ++g) {
      const auto x_g = part(data.x, 1, g * IC, IC), dy_g = part(data.dy, 1, g * OC, OC);
      const auto w_g = part(data.w, 0, g * OC, OC);
      CHECK_THAT(part(y, 1, g * OC, OC), equals(forward(x_g, w_g, one)));
      CHECK_THAT(part(dx, 1, g * IC, IC), equals(backward_input(dy_g, w_g, one, x_g.shape())));
      CHECK_THAT(part(dw, 0, g * OC, OC), equals(backward_weights(x_g, dy_g, one)));
    }
  });
  CHECK(grouped >= 4);
}

TEMPLATE_TEST_CASE("A batch is its images one by one", "", float, double) {
  for_each_problem<TestType>([](const Problem& problem, const Conv2DOptions& options, const auto& data) {
    const auto y = forward(data.x, data.w, options);
    const auto dx = backward_input(data.dy, data.w, options, problem.x);
    Tensor<TestType, 4> dw(data.w.shape());
    for (Index n = 0; n < problem.x[0]; ++n) {
      const auto x_n = part(data.x, 0, n, 1), dy_n = part(data.dy, 0, n, 1);
      CHECK_THAT(part(y, 0, n, 1), equals(forward(x_n, data.w, options)));
      CHECK_THAT(part(dx, 0, n, 1), equals(backward_input(dy_n, data.w, options, x_n.shape())));
      conv2d_backward_weights(x_n, dy_n, options, dw, TestType(1));
    }
    CHECK_THAT(backward_weights(data.x, data.dy, options), equals(dw));
  });
}

TEMPLATE_TEST_CASE("Stride s keeps every s-th pixel of stride 1", "", float, double) {
  for_each_problem<TestType>([](const Problem&, const Conv2DOptions& options, const auto& data) {
    auto dense = options;
    dense.stride = {1, 1};
    const auto y = forward(data.x, data.w, options), all = forward(data.x, data.w, dense);
    const TensorView<const TestType, 4> kept(
        all.data(), y.shape(),
        {all.stride(0), all.stride(1), all.stride(2) * options.stride.height, all.stride(3) * options.stride.width});
    CHECK_THAT(y, equals(kept));
  });
}

TEMPLATE_TEST_CASE("Padding on each side is an image with a border of zeros, whose gradient is cut off", "", float,
                   double) {
  for_each_problem<TestType>([](const Problem& problem, const Conv2DOptions& options, const auto& data) {
    auto unpadded = options;
    unpadded.padding = {0, 0, 0, 0};
    const auto [top, bottom, left, right] = options.padding;
    const auto [N, IC, IH, IW] = std::array{problem.x[0], problem.x[1], problem.x[2], problem.x[3]};
    Tensor<TestType, 4> bordered({N, IC, top + IH + bottom, left + IW + right});
    test::copy_into(bordered.slice(2, top, IH).slice(3, left, IW), data.x);
    CHECK_THAT(forward(data.x, data.w, options), equals(forward(bordered, data.w, unpadded)));
    const auto dx = backward_input(data.dy, data.w, unpadded, bordered.shape());
    CHECK_THAT(backward_input(data.dy, data.w, options, problem.x), equals(dx.slice(2, top, IH).slice(3, left, IW)));
    CHECK_THAT(backward_weights(data.x, data.dy, options), equals(backward_weights(bordered, data.dy, unpadded)));
  });
}

TEMPLATE_TEST_CASE("Dilation is a larger kernel with zeros between its taps", "", float, double) {
  for_each_problem<TestType>([](const Problem&, const Conv2DOptions& options, const auto& data) {
    const auto [DH, DW] = options.dilation;
    const auto [KH, KW] = options.kernel;
    auto dense = options;
    dense.dilation = {1, 1}, dense.kernel = {DH * (KH - 1) + 1, DW * (KW - 1) + 1};
    Tensor<TestType, 4> w({data.w.shape(0), data.w.shape(1), dense.kernel.height, dense.kernel.width});
    const TensorView<TestType, 4> taps(w.data(), data.w.shape(),
                                       {w.stride(0), w.stride(1), w.stride(2) * DH, w.stride(3) * DW});
    test::copy_into(taps, data.w);
    CHECK_THAT(forward(data.x, data.w, options), equals(forward(data.x, w, dense)));
    CHECK_THAT(backward_input(data.dy, data.w, options, data.x.shape()),
               equals(backward_input(data.dy, w, dense, data.x.shape())));
    const auto dw = backward_weights(data.x, data.dy, dense);
    CHECK_THAT(backward_weights(data.x, data.dy, options),
               equals(TensorView<const TestType, 4>(dw.data(), taps.shape(), taps.strides())));
  });
}

TEMPLATE_TEST_CASE("A kernel that is 1 at one tap and 0 elsewhere shifts the image", "", float, double) {
  const Shape<4> shape{2, 3, 5, 7};
  Random random(6);
  Tensor<TestType, 4> x(shape);
  test::fill_integers(x.view(), random);
  for (Index kh = 0; kh < 3; ++kh) {
    for (Index kw = 0; kw < 2; ++kw) {
      const Conv2DOptions options{
          .in_channels = 3, .out_channels = 3, .kernel = {3, 2}, .padding = {kh, 2 - kh, kw, 1 - kw}};
      Tensor<TestType, 4> w({3, 3, 3, 2});
      for (Index c = 0; c < 3; ++c) w(c, c, kh, kw) = 1;
      CAPTURE(kh, kw);
      CHECK_THAT(forward(x, w, options), equals(x));
      CHECK_THAT(backward_input(x, w, options, shape), equals(x));
    }
  }
}

TEMPLATE_TEST_CASE("A 1x1 convolution is the matrix product of its weights with the channels", "", float, double) {
  const Problem problem{.name = "1x1", .x = {2, 6, 5, 7}, .out_channels = 4};
  const auto data = test::integer_data<TestType>(problem.geometry(), 8);
  const auto options = problem.options();
  const auto y = forward(data.x, data.w, options);
  const auto dx = backward_input(data.dy, data.w, options, problem.x);
  detail::RowMajorMatrix<TestType> dw = detail::RowMajorMatrix<TestType>::Zero(4, 6);
  for (Index n = 0; n < 2; ++n) {
    CHECK(y[n].matrix() == data.w.matrix() * data.x[n].matrix());
    CHECK(dx[n].matrix() == data.w.matrix().transpose() * data.dy[n].matrix());
    dw.noalias() += data.dy[n].matrix() * data.x[n].matrix().transpose();
  }
  CHECK(backward_weights(data.x, data.dy, options).matrix() == dw);
}

TEMPLATE_TEST_CASE("Pixels under no window get a gradient of exactly 0", "", float, double) {
  const Problem problem{.name = "holes",
                        .x = {2, 3, 8, 11},
                        .out_channels = 4,
                        .kernel = {2, 3},
                        .stride = {3, 4},
                        .padding = {1, 0, 0, 0}};
  const auto data = test::normal_data<TestType>(problem.geometry(), 8);
  const auto dx = backward_input(data.dy, data.w, problem.options(), problem.x);
  const std::set<Index> rows{0, 2, 3, 5, 6}, columns{0, 1, 2, 4, 5, 6, 8, 9, 10};
  for (Index ih = 0; ih < 8; ++ih) {
    for (Index iw = 0; iw < 11; ++iw) {
      CAPTURE(ih, iw);
      CHECK((dx(1, 2, ih, iw) != 0) == (rows.contains(ih) && columns.contains(iw)));
    }
  }
}

TEMPLATE_TEST_CASE("beta 1 adds to what is there, twice the same is twice as much, beta 0 reads nothing", "", float,
                   double) {
  for_each_problem<TestType>([](const Problem& problem, const Conv2DOptions& options, const auto& data) {
    auto y = forward(data.x, data.w, options);
    const auto twice_y = times(2, y);
    conv2d_forward(data.x, data.w, options, y, TestType(1));
    CHECK_THAT(y, equals(twice_y));
    auto dx = backward_input(data.dy, data.w, options, problem.x);
    const auto twice_dx = times(2, dx);
    conv2d_backward_input(data.dy, data.w, options, dx, TestType(1));
    CHECK_THAT(dx, equals(twice_dx));
    auto dw = backward_weights(data.x, data.dy, options);
    const auto twice_dw = times(2, dw), once_less = times(-1, dw);
    conv2d_backward_weights(data.x, data.dy, options, dw, TestType(1));
    CHECK_THAT(dw, equals(twice_dw));
    conv2d_backward_weights(data.x, data.dy, options, dw, TestType(-1));  // -2*dw + dw
    CHECK_THAT(dw, equals(once_less));
  });
}

TEMPLATE_TEST_CASE("Weights of any strides are those of a copy, and what lies between them stays", "", float, double) {
  using T = TestType;
  for_each_problem<T>([](const Problem& problem, const Conv2DOptions& options, const auto& data) {
    const Shape<4> s = data.w.shape();
    Tensor<T, 4> larger({s[0] + 1, s[1] + 2, s[2] + 1, s[3] + 2}, T(7)), last({s[0], s[2], s[3], s[1]}, T(7));
    const auto inside = larger.slice(0, 1, s[0]).slice(1, 1, s[1]).slice(2, 0, s[2]).slice(3, 2, s[3]);
    const TensorView<T, 4> channels_last(last.data(), s, {last.stride(0), 1, last.stride(1), last.stride(2)});
    const auto y = forward(data.x, data.w, options), dx = backward_input(data.dy, data.w, options, problem.x);
    const auto dw = backward_weights(data.x, data.dy, options);
    for (const TensorView<T, 4>& w : {inside, channels_last}) {
      test::copy_into(w, data.w);
      auto twice_y = y, twice_dx = dx;
      conv2d_forward(data.x, w, options, twice_y, T(1));
      CHECK_THAT(twice_y, equals(times(2, y)));
      conv2d_backward_input(data.dy, w, options, twice_dx, T(1));
      CHECK_THAT(twice_dx, equals(times(2, dx)));
      w.fill(std::numeric_limits<T>::quiet_NaN());
      conv2d_backward_weights(data.x, data.dy, options, w);
      CHECK_THAT(w, equals(dw));
      conv2d_backward_weights(data.x, data.dy, options, w, T(-3));  // -3*dw + dw
      CHECK_THAT(w, equals(times(-2, dw)));
    }
    inside.fill(T(7));
    CHECK(larger == Tensor<T, 4>(larger.shape(), T(7)));
  });
}

TEMPLATE_TEST_CASE("Two backwards of a layer before an update give twice the gradients, and the same dx", "", float,
                   double) {
  for_each_problem<TestType>([](const Problem&, const Conv2DOptions& options, const auto& data) {
    Conv2D<TestType> layer(options);
    test::copy_into(layer.weights(), data.w);
    layer.forward(data.x);
    const auto dx = layer.backward(data.dy);
    const Tensor<TestType, 4> dw(layer.weight_gradient());
    const Tensor<TestType, 1> db(layer.bias_gradient());
    CHECK_THAT(layer.backward(data.dy), equals(dx));
    CHECK((layer.weight_gradient().array() == 2 * dw.array()).all());
    CHECK((layer.bias_gradient().array() == 2 * db.array()).all());
  });
}
