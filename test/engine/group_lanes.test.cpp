// SPDX-License-Identifier: MIT
// The form that takes several groups at once is called itself, for every problem that it fits, and compared with loops.
// The scratch is NaN before.
#include "support/products.hpp"
#include "support/tensor_matcher.hpp"
#include "support/thread_count.hpp"

using namespace unfold;
using engine::Filters;
using engine::Phases;
using engine::Strided;
using test::batch;
using test::combined;
using test::equals;
using test::integers;
using test::poisoned;
using test::Scattered;
using test::transposed;

namespace {

std::vector<test::Problem> grouped_problems() {
  auto list = test::product_problems();
  list.push_back({.name = "depthwise_in_blocks_of_rows",
                  .x = {1, 18, 190, 61},
                  .out_channels = 18,
                  .kernel = {4, 3},
                  .stride = {3, 2},
                  .padding = {1, 2, 0, 1},
                  .dilation = {2, 1},
                  .groups = 18});
  list.push_back({.name = "phases_without_taps",
                  .x = {2, 17, 13, 12},
                  .out_channels = 34,
                  .kernel = {2, 2},
                  .stride = {3, 5},
                  .padding = {1, 0, 0, 2},
                  .groups = 17});
  return list;
}

/// Calls f(geometry, options, Phases of the result's height and width, first, count) for the groups at a time, of every
/// problem that the form fits.
template <class T, class F>
void for_each_part(bool gradient, const F& f) {
  const Index lanes = engine::kernels<T>().lanes;
  int fitting = 0;
  for (const auto& problem : grouped_problems()) {
    const Conv2DGeometry g = problem.geometry();
    const engine::Patches<const T> p{{}, g};
    const Phases h{p.height(), gradient}, w{p.width(), gradient};
    const Index M = g.OC / g.G, C = g.IC / g.G;
    if (!engine::fit_group_lanes<T>(gradient ? C : M, gradient ? M : C, h, w)) continue;
    INFO(problem);
    ++fitting;
    f(problem.options(), g, h, w, lanes);
  }
  CHECK(fitting >= 15);
}

/// The filters of group `first` on as rows of a w [OC, K] of any strides.
template <class T>
Filters<const T> filters_of(const Strided<const T>& w, const Conv2DGeometry& g, Index first) {
  return {w.data + first * (g.OC / g.G) * w.row, w.row, g.KH * g.KW * w.col, g.KW * w.col, w.col};
}

}  // namespace

TEMPLATE_TEST_CASE(
    "Groups in the lanes are convolved each with its filters, written or added, from and into any strides", "", float,
    double) {
  using T = TestType;
  const test::ThreadCount one(1);  // whose scratch is poisoned
  for_each_part<T>(false, [](const auto& options, const auto& g, const Phases& h, const Phases& w, Index lanes) {
    const Index M = g.OC / g.G, C = g.IC / g.G;
    const auto x = integers<T>(g.x_shape(), 1);
    const auto filters = integers<T>(Shape{g.OC, g.K()}, 2), turned = transposed(filters);
    Tensor<T, 4> product(g.y_shape());
    reference::conv2d_forward(x, TensorView<const T, 4>(filters.data(), g.w_shape()), options, product);
    const auto convolve = [&](const Strided<const T>& all, const auto& x_view, const auto& y_view, T alpha,
                              bool overwrite) {
      for (Index first = 0; first < g.G; first += lanes) {
        test::poison_workspace<T>();
        engine::convolve_in_group_lanes<T>(filters_of(all, g, first), M * all.row, std::min(lanes, g.G - first), M,
                                           batch<const T>(x_view).from(0, first * C, 0, 0), g.N, C, h, w,
                                           batch<T>(y_view).from(0, first * M, 0, 0), alpha, overwrite);
      }
    };
    for (const bool overwrite : {true, false}) {
      const T alpha = overwrite ? T(-2) : T(1);
      const auto start = overwrite ? poisoned<T>(product.shape()) : integers<T>(product.shape(), 3);
      const auto expected = combined(start, alpha, product, overwrite);
      CAPTURE(overwrite);
      auto y = start;
      convolve({filters.data(), g.K(), 1}, x, y.view(), alpha, overwrite);
      CHECK_THAT(y, equals(expected));

      Scattered<T> x_strided(x, {1, 3, 0, 2}), y_strided(start, {2, 0, 3, 1});
      convolve({turned.data(), 1, g.OC}, x_strided.view(), y_strided.view(), alpha, overwrite);
      CHECK_THAT(y_strided.view(), equals(expected));
      CHECK(y_strided.gaps_are_untouched());
    }
  });
}

