// SPDX-License-Identifier: MIT
#include <unfold/engine/products.hpp>

#include "support/products.hpp"
#include "support/tensor_matcher.hpp"
#include "support/thread_count.hpp"

using namespace unfold;
using engine::Batch;
using engine::Patches;
using engine::Strided;
using test::as_batch;
using test::batch;
using test::combined;
using test::equals;
using test::integers;
using test::patches;
using test::poisoned;
using test::product_by_loops;
using test::Scattered;
using test::transposed;

TEMPLATE_TEST_CASE("forward is a * im2col(x), written or added, from and into any strides", "", float, double) {
  using T = TestType;
  for (const auto& problem : test::product_problems()) {
    INFO(problem);
    const Conv2DGeometry g = problem.geometry();
    const auto x = integers<T>(problem.x, 1);
    const Index group = g.G - 1, M = g.OC / g.G;
    const auto a = integers<T>(Shape{M, g.K()}, 2);
    const auto product = as_batch(product_by_loops(a, test::patches_by_loops(x, problem.options(), group)), g);
    for (const bool overwrite : {true, false}) {
      const T alpha = overwrite ? T(1) : T(-2);
      const auto start = overwrite ? poisoned<T>(product.shape()) : integers<T>(product.shape(), 3);
      const auto expected = combined(start, alpha, product, overwrite);

      auto y = start;
      engine::forward(Strided<const T>{a.data(), g.K(), 1}, M, patches<const T>(x, g, group), batch<T>(y.view()), alpha,
                      overwrite);
      CHECK_THAT(y, equals(expected));

      const auto a_turned = transposed(a);
      Scattered<T> x_strided(x, {1, 3, 0, 2}), y_strided(start, {2, 0, 3, 1});
      engine::forward(Strided<const T>{a_turned.data(), 1, M}, M, patches<const T>(x_strided.view(), g, group),
                      batch<T>(y_strided.view()), alpha, overwrite);
      CHECK_THAT(y_strided.view(), equals(expected));
      CHECK(y_strided.gaps_are_untouched());
    }
  }
}

TEMPLATE_TEST_CASE("weight_gradient is dy * im2col(x)^T, written or added, from and into any strides", "", float,
                   double) {
  using T = TestType;
  for (const auto& problem : test::product_problems()) {
    INFO(problem);
    const Conv2DGeometry g = problem.geometry();
    const auto x = integers<T>(problem.x, 1);
    const Index group = g.G - 1, M = g.OC / g.G, K = g.K();
    const auto dy_matrix = integers<T>(Shape{M, g.P()}, 2);
    const auto dy = as_batch(dy_matrix, g);
    const auto product = product_by_loops(dy_matrix, transposed(test::patches_by_loops(x, problem.options(), group)));
    for (const bool overwrite : {true, false}) {
      const T alpha = overwrite ? T(1) : T(-2);
      const auto start = overwrite ? poisoned<T>(product.shape()) : integers<T>(product.shape(), 3);
      const auto expected = combined(start, alpha, product, overwrite);

      auto dw = start;
      engine::weight_gradient(batch<const T>(dy), M, patches<const T>(x, g, group), Strided<T>{dw.data(), K, 1}, alpha,
                              overwrite);
      CHECK_THAT(dw, equals(expected));

      Tensor<T, 2> dw_gaps({M, K + 3}, T(7));
      const auto dw_in = dw_gaps.slice(1, 0, K);
      test::copy_into(dw_in, start);
      engine::weight_gradient(batch<const T>(dy), M, patches<const T>(x, g, group),
                              Strided<T>{dw_gaps.data(), K + 3, 1}, alpha, overwrite);
      CHECK_THAT(dw_in, equals(expected));
      CHECK_THAT(dw_gaps.slice(1, K, 3), equals(Tensor<T, 2>({M, 3}, T(7))));

      auto dw_turned = transposed(start);
      Scattered<T> x_strided(x, {0, 3, 2, 1}), dy_strided(dy, {1, 2, 3, 0});
      engine::weight_gradient(batch<const T>(dy_strided.view()), M, patches<const T>(x_strided.view(), g, group),
                              Strided<T>{dw_turned.data(), 1, M}, alpha, overwrite);
      CHECK_THAT(transposed(dw_turned), equals(expected));
    }
  }
}

