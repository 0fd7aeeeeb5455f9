// SPDX-License-Identifier: MIT
#include <unfold/engine/few_phases.hpp>

#include "support/buffer.hpp"
#include "support/isa.hpp"
#include "support/products.hpp"
#include "support/tensor_matcher.hpp"
#include "support/thread_count.hpp"

using namespace unfold;
using test::Buffer;
using test::integers;

TEMPLATE_TEST_CASE("Rows are interleaved, written or added, and no other element is touched or read", "", float,
                   double) {
  using T = TestType;
  Random random(3);
  for (const auto& set : test::kernel_sets<T>()) {
    for (const Index step : {1, 2, 3, 5}) {
      for (Index n = 0; n <= 40; ++n) {
        const Index longest = (n + step - 1) / step, row = longest + 2;
        const Buffer<T> rows(std::max<Index>(0, (step - 1) * row + longest), random);
        Buffer<T> to(n + 2), expected = to;
        for (const bool overwrite : {true, false}) {
          CAPTURE(set.name, step, n, overwrite);
          set.kernels.interleave(rows.data(), row, step, to.data() + 1, n, overwrite);
          for (Index i = 0; i < n; ++i) {
            const T value = rows[i % step * row + i / step];
            expected[1 + i] = overwrite ? value : expected[1 + i] + value;
          }
          CHECK(test::differences(to, expected) == 0);
        }
      }
    }
  }
}

TEST_CASE("The axis of all phases has every element of dy that a phase reads, and ends with such") {
  for (const Index stride : {1, 2, 3, 4}) {
    for (const Index taps : {1, 2, 3, 5}) {
      for (const Index step : {1, 2, 3}) {
        for (const Index first : {-3, 0}) {
          const Index source = 17, outputs = 4;
          const engine::Axis forward{outputs, source, stride, taps, first, step};
          const engine::Axis all = engine::axis_of_phases(forward);
          std::vector<bool> read(static_cast<std::size_t>(all.taps));
          for (Index phase = 0; phase < stride; ++phase) {
            const engine::Axis axis = engine::gradient_axis(forward, phase);
            for (Index t = 0; t < axis.taps; ++t) {
              read.at(static_cast<std::size_t>(axis.first + t * axis.step - all.first)) = true;
            }
            CHECK(axis.outputs <= all.outputs);
          }
          CAPTURE(stride, taps, step, first);
          CHECK((read.front() && read.back()));
          CHECK((all.outputs == (source + stride - 1) / stride && all.source == outputs && all.stride == 1));
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("The input gradient of few channels is right for several blocks of channels, rows and columns", "",
                   float, double) {
  using T = TestType;
  const test::ThreadCount one(1);  // whose scratch is poisoned
  for (const test::Problem& problem : {
           test::Problem{.name = "several_blocks_of_channels",
                         .x = {2, 3, 19, 22},
                         .out_channels = 70,
                         .kernel = {5, 4},
                         .stride = {2, 2},
                         .padding = {1, 2, 2, 0}},
           test::Problem{.name = "several_blocks_of_rows",
                         .x = {1, 4, 401, 203},
                         .out_channels = 3,
                         .kernel = {3, 3},
                         .stride = {2, 2},
                         .padding = {1, 1, 1, 1}},
           test::Problem{.name = "several_blocks_of_columns",
                         .x = {1, 1, 3, 18001},
                         .out_channels = 2,
                         .kernel = {3, 3},
                         .stride = {2, 2}},
           test::Problem{.name = "phases_without_taps",
                         .x = {2, 2, 13, 14},
                         .out_channels = 5,
                         .kernel = {2, 3},
                         .stride = {3, 4},
                         .padding = {1, 0, 0, 1},
                         .dilation = {3, 1}},
           test::Problem{
               .name = "rows_alone", .x = {1, 3, 33, 9}, .out_channels = 8, .kernel = {7, 1}, .stride = {4, 1}},
       }) {
    INFO(problem);
    const Conv2DGeometry g = problem.geometry();
    const Index C = g.IC, M = g.OC, K = g.K();
    const auto a = integers<T>(Shape{K, M}, 1);
    const auto dy_matrix = integers<T>(Shape{M, g.P()}, 2);
    const auto dy = test::as_batch(dy_matrix, g);
    auto expected = integers<T>(g.x_shape(), 3), dx = expected;
    test::add_patches_by_loops(test::product_by_loops(a, dy_matrix), problem.options(), 0, expected);
    const engine::Patches<T> p = test::patches<T>(dx.view(), g, 0);
    REQUIRE(engine::has_few_phases(C, p.height(), p.width(), p.x));
    test::poison_workspace<T>();
    engine::gradient_few_rows(engine::Filters<const T>{a.data(), g.KH * g.KW * M, 1, g.KW * M, M}, C,
                              test::batch<const T>(dy), g.N, M, p.height(), p.width(), p.x, false);
    CHECK_THAT(dx, test::equals(expected));
  }
}
