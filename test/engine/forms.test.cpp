// SPDX-License-Identifier: MIT
// Every form of a product is called itself, also where products.hpp would choose another. The scratch is NaN before.
#include "support/products.hpp"
#include "support/tensor_matcher.hpp"
#include "support/thread_count.hpp"

using namespace unfold;
using engine::Filters;
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

namespace {

/// A product that is written or added, scaled.
template <class T>
struct Scaled {
  bool overwrite;
  T alpha;
};

/// start + alpha * product, from operands in order and from scattered ones: form(a, M, x, y, alpha, overwrite).
template <class T, class Form>
void check_convolution(const Form& form, const Tensor<T, 2>& a, const Tensor<T, 4>& x, const Tensor<T, 4>& product,
                       const Conv2DGeometry& g, Index group) {
  const Index M = product.shape(1), taps = g.KH * g.KW;
  const auto a_turned = transposed(a);
  const auto convolve = [&](const Filters<const T>& filters, const Patches<const T>& p, const engine::Batch<T>& y,
                            T alpha, bool overwrite) {
    test::poison_workspace<T>();
    form(filters, M, p.x, g.N, p.channels(), p.height(), p.width(), y, alpha, overwrite);
  };
  for (const auto& [overwrite, alpha] : {Scaled<T>{true, T(-2)}, {true, T(1)}, {false, T(1)}}) {
    const auto start = overwrite ? poisoned<T>(product.shape()) : integers<T>(product.shape(), 3);
    const auto expected = combined(start, alpha, product, overwrite);
    CAPTURE(M, overwrite, alpha);
    auto y = start;
    convolve({a.data(), g.K(), taps, g.KW, 1}, patches<const T>(x, g, group), batch<T>(y.view()), alpha, overwrite);
    CHECK_THAT(y, equals(expected));

    const Index rows = a.shape(0);
    Scattered<T> x_strided(x, {1, 3, 0, 2}), y_strided(start, {2, 0, 3, 1});
    convolve({a_turned.data(), 1, taps * rows, g.KW * rows, rows}, patches<const T>(x_strided.view(), g, group),
             batch<T>(y_strided.view()), alpha, overwrite);
    CHECK_THAT(y_strided.view(), equals(expected));
    CHECK(y_strided.gaps_are_untouched());
  }
}

/// Calls f(problem, its geometry, its last group) for every problem.
template <class F>
void for_each_problem(F&& f) {
  for (const auto& problem : test::product_problems()) {
    INFO(problem);
    f(problem, problem.geometry(), problem.groups - 1);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("Each form of a convolution is alpha * a * im2col(x), written or added, from and into any strides",
                   "", float, double) {
  using T = TestType;
  const test::ThreadCount one(1);  // whose scratch is poisoned
  for_each_problem([](const test::Problem& problem, const Conv2DGeometry& g, Index group) {
    const Index M = g.OC / g.G;
    const auto x = integers<T>(problem.x, 1);
    const auto a = integers<T>(Shape{M, g.K()}, 2);
    const auto product = as_batch(product_by_loops(a, test::patches_by_loops(x, problem.options(), group)), g);
    check_convolution(engine::convolve_in_pixel_lanes<T>, a, x, product, g, group);
    check_convolution(engine::convolve_in_channel_lanes<T>, a, x, product, g, group);
    check_convolution(engine::convolve_few_rows<T>, a, x, product, g, group);
    for (Index few = 1; few <= std::min(M - 1, engine::Kernels<T>::most_few_rows); ++few) {
      check_convolution(engine::convolve_few_rows<T>, a, x, Tensor<T, 4>(product.slice(1, 0, few)), g, group);
    }
  });
}

TEMPLATE_TEST_CASE(
    "Each form of a contraction is alpha * dy * im2col(x)^T, written or added, from and into any strides", "", float,
    double) {
  using T = TestType;
  const test::ThreadCount one(1);
  for_each_problem([](const test::Problem& problem, const Conv2DGeometry& g, Index group) {
    const Index M = g.OC / g.G, K = g.K();
    const auto x = integers<T>(problem.x, 1);
    const auto dy_matrix = integers<T>(Shape{M, g.P()}, 2);
    const auto dy = as_batch(dy_matrix, g);
    const auto product = product_by_loops(dy_matrix, transposed(test::patches_by_loops(x, problem.options(), group)));
    for (const bool few : {false, true}) {
      const auto contract = [&](const auto& dy_view, const auto& x_view, const Strided<T>& dw, T alpha,
                                bool overwrite) {
        const Patches<const T> p = patches<const T>(x_view, g, group);
        test::poison_workspace<T>();
        (few ? engine::contract_few<T> : engine::contract<T>)(batch<const T>(dy_view), M, p.x, g.N, p.channels(),
                                                              p.height(), p.width(), dw, alpha, overwrite);
      };
      for (const auto& [overwrite, alpha] : {Scaled<T>{true, T(-2)}, {true, T(1)}, {false, T(1)}}) {
        const auto start = overwrite ? poisoned<T>(product.shape()) : integers<T>(product.shape(), 3);
        const auto expected = combined(start, alpha, product, overwrite);
        CAPTURE(few, overwrite, alpha);
        auto dw = start;
        contract(dy, x, Strided<T>{dw.data(), K, 1}, alpha, overwrite);
        CHECK_THAT(dw, equals(expected));

        auto dw_turned = transposed(start);
        Scattered<T> x_strided(x, {0, 3, 2, 1}), dy_strided(dy, {1, 2, 3, 0});
        contract(dy_strided.view(), x_strided.view(), Strided<T>{dw_turned.data(), 1, M}, alpha, overwrite);
        CHECK_THAT(transposed(dw_turned), equals(expected));
      }
    }
  });
}

TEMPLATE_TEST_CASE("The products of the taps, added where the taps stand, and all phases together are col2im(a * dy)",
                   "", float, double) {
  using T = TestType;
  const test::ThreadCount one(1);
  for_each_problem([](const test::Problem& problem, const Conv2DGeometry& g, Index group) {
    const Index M = g.OC / g.G, K = g.K(), channels = g.IC / g.G, taps = g.KH * g.KW;
    const auto a = integers<T>(Shape{K, M}, 1), a_turned = transposed(a);
    const auto dy_matrix = integers<T>(Shape{M, g.P()}, 2);
    const auto dy = as_batch(dy_matrix, g);
    const auto product = product_by_loops(a, dy_matrix);
    for (const bool overwrite : {true, false}) {
      auto start = integers<T>(g.x_shape(), 3), expected = start;
      if (overwrite) {
        expected.slice(1, group * channels, channels).fill(T(0));
        start.slice(1, group * channels, channels).fill(std::numeric_limits<T>::quiet_NaN());
      }
      test::add_patches_by_loops(product, problem.options(), group, expected);
      const auto run = [&](const auto form, const Filters<const T>& filters, const auto& dy_view, const auto& dx_view) {
        const Patches<T> dx = patches<T>(dx_view, g, group);
        test::poison_workspace<T>();
        form(filters, channels, batch<const T>(dy_view), g.N, M, dx.height(), dx.width(), dx.x, overwrite);
      };
      const Filters<const T> filters{a.data(), taps * M, 1, g.KW * M, M},
          filters_turned{a_turned.data(), taps, K, g.KW, 1};
      CAPTURE(overwrite);
      auto dx = start;
      run(engine::scatter<T>, filters, dy, dx.view());
      CHECK_THAT(dx, equals(expected));

      Scattered<T> dy_strided(dy, {3, 0, 1, 2}), dx_strided(start, {2, 3, 1, 0});
      run(engine::scatter<T>, filters_turned, dy_strided.view(), dx_strided.view());
      CHECK_THAT(dx_strided.view(), equals(expected));
      CHECK(dx_strided.gaps_are_untouched());

      const Patches<T> of_dx = patches<T>(dx.view(), g, group);
      const auto check_phases = [&](const auto form) {
        dx = start;
        run(form, filters, dy, dx.view());
        CHECK_THAT(dx, equals(expected));
        dx = start;
        run(form, filters_turned, dy_strided.view(), dx.view());
        CHECK_THAT(dx, equals(expected));
      };
      if (g.SH * g.SW == 1) continue;
      if (overwrite && engine::makes_one_phase(of_dx.height(), of_dx.width(), of_dx.x)) {
        check_phases(engine::gradient_in_pixel_lanes<T>);
      }
      if (engine::has_few_phases(channels, of_dx.height(), of_dx.width(), of_dx.x)) {
        check_phases(engine::gradient_few_rows<T>);
      }
      if (engine::ChannelPhases<T>(g.N, channels, {of_dx.height(), true}, {of_dx.width(), true}).channels > 0) {
        check_phases(engine::gradient_in_channel_lanes<T>);
      }
    }
  });
}

TEMPLATE_TEST_CASE("The problems of the products reach every form of them", "", float, double) {
  using T = TestType;
  const auto form_number = [](const auto form) {
    return form == engine::convolve_few_rows<T> ? 0 : form == engine::convolve_in_channel_lanes<T> ? 1 : 2;
  };
  Index forward[3] = {}, backward[3] = {}, few_dots = 0, contractions = 0, scattered = 0, empty_phases = 0,
        few_phases = 0, one_phase = 0, channel_phases = 0;
  for_each_problem([&](const test::Problem&, const Conv2DGeometry& g, Index) {
    const Index M = g.OC / g.G, C = g.IC / g.G;
    const Patches<T> dx{{}, g};
    ++forward[form_number(engine::convolution_form<T>(M, C, dx.height(), dx.width()))];
    ++(engine::contraction_form<T>(M, g.K()) == engine::contract_few<T> ? few_dots : contractions);
    if (engine::scatters(dx, M)) {
      ++scattered;
      return;
    }
    const engine::Batch<T> any{nullptr, 0, 0, 0, 1};
    few_phases += engine::has_few_phases(C, dx.height(), dx.width(), any);
    one_phase += engine::has_one_phase(dx.height(), dx.width(), any);
    channel_phases += engine::has_channel_phases(C, M, dx.height(), dx.width(), any);
    for (Index i = 0; i < g.SH; ++i) {
      for (Index j = 0; j < g.SW; ++j) {
        const auto h = engine::gradient_axis(dx.height(), i), w = engine::gradient_axis(dx.width(), j);
        ++(h.taps * w.taps == 0 ? empty_phases : backward[form_number(engine::convolution_form<T>(C, M, h, w))]);
      }
    }
  });
  for (const int form : {0, 1, 2}) {
    CAPTURE(form);
    CHECK(forward[form] > 0);
    CHECK(backward[form] > 0);
  }
  CHECK((few_dots > 0 && contractions > 0));
  CHECK((scattered > 0 && empty_phases > 0 && few_phases > 0 && one_phase > 0 && channel_phases > 0));
}
