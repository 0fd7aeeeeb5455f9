// SPDX-License-Identifier: MIT
#include <unfold/engine/few_phases.hpp>

#include "support/buffer.hpp"
#include "support/catch.hpp"
#include "support/isa.hpp"

using namespace unfold;
using test::Buffer;

TEMPLATE_TEST_CASE("Rows are interleaved, written or added, and no other element is touched or read", "", float,
                   double) {
  using T = TestType;
  Random random(3);
  for (const auto& set : test::kernel_sets<T>()) {
    for (const Index step : {1, 2, 3, 5}) {
      for (Index n = 0; n <= 70; ++n) {
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
          const engine::Axis all = engine::axis_of_all({forward, true});
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
