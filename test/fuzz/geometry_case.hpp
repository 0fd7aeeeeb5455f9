// SPDX-License-Identifier: MIT
// GeometryCase: one convolution drawn by a seed and a number, with everything about how it is called: threads, beta,
// and where in memory its tensors lie. The same two numbers give the same case on every machine.
#pragma once

#include "support/problems.hpp"

#include <unfold/core/random.hpp>

#include <algorithm>  // std::max
#include <array>
#include <cstdint>

namespace unfold::test {

/// How the elements of a tensor lie in memory.
enum class Lying : std::uint8_t { dense, every_second, channels_last, part_of_wider };

struct GeometryCase {
  Problem problem;
  int threads;
  Index beta;  // 0: what was there is NaN; 1 and 2: integers
  Lying images, filters;
};

/// Draws the cases of one seed.
class GeometryCases {
 public:
  /// Cases of one block share their number of threads, since another number costs a new pool.
  static constexpr Index block = 256;

  explicit GeometryCases(std::uint64_t seed) : seed_(seed) {}

  GeometryCase draw(Index number) const {
    Random random(Random(seed_ + static_cast<std::uint64_t>(number)).next());
    GeometryCase c{.problem = drawn_problem(random, random.below(64) == 0 ? 2'000'000 : 60'000),
                   .threads = static_cast<int>(1 + number / block % 4),
                   .beta = std::max<Index>(0, random.below(4) - 1),
                   .images = one_of<Lying>(random, {Lying::dense, Lying::dense, Lying::every_second,
                                                    Lying::channels_last, Lying::part_of_wider}),
                   .filters = one_of<Lying>(random, {Lying::dense, Lying::dense, Lying::every_second})};
    c.problem.name = "case_" + std::to_string(number);
    return c;
  }

 private:
  template <class T, std::size_t N>
  static T one_of(Random& random, const T (&choices)[N]) {
    return choices[static_cast<std::size_t>(random.below(static_cast<Index>(N)))];
  }

  /// 1 to `usual` mostly, up to `rare` now and then.
  static Index drawn_size(Random& random, Index usual, Index rare) {
    return 1 + random.below(random.below(8) == 0 ? rare : usual);
  }

  /// One convolution whose kernel fits and that takes at most so many multiply-adds.
  static Problem drawn_problem(Random& random, Index most_multiply_adds) {
    for (;;) {
      const Problem p = any_problem(random);
      const auto positions = [](Index in, Index before, Index after, Index kernel, Index stride, Index dilation) {
        const Index room = in + before + after - dilation * (kernel - 1) - 1;
        return room < 0 ? 0 : room / stride + 1;
      };
      const Index OH =
          positions(p.x[2], p.padding.top, p.padding.bottom, p.kernel.height, p.stride.height, p.dilation.height);
      const Index OW =
          positions(p.x[3], p.padding.left, p.padding.right, p.kernel.width, p.stride.width, p.dilation.width);
      const Index taps = p.x[1] / p.groups * p.kernel.height * p.kernel.width;
      const Index multiply_adds = p.x[0] * p.out_channels * OH * OW * taps;
      if (multiply_adds >= 1 && multiply_adds <= most_multiply_adds) return p;
    }
  }

  static Problem any_problem(Random& random) {
    const Index groups = drawn_groups(random);
    const bool depthwise = groups >= 4 && random.below(2) == 0;
    const Index most = groups == 1 ? 12 : 4;
    const Index inputs = depthwise ? 1 : drawn_size(random, most, groups == 1 ? 70 : 20);
    const Index filters = depthwise ? drawn_size(random, 1, 4) : drawn_size(random, most, groups == 1 ? 70 : 20);
    Problem p{.name = "",
              .x = {drawn_size(random, 3, 12), groups * inputs, drawn_size(random, 12, 60), drawn_size(random, 12, 90)},
              .out_channels = groups * filters,
              .kernel = {drawn_size(random, 4, 11), drawn_size(random, 4, 11)},
              .stride = {drawn_size(random, 2, 5), drawn_size(random, 2, 5)},
              .dilation = {drawn_size(random, 2, 5), drawn_size(random, 2, 5)},
              .groups = groups,
              .bias = random.below(2) == 0};
    if (random.below(6) == 0) p.kernel = {1, 1};
    const auto padding = [&](Index kernel, Index dilation) {  // up to beyond the kernel, mostly less
      return random.below(3) == 0 ? 0 : random.below(dilation * (kernel - 1) + 3);
    };
    p.padding = {padding(p.kernel.height, p.dilation.height), padding(p.kernel.height, p.dilation.height),
                 padding(p.kernel.width, p.dilation.width), padding(p.kernel.width, p.dilation.width)};
    return p;
  }

  static Index drawn_groups(Random& random) {
    switch (random.below(8)) {
      case 0: return 2 + random.below(6);
      case 1: return 9 + 2 * random.below(8);  // odd
      case 2: return 16 + random.below(25);
      default: return 1;
    }
  }

  std::uint64_t seed_;
};

}  // namespace unfold::test
