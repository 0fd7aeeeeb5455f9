// SPDX-License-Identifier: MIT
// The kernels whose lanes are groups.
#include "support/buffer.hpp"
#include "support/catch.hpp"
#include "support/isa.hpp"

#include <unfold/engine/few.hpp>

using namespace unfold;
using test::Buffer;
using test::differences;

namespace {

/// Offsets of whole vectors, in no order.
std::vector<Index> offsets_of(Index depth, Index L, Random& random) {
  std::vector<Index> offsets;
  for (Index k = 0; k < depth; ++k) offsets.push_back(L * random.below(7));
  return offsets;
}

}  // namespace

TEMPLATE_TEST_CASE("Filters in the lanes make every pixel of every line, whatever their numbers", "", float, double) {
  using T = TestType;
  Random random(1);
  for (const auto& [set, k] : test::kernel_sets<T>()) {
    const Index L = k.lanes;
    for (Index filters = 1; filters <= 5; ++filters) {
      for (Index count = 1; count <= 18; ++count) {
        const Index depth = random.below(10), lines = 1 + random.below(3), step = L * (1 + random.below(3));
        CAPTURE(set, filters, count, depth, lines, step);
        const auto offsets = offsets_of(depth, L, random);
        const engine::Raster from{count * step + L, step}, to{2 * count * L + 3, 2 * L};
        const Index c_filter = lines * to.line;
        const Buffer<T> a(filters * depth * L, random);
        const Buffer<T> source(6 * L + (lines - 1) * from.line + (count - 1) * step + L, random);
        Buffer<T> c(filters * c_filter), expected = c;
        for (Index m = 0; m < filters; ++m) {
          for (Index i = 0; i < lines; ++i) {
            for (Index q = 0; q < count * L; ++q) {
              T& sum = expected[m * c_filter + i * to.line + q / L * to.step + q % L];
              sum = T(0);
              for (Index n = 0; n < depth; ++n) {
                sum += a[(m * depth + n) * L + q % L] *
                       source[offsets[static_cast<std::size_t>(n)] + i * from.line + q / L * step + q % L];
              }
            }
          }
        }
        k.lane_rows(depth, a.data(), filters, lines, count, source.data(), offsets.data(), from, c.data(), c_filter,
                    to);
        CHECK(differences(c, expected) == 0);
      }
    }
  }
}

TEMPLATE_TEST_CASE("Dots in the lanes are the sums over all pixels, written or added", "", float, double) {
  using T = TestType;
  Random random(2);
  for (const auto& [set, k] : test::kernel_sets<T>()) {
    const Index L = k.lanes;
    for (Index count = 1; count <= 5; ++count) {
      const Index lines = 1 + random.below(3), step = L * (1 + random.below(3));
      CAPTURE(set, count, lines, step);
      const auto offsets = offsets_of(engine::lane_taps, L, random);
      const engine::Raster from{count * step + L, step};
      const Buffer<T> dy(lines * count * L, random);
      const Buffer<T> source(6 * L + (lines - 1) * from.line + (count - 1) * step + L, random);
      Buffer<T> sums(engine::lane_taps * L), expected = sums;
      for (const bool overwrite : {true, false}) {
        for (Index t = 0; t < engine::lane_taps; ++t) {
          for (Index lane = 0; lane < L; ++lane) {
            T& sum = expected[t * L + lane];
            if (overwrite) sum = T(0);
            for (Index q = 0; q < lines * count; ++q) {
              sum += dy[q * L + lane] *
                     source[offsets[static_cast<std::size_t>(t)] + q / count * from.line + q % count * step + lane];
            }
          }
        }
        k.lane_dots(lines, count, dy.data(), source.data(), offsets.data(), from, sums.data(), overwrite);
        CAPTURE(overwrite);
        CHECK(differences(sums, expected) == 0);
      }
    }
  }
}
