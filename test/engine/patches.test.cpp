// SPDX-License-Identifier: MIT
#include <unfold/engine/patches.hpp>

#include "support/catch.hpp"
#include "support/patch_reference.hpp"
#include "support/tensor_matcher.hpp"

using namespace unfold;
using engine::Patches;
using test::equals;
using test::integers;
using test::poisoned;

namespace {

/// The patches of one group of x.
template <class T, class X>
Patches<T> patches(X& x, const Conv2DOptions& options, Index group) {
  const Conv2DGeometry g = conv2d_geometry("test", options, x.shape());
  const auto part = x.slice(1, group * (g.IC / g.G), g.IC / g.G);
  return {part.data(), part.strides(), g};
}

struct Block {
  Index row, rows, begin, count;
};

/// The whole matrix, its last entry, and blocks cut anywhere.
std::vector<Block> blocks(Index K, Index P) {
  std::vector<Block> list{{0, K, 0, P}, {K - 1, 1, P - 1, 1}, {K / 2, K - K / 2, P / 3, P - P / 3}};
  Random random(static_cast<std::uint64_t>(K * P));
  for (int i = 0; i < 4; ++i) {
    const Index row = random.below(K), begin = random.below(P);
    list.push_back({row, 1 + random.below(K - row), begin, 1 + random.below(P - begin)});
  }
  return list;
}

template <class T>
Tensor<T, 2> cut(const Tensor<T, 2>& M, const Block& b) {
  return Tensor<T, 2>(M.slice(0, b.row, b.rows).slice(1, b.begin, b.count));
}

/// Calls f(problem, group, the matrix by loops, block) for every problem, group and block.
template <class T, class F>
void for_each_block(F&& f) {
  for (const auto& problem : test::problems()) {
    INFO(problem);
    const auto x = integers<T>(problem.x, 1);
    for (Index group = 0; group < problem.groups; ++group) {
      const auto M = test::patches_by_loops(x, problem.options(), group);
      for (const Block& b : blocks(M.shape(0), M.shape(1))) {
        CAPTURE(group, b.row, b.rows, b.begin, b.count);
        f(patches<const T>(x, problem.options(), group), M, b);
      }
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("Packed pixels are the entries of the matrix, panel by panel, filled up with zeros", "", float,
                   double) {
  for_each_block<TestType>([](const auto& x, const auto& M, const Block& b) {
    const auto expected = cut(M, b);
    for (const Index width : {8, 16, 32}) {
      if (width > engine::most_columns<TestType>) continue;
      const Index panels = (b.count + width - 1) / width;
      auto packed = poisoned<TestType>(Shape{panels, b.rows, width});
      engine::pack_pixels(x, b.row, b.rows, b.begin, b.count, width, packed.data());
      Tensor<TestType, 2> unpacked({b.rows, panels * width});
      for (Index p = 0; p < panels; ++p)
        test::copy_into(unpacked.slice(1, p * width, width), Tensor<TestType, 2>(packed[p]));
      CHECK_THAT(unpacked.slice(1, 0, b.count), equals(expected));
      CHECK_THAT(unpacked.slice(1, b.count, panels * width - b.count),
                 equals(Tensor<TestType, 2>({b.rows, panels * width - b.count})));
    }
  });
}

TEMPLATE_TEST_CASE("Packed taps are the scaled entries transposed, in panels of the widths asked for", "", float,
                   double) {
  for_each_block<TestType>([](const auto& x, const auto& M, const Block& b) {
    const auto expected = cut(M, b);
    const auto width = [](Index left) -> Index { return left >= 6 ? 6 : left > 2 ? 4 : left; };
    auto memory = poisoned<TestType>(Shape{(b.rows + 6) * b.count});
    engine::pack_taps(x, b.row, b.rows, b.begin, b.count, width, TestType(-3), memory.data());
    const TestType* panel = memory.data();
    for (Index row = 0; row < b.rows;) {
      const Index panel_width = width(b.rows - row), used = std::min(panel_width, b.rows - row);
      const TensorView<const TestType, 2> entries(panel, {panel_width, b.count}, {1, panel_width});
      Tensor<TestType, 2> scaled(expected.slice(0, row, used));
      for (Index i = 0; i < scaled.size(); ++i) scaled.data()[i] *= -3;
      CHECK_THAT(entries.slice(0, 0, used), equals(scaled));
      CHECK_THAT(entries.slice(0, used, panel_width - used),
                 equals(Tensor<TestType, 2>({panel_width - used, b.count})));
      panel += panel_width * b.count;
      row += used;
    }
  });
}

TEMPLATE_TEST_CASE("Unpacking adds every entry to the element it was taken from, and drops the padding", "", float,
                   double) {
  for (const auto& problem : test::problems()) {
    INFO(problem);
    const auto start = integers<TestType>(problem.x, 2);
    for (Index group = 0; group < problem.groups; ++group) {
      const Conv2DGeometry g = problem.geometry();
      for (const Block& b : blocks(g.K(), g.P())) {
        CAPTURE(group, b.row, b.rows, b.begin, b.count);
        // A block between columns of NaN: what is not of the block must not be read.
        auto block = poisoned<TestType>(Shape{b.rows, b.count + 5});
        test::copy_into(block.slice(1, 0, b.count), integers<TestType>(Shape{b.rows, b.count}, 3));
        auto x = start;
        engine::unpack_pixels(patches<TestType>(x, problem.options(), group), b.row, b.rows, b.begin, b.count,
                              block.data(), b.count + 5, false);
        Tensor<TestType, 2> M({g.K(), g.P()});
        test::copy_into(M.slice(0, b.row, b.rows).slice(1, b.begin, b.count),
                        Tensor<TestType, 2>(block.slice(1, 0, b.count)));
        auto expected = start;
        test::add_patches_by_loops(M, problem.options(), group, expected);
        CHECK_THAT(x, equals(expected));
      }
    }
  }
}

TEST_CASE("Channels of a batch are patches of a 1x1 kernel: unpacking can overwrite them, whatever their strides") {
  auto memory = poisoned<float>(Shape{3 * 4 * 5 * 7 * 2});
  // [N, C, H, W] = [3, 4, 5, 7] with every axis in another order, every second element.
  const Shape<4> stride{2, 6, 24, 120};
  const auto y = engine::channel_patches(memory.data(), stride, 3, 4, 5, 7);
  CHECK(y.rows() == 4);
  CHECK(y.cols() == 3 * 5 * 7);
  const auto block = integers<float>(Shape{4, 3 * 5 * 7}, 4);
  engine::unpack_pixels(y, 0, 4, 0, 105, block.data(), 105, true);
  const TensorView<const float, 4> view(memory.data(), {3, 4, 5, 7}, stride);
  Tensor<float, 4> expected(view.shape());
  for (Index c = 0; c < 4; ++c) {
    for (Index p = 0; p < 105; ++p) expected(p / 35, c, p / 7 % 5, p % 7) = block(c, p);
  }
  CHECK_THAT(view, equals(expected));
  for (Index i = 1; i < memory.size(); i += 2) CHECK(memory(i) != memory(i));

  const Patches<const float> readable{y.data, y.stride, y.g};
  auto packed = poisoned<float>(Shape{4, 4, 32});
  engine::pack_pixels(readable, 0, 4, 0, 105, 32, packed.data());
  for (Index p = 0; p < 105; ++p) CHECK(packed(p / 32, 2, p % 32) == block(2, p));
}

TEMPLATE_TEST_CASE("Elements under no window are not read, and the padding is 0 even beside infinities", "", float,
                   double) {
  const Conv2DOptions options{
      .in_channels = 2, .out_channels = 1, .kernel = {2, 3}, .stride = {4, 5}, .padding = {1, 2, 2, 1}};
  const Shape<4> shape{2, 2, 9, 13};
  auto x = poisoned<TestType>(shape);
  // Infinity on the first row, which the windows meet beside the padding; integers wherever else a window stands.
  auto reached = test::patches_by_loops(Tensor<TestType, 4>(shape, TestType(1)), options, 0);
  engine::unpack_pixels(patches<TestType>(x, options, 0), 0, reached.shape(0), 0, reached.shape(1), reached.data(),
                        reached.shape(1), true);
  x.slice(2, 0, 1).fill(std::numeric_limits<TestType>::infinity());
  const auto M = test::patches_by_loops(x, options, 0);
  auto packed = poisoned<TestType>(Shape{(M.shape(1) + 7) / 8, M.shape(0), 8});
  engine::pack_pixels(patches<const TestType>(std::as_const(x), options, 0), 0, M.shape(0), 0, M.shape(1), 8,
                      packed.data());
  Index zeros = 0;
  for (Index k = 0; k < M.shape(0); ++k) {
    for (Index p = 0; p < M.shape(1); ++p) {
      CAPTURE(k, p);
      CHECK(packed(p / 8, k, p % 8) == M(k, p));
      zeros += M(k, p) == 0;
    }
  }
  CHECK(zeros > M.size() / 8);
}
