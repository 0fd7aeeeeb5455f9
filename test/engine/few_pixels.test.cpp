// SPDX-License-Identifier: MIT
// The form for batches of a few output pixels, called itself and compared with loops. The scratch is NaN before.
#include "support/products.hpp"
#include "support/tensor_matcher.hpp"
#include "support/thread_count.hpp"

using namespace unfold;
using test::batch;
using test::combined;
using test::equals;
using test::integers;
using test::patches;
using test::poisoned;
using test::Scattered;

namespace {

/// Problems of one to four pixels an image: their filters end within a vector and with it, have several tasks and
/// blocks.
std::vector<test::Problem> few_pixel_problems() {
  return {
      {.name = "one_pixel", .x = {1, 33, 1, 1}, .out_channels = 20},
      {.name = "less_than_a_vector", .x = {1, 3, 1, 1}, .out_channels = 2},
      {.name = "whole_vectors", .x = {1, 64, 1, 1}, .out_channels = 73},
      {.name = "two_images_several_tasks", .x = {2, 2100, 1, 1}, .out_channels = 150},
      {.name = "a_row", .x = {1, 5, 3, 5}, .out_channels = 7, .kernel = {3, 3}},
      {.name = "four_pixels_in_padding",
       .x = {2, 6, 2, 1},
       .out_channels = 11,
       .kernel = {3, 2},
       .stride = {2, 2},
       .padding = {1, 1, 1, 2},
       .dilation = {1, 2}},
      {.name = "all_taps_in_padding",
       .x = {1, 2, 1, 1},
       .out_channels = 3,
       .kernel = {1, 1},
       .stride = {9, 2},
       .padding = {1, 0, 1, 0}},
      {.name = "two_groups", .x = {3, 8, 4, 3}, .out_channels = 10, .kernel = {4, 3}, .groups = 2},
      {.name = "many_images", .x = {7, 300, 1, 1}, .out_channels = 700},
      {.name = "images_across_tiles", .x = {3, 9, 3, 1}, .out_channels = 21, .kernel = {2, 1}, .padding = {0, 0, 0, 0}},
      {.name = "many_taps_of_a_channel", .x = {1, 3, 50, 50}, .out_channels = 5, .kernel = {50, 50}},
  };
}

/// Calls f(problem's options, geometry, last group, its filters [M, K] as integers).
template <class T, class F>
void for_each_problem(const F& f) {
  const test::ThreadCount one(1);  // whose scratch is poisoned
  for (const auto& problem : few_pixel_problems()) {
    INFO(problem);
    const Conv2DGeometry g = problem.geometry();
    REQUIRE(engine::has_few_pixels<T>(g.OC / g.G, g.K(), g.OH * g.OW));
    f(problem.options(), g, g.G - 1, integers<T>(Shape{g.OC / g.G, g.K()}, 2));
  }
}

}  // namespace

TEMPLATE_TEST_CASE("A few pixels of the result are filters times im2col, written or added", "", float, double) {
  using T = TestType;
  for_each_problem<T>([](const auto& options, const auto& g, Index group, const auto& a) {
    const auto x = integers<T>(g.x_shape(), 1);
    const auto product = test::as_batch(test::product_by_loops(a, test::patches_by_loops(x, options, group)), g);
    for (const bool overwrite : {true, false}) {
      const T alpha = overwrite ? T(-2) : T(1);
      const auto start = overwrite ? poisoned<T>(product.shape()) : integers<T>(product.shape(), 3);
      const auto expected = combined(start, alpha, product, overwrite);
      CAPTURE(overwrite);
      Scattered<T> x_strided(x, {1, 3, 0, 2}), y(start, {2, 0, 3, 1});
      const auto p = patches<const T>(x_strided.view(), g, group);
      test::poison_workspace<T>();
      engine::convolve_few_pixels<T>(a.data(), g.K(), a.shape(0), p.x, g.N, p.channels(), p.height(), p.width(),
                                     batch<T>(y.view()), alpha, overwrite);
      CHECK_THAT(y.view(), equals(expected));
      CHECK(y.gaps_are_untouched());
    }
  });
}

TEMPLATE_TEST_CASE("The weight gradient of a few pixels is dy times im2col's transpose, written or added", "", float,
                   double) {
  using T = TestType;
  for_each_problem<T>([](const auto& options, const auto& g, Index group, const auto& a) {
    const auto x = integers<T>(g.x_shape(), 1);
    if (!engine::has_few_pixels<T>(a.shape(0), g.K(), g.P())) return;
    const auto dy_matrix = integers<T>(Shape{a.shape(0), g.P()}, 4);
    const auto product = test::product_by_loops(dy_matrix, test::transposed(test::patches_by_loops(x, options, group)));
    for (const bool overwrite : {true, false}) {
      const T alpha = overwrite ? T(-2) : T(1);
      const auto start = overwrite ? poisoned<T>(product.shape()) : integers<T>(product.shape(), 3);
      const auto expected = combined(start, alpha, product, overwrite);
      CAPTURE(overwrite);
      auto dw = start;
      Scattered<T> x_strided(x, {0, 3, 2, 1}), dy(test::as_batch(dy_matrix, g), {1, 2, 3, 0});
      const auto p = patches<const T>(x_strided.view(), g, group);
      test::poison_workspace<T>();
      engine::contract_few_pixels<T>(batch<const T>(dy.view()), a.shape(0), p.x, g.N, p.channels(), p.height(),
                                     p.width(), dw.data(), g.K(), alpha, overwrite);
      CHECK_THAT(dw, equals(expected));
    }
  });
}

TEMPLATE_TEST_CASE("The input gradient of a few pixels is col2im of the filters' transpose times dy, written or added",
                   "", float, double) {
  using T = TestType;
  for_each_problem<T>([](const auto& options, const auto& g, Index group, const auto& a) {
    const Index C = g.IC / g.G;
    const auto dy_matrix = integers<T>(Shape{a.shape(0), g.P()}, 4);
    const auto product = test::product_by_loops(test::transposed(a), dy_matrix);
    for (const bool overwrite : {true, false}) {
      auto start = integers<T>(g.x_shape(), 3), expected = start;
      if (overwrite) {
        expected.slice(1, group * C, C).fill(T(0));
        start.slice(1, group * C, C).fill(std::numeric_limits<T>::quiet_NaN());
      }
      test::add_patches_by_loops(product, options, group, expected);
      CAPTURE(overwrite);
      Scattered<T> dy(test::as_batch(dy_matrix, g), {3, 0, 1, 2}), dx(start, {2, 3, 1, 0});
      const auto p = patches<T>(dx.view(), g, group);
      test::poison_workspace<T>();
      engine::gradient_few_pixels<T>(a.data(), g.K(), batch<const T>(dy.view()), a.shape(0), p.x, g.N, C, p.height(),
                                     p.width(), overwrite);
      CHECK_THAT(dx.view(), equals(expected));
      CHECK(dx.gaps_are_untouched());
    }
  });
}