TEMPLATE_TEST_CASE("Groups in the lanes give each its input gradient, written or added, from and into any strides", "",
                   float, double) {
  using T = TestType;
  const test::ThreadCount one(1);
  for_each_part<T>(true, [](const auto& options, const auto& g, const Phases& h, const Phases& w, Index lanes) {
    const Index M = g.OC / g.G, C = g.IC / g.G;
    const auto dy = integers<T>(g.y_shape(), 1);
    const auto filters = integers<T>(Shape{g.OC, g.K()}, 2), turned = transposed(filters);
    Tensor<T, 4> product(g.x_shape());
    reference::conv2d_backward_input(dy, TensorView<const T, 4>(filters.data(), g.w_shape()), options, product);
    const auto convolve = [&](const Strided<const T>& all, const auto& dy_view, const auto& dx_view, bool overwrite) {
      for (Index first = 0; first < g.G; first += lanes) {
        const Filters<const T> f = filters_of(all, g, first);
        test::poison_workspace<T>();
        engine::convolve_in_group_lanes<T>({f.data, f.c, f.m, f.kh, f.kw}, M * all.row, std::min(lanes, g.G - first), C,
                                           batch<const T>(dy_view).from(0, first * M, 0, 0), g.N, M, h, w,
                                           batch<T>(dx_view).from(0, first * C, 0, 0), T(1), overwrite);
      }
    };
    for (const bool overwrite : {true, false}) {
      const auto start = overwrite ? poisoned<T>(product.shape()) : integers<T>(product.shape(), 3);
      const auto expected = combined(start, T(1), product, overwrite);
      CAPTURE(overwrite);
      auto dx = start;
      convolve({filters.data(), g.K(), 1}, dy, dx.view(), overwrite);
      CHECK_THAT(dx, equals(expected));

      Scattered<T> dy_strided(dy, {3, 0, 1, 2}), dx_strided(start, {2, 3, 1, 0});
      convolve({turned.data(), 1, g.OC}, dy_strided.view(), dx_strided.view(), overwrite);
      CHECK_THAT(dx_strided.view(), equals(expected));
      CHECK(dx_strided.gaps_are_untouched());
    }
  });
}

TEMPLATE_TEST_CASE("Groups in the lanes give each its weight gradient, written or added, from and into any strides", "",
                   float, double) {
  using T = TestType;
  const test::ThreadCount one(1);
  for_each_part<T>(false, [](const auto& options, const auto& g, const Phases& h, const Phases& w, Index lanes) {
    const Index M = g.OC / g.G, C = g.IC / g.G;
    const auto x = integers<T>(g.x_shape(), 1), dy = integers<T>(g.y_shape(), 2);
    Tensor<T, 4> gradient(g.w_shape());
    reference::conv2d_backward_weights(x, dy, options, gradient);
    const Tensor<T, 2> product(TensorView<const T, 2>(gradient.data(), {g.OC, g.K()}));
    const auto contract = [&](const auto& dy_view, const auto& x_view, const Strided<T>& dw, T alpha, bool overwrite) {
      for (Index first = 0; first < g.G; first += lanes) {
        test::poison_workspace<T>();
        engine::contract_in_group_lanes<T>(batch<const T>(dy_view).from(0, first * M, 0, 0),
                                           std::min(lanes, g.G - first), M,
                                           batch<const T>(x_view).from(0, first * C, 0, 0), g.N, C, h.forward,
                                           w.forward, dw.from(first * M, 0), alpha, overwrite);
      }
    };
    for (const bool overwrite : {true, false}) {
      const T alpha = overwrite ? T(-2) : T(1);
      const auto start = overwrite ? poisoned<T>(product.shape()) : integers<T>(product.shape(), 3);
      const auto expected = combined(start, alpha, product, overwrite);
      CAPTURE(overwrite);
      auto dw = start;
      contract(dy, x, Strided<T>{dw.data(), g.K(), 1}, alpha, overwrite);
      CHECK_THAT(dw, equals(expected));

      auto dw_turned = transposed(start);
      Scattered<T> x_strided(x, {0, 3, 2, 1}), dy_strided(dy, {1, 2, 3, 0});
      contract(dy_strided.view(), x_strided.view(), Strided<T>{dw_turned.data(), 1, g.OC}, alpha, overwrite);
      CHECK_THAT(transposed(dw_turned), equals(expected));
    }
  });
}