TEMPLATE_TEST_CASE("input_gradient is col2im(a * dy), written or added, from and into any strides", "", float, double) {
  using T = TestType;
  for (const auto& problem : test::product_problems()) {
    INFO(problem);
    const Conv2DGeometry g = problem.geometry();
    const Index M = g.OC / g.G, K = g.K(), channels = g.IC / g.G;
    const Index group = g.G - 1;
    const auto a = integers<T>(Shape{K, M}, 1);
    const auto dy_matrix = integers<T>(Shape{M, g.P()}, 2);
    const auto dy = as_batch(dy_matrix, g);
    for (const bool overwrite : {true, false}) {
      // Only the group's channels are written.
      auto start = integers<T>(g.x_shape(), 3), expected = start;
      const auto own = expected.slice(1, group * channels, channels);
      if (overwrite) {
        own.fill(T(0));
        start.slice(1, group * channels, channels).fill(std::numeric_limits<T>::quiet_NaN());
      }
      test::add_patches_by_loops(product_by_loops(a, dy_matrix), problem.options(), group, expected);

      auto dx = start;
      engine::input_gradient(Strided<const T>{a.data(), M, 1}, batch<const T>(dy), M, patches<T>(dx.view(), g, group),
                             overwrite);
      CHECK_THAT(dx, equals(expected));

      const auto a_turned = transposed(a);
      Scattered<T> dy_strided(dy, {3, 0, 1, 2}), dx_strided(start, {2, 3, 1, 0});
      engine::input_gradient(Strided<const T>{a_turned.data(), 1, K}, batch<const T>(dy_strided.view()), M,
                             patches<T>(dx_strided.view(), g, group), overwrite);
      CHECK_THAT(dx_strided.view(), equals(expected));
      CHECK(dx_strided.gaps_are_untouched());
    }
  }
}

TEMPLATE_TEST_CASE("A single tap steps over the gaps between the rows of either tensor, and writes none of them", "",
                   float, double) {
  using T = TestType;
  struct Sizes {
    Index filters, rows;
  };
  for (const auto& [filters, rows] : {Sizes{3, 2}, Sizes{3, 9}, Sizes{9, 90}}) {
    const Conv2DOptions options{.in_channels = 6, .out_channels = filters, .kernel = {1, 1}};
    const Conv2DGeometry g = conv2d_geometry("test", options, {2, 6, rows, 8});
    const Index M = g.OC, K = g.K();
    const auto x = integers<T>(g.x_shape(), 1);
    const auto dy_matrix = integers<T>(Shape{M, g.P()}, 2);
    const auto dy = as_batch(dy_matrix, g);
    const auto a = integers<T>(Shape{M, K}, 3);
    const auto y = as_batch(product_by_loops(a, test::patches_by_loops(x, options, 0)), g);
    Tensor<T, 4> dx(g.x_shape());
    test::add_patches_by_loops(product_by_loops(transposed(a), dy_matrix), options, 0, dx);
    for (const Index gap_of_x : {0, 3}) {
      for (const Index gap_of_y : {0, 5}) {
        CAPTURE(filters, rows, gap_of_x, gap_of_y);
        auto x_gaps = integers<T>(Shape{2, 6, rows, 8 + gap_of_x}, 4);
        auto y_gaps = integers<T>(Shape{2, filters, rows, 8 + gap_of_y}, 5);
        const auto x_in = x_gaps.slice(3, 0, 8), y_in = y_gaps.slice(3, 0, 8);
        const auto x_rest = Tensor<T, 4>(x_gaps.slice(3, 8, gap_of_x)),
                   y_rest = Tensor<T, 4>(y_gaps.slice(3, 8, gap_of_y));

        test::copy_into(x_in, x);
        engine::forward(Strided<const T>{a.data(), K, 1}, M, patches<const T>(x_in, g, 0), batch<T>(y_in), T(1), true);
        CHECK_THAT(y_in, equals(y));
        engine::forward(Strided<const T>{a.data(), K, 1}, M, patches<const T>(x_in, g, 0), batch<T>(y_in), T(-1),
                        false);
        CHECK_THAT(y_in, equals(Tensor<T, 4>(g.y_shape())));
        CHECK_THAT(y_gaps.slice(3, 8, gap_of_y), equals(y_rest));

        test::copy_into(y_in, dy);
        engine::input_gradient(Strided<const T>{a.data(), 1, K}, batch<const T>(y_in), M, patches<T>(x_in, g, 0), true);
        CHECK_THAT(x_in, equals(dx));
        CHECK_THAT(x_gaps.slice(3, 8, gap_of_x), equals(x_rest));
      }
    }
  }
}

TEST_CASE("An empty batch gives no pixels, a zero weight gradient, and leaves sums as they are") {
  const Conv2DOptions options{.in_channels = 2, .out_channels = 3, .kernel = {2, 2}};
  const Conv2DGeometry g = conv2d_geometry("test", options, {0, 2, 5, 6});
  const Patches<const float> x{{nullptr, 60, 30, 6, 1}, g};
  const Batch<const float> dy{nullptr, 60, 20, 5, 1};
  auto dw = poisoned<float>(Shape{3, 8});
  engine::weight_gradient(dy, 3, x, Strided<float>{dw.data(), 8, 1}, 1.0f, true);
  CHECK_THAT(dw, equals(Tensor<float, 2>({3, 8})));
  dw.fill(5);
  engine::weight_gradient(dy, 3, x, Strided<float>{dw.data(), 8, 1}, 1.0f, false);
  CHECK_THAT(dw, equals(Tensor<float, 2>({3, 8}, 5.0f)));
  const auto w = integers<float>(Shape{3, 8}, 1);
  engine::forward(Strided<const float>{w.data(), 8, 1}, 3, x, Batch<float>{nullptr, 60, 20, 5, 1}, 1.0f, true);
  engine::input_gradient(Strided<const float>{w.data(), 1, 8}, dy, 3, Patches<float>{{nullptr, 60, 30, 6, 1}, g}, true);

  const test::ThreadCount one(1);  // whose scratch is poisoned
  const Conv2DGeometry many =
      conv2d_geometry("test", {.in_channels = 2, .out_channels = 40, .kernel = {2, 2}}, {0, 2, 5, 6});
  auto dw_of_many = poisoned<float>(Shape{40, 8});
  test::poison_workspace<float>();
  engine::weight_gradient(dy, 40, Patches<const float>{{nullptr, 60, 30, 6, 1}, many},
                          Strided<float>{dw_of_many.data(), 8, 1}, 1.0f, true);
  CHECK_THAT(dw_of_many, equals(Tensor<float, 2>({40, 8})));

  const Conv2DGeometry two = conv2d_geometry("test", {.in_channels = 2, .out_channels = 2, .groups = 2}, {0, 2, 5, 6});
  auto dw_of_two = poisoned<float>(Shape{2, 1});
  engine::weight_gradient(dy, 1, Patches<const float>{{nullptr, 60, 30, 6, 1}, two, 2},
                          Strided<float>{dw_of_two.data(), 1, 1}, 1.0f, true);
  CHECK_THAT(dw_of_two, equals(Tensor<float, 2>({2, 1})));
}

TEST_CASE("Products inside a task, and of many threads at once, are right") {
  const test::ThreadCount set(4);
  const test::Problem problem{.name = "", .x = {2, 3, 24, 31}, .out_channels = 4, .kernel = {3, 3}};
  const Conv2DGeometry g = problem.geometry();
  const auto x = integers<float>(problem.x, 1);
  const auto a = integers<float>(Shape{g.OC, g.K()}, 2);
  const auto expected = as_batch(product_by_loops(a, test::patches_by_loops(x, problem.options(), 0)), g);
  std::vector<Tensor<float, 4>> y(9, poisoned<float>(g.y_shape()));
  detail::parallel_for(9, [&](Index task) {
    engine::forward(Strided<const float>{a.data(), g.K(), 1}, g.OC, patches<const float>(x, g, 0),
                    batch<float>(y.at(static_cast<std::size_t>(task)).view()), 1.0f, true);
  });
  for (const auto& each : y) CHECK_THAT(each, equals(expected));
}
