// SPDX-License-Identifier: MIT
#include <unfold/engine/products.hpp>

#include "support/catch.hpp"
#include "support/isa.hpp"
#include "support/patch_reference.hpp"
#include "support/tensor_matcher.hpp"

using namespace unfold;
using test::equals;
using test::integers;
using test::poisoned;
using test::product_by_loops;
using test::transposed;

namespace {

/// The depths of the tests: all small ones, and those around the ends of vectors and blocks.
const std::vector<Index> depths = {0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 64, 127, 383, 384, 385, 799};

/// c = or += a * b through packed panels and tiles, `direct` into c where a tile is whole, else through the scratch.
template <class T>
void multiply(const engine::Tiles<T>& tiles, const Tensor<T, 2>& a, const Tensor<T, 2>& b, T alpha, bool overwrite,
              bool direct, Tensor<T, 2>& c) {
  const Index rows = a.shape(0), depth = a.shape(1), columns = b.shape(1);
  Tensor<T, 1> packed_a({(rows + engine::most_rows) * depth});
  Tensor<T, 1> packed_b({(columns + engine::most_columns<T>)*depth});
  packed_a.fill(std::numeric_limits<T>::quiet_NaN());
  packed_b.fill(std::numeric_limits<T>::quiet_NaN());
  engine::pack_rows(engine::Strided<const T>{a.data(), depth, 1}, rows, depth, tiles, alpha, packed_a.data());
  const auto pixels = engine::channel_patches(b.data(), {0, columns, columns, 1}, 1, depth, 1, columns);
  engine::pack_pixels(pixels, 0, depth, 0, columns, tiles.columns, packed_b.data());
  const auto place = [&](Index i, Index j) {
    return direct ? engine::Strided<T>{&c(i, j), columns, 1} : engine::Strided<T>{nullptr, 0, 0};
  };
  const auto store = [&](Index i, Index j, Index tile_rows, Index tile_columns, const T* tile) {
    for (Index r = 0; r < tile_rows; ++r) {
      for (Index q = 0; q < tile_columns; ++q) {
        T& to = c(i + r, j + q);
        to = overwrite ? tile[r * tiles.columns + q] : to + tile[r * tiles.columns + q];
      }
    }
  };
  engine::multiply_packed(tiles, rows, columns, depth, packed_a.data(), packed_b.data(), overwrite, place, store);
}

}  // namespace

TEMPLATE_TEST_CASE("A tile is a^T * b, written or added, in its own rows and columns and nowhere else", "", float,
                   double) {
  for (const auto& [set, tiles] : test::tile_sets<TestType>()) {
    for (Index rows = 1; rows <= tiles.rows; ++rows) {
      if (tiles.of_height[rows] == nullptr) continue;
      for (const Index depth : depths) {
        CAPTURE(set, rows, depth);
        const Index columns = tiles.columns, c_row = columns + 3;
        // One element in front of each keeps the operands off every alignment but their own.
        const auto a = integers<TestType>(Shape{depth, rows}, 1);
        const auto b = integers<TestType>(Shape{depth, columns}, 2);
        Tensor<TestType, 1> a_memory({1 + a.size()}), b_memory({1 + b.size()});
        std::copy_n(a.data(), a.size(), a_memory.data() + 1);
        std::copy_n(b.data(), b.size(), b_memory.data() + 1);
        auto memory = poisoned<TestType>(Shape{1 + (rows + 1) * c_row});
        TestType* const c = memory.data() + 1;
        const TensorView<TestType, 2> tile(c, {rows, columns}, {c_row, 1});
        auto expected = product_by_loops(transposed(a), b);

        tiles.of_height[rows](depth, a_memory.data() + 1, b_memory.data() + 1, c, c_row, true);
        CHECK_THAT(tile, equals(expected));
        tiles.of_height[rows](depth, a_memory.data() + 1, b_memory.data() + 1, c, c_row, false);
        for (Index i = 0; i < expected.size(); ++i) expected.data()[i] *= 2;
        CHECK_THAT(tile, equals(expected));
        Index untouched = 0;
        for (Index i = 0; i < memory.size(); ++i) untouched += memory(i) != memory(i);
        CHECK(untouched == memory.size() - rows * columns);
      }
    }
  }
}

TEMPLATE_TEST_CASE("The lowest tile that covers the rows left is taken", "", float, double) {
  for (const auto& [set, tiles] : test::tile_sets<TestType>()) {
    CAPTURE(set);
    CHECK(tiles.rows <= engine::most_rows);
    CHECK(tiles.columns <= engine::most_columns<TestType>);
    for (Index n = 1; n <= 40; ++n) {
      const Index height = tiles.height(n);
      CHECK(tiles.of_height[height] != nullptr);
      CHECK(height >= std::min(n, tiles.rows));
      for (Index lower = std::min(n, tiles.rows); lower < height; ++lower) CHECK(tiles.of_height[lower] == nullptr);
    }
  }
}

TEMPLATE_TEST_CASE("The tiles in use are those of the instruction set in use", "", float, double) {
  const auto sets = test::tile_sets<TestType>();
  const auto& expected = sets.at(static_cast<std::size_t>(engine::isa())).tiles;
  CHECK(engine::tiles<TestType>().rows == expected.rows);
  CHECK(engine::tiles<TestType>().columns == expected.columns);
  CHECK(engine::tiles<TestType>().of_height[expected.rows] == expected.of_height[expected.rows]);
}

TEMPLATE_TEST_CASE("Packed panels of any height, width and depth multiply to the product of the matrices", "", float,
                   double) {
  for (const auto& [set, tiles] : test::tile_sets<TestType>()) {
    Random random(5);
    const auto check = [&, &set = set, &tiles = tiles](Index rows, Index columns, Index depth) {
      const bool overwrite = random.below(2) == 0, direct = random.below(2) == 0;
      CAPTURE(set, rows, columns, depth, overwrite, direct);
      const auto a = integers<TestType>(Shape{rows, depth}, random.next());
      const auto b = integers<TestType>(Shape{depth, columns}, random.next());
      auto c = overwrite ? poisoned<TestType>(Shape{rows, columns}) : integers<TestType>(Shape{rows, columns}, 6);
      auto expected = product_by_loops(a, b);
      for (Index i = 0; i < c.size(); ++i) {
        expected.data()[i] = -2 * expected.data()[i] + (overwrite ? TestType(0) : c.data()[i]);
      }
      multiply(tiles, a, b, TestType(-2), overwrite, direct, c);
      CHECK_THAT(c, equals(expected));
    };
    for (Index rows = 1; rows <= 30; ++rows) check(rows, 1 + random.below(70), 1 + random.below(40));
    for (Index columns = 1; columns <= 70; ++columns) check(1 + random.below(30), columns, 1 + random.below(40));
    for (const Index depth : depths) check(1 + random.below(30), 1 + random.below(70), depth);
    for (int i = 0; i < 20; ++i) check(1 + random.below(30), 1 + random.below(70), 1 + random.below(800));
  }
}

TEMPLATE_TEST_CASE("The bits of an element do not depend on the tile or the place in which it is computed", "", float,
                   double) {
  for (const auto& [set, tiles] : test::tile_sets<TestType>()) {
    CAPTURE(set);
    constexpr Index rows = 29, columns = 67, depth = 301;
    Random random(8);
    Tensor<TestType, 2> a({rows, depth}), b({depth, columns}), c({rows, columns});
    test::fill_normal(a.view(), random);
    test::fill_normal(b.view(), random);
    multiply(tiles, a, b, TestType(1), true, true, c);
    for (Index i = 0; i < rows; ++i) {
      Tensor<TestType, 2> row({1, columns});
      multiply(tiles, Tensor<TestType, 2>(a.slice(0, i, 1)), b, TestType(1), true, false, row);
      CHECK_THAT(row, equals(c.slice(0, i, 1)));
    }
    for (Index j = 0; j < columns; j += 5) {
      Tensor<TestType, 2> column({rows, 1});
      multiply(tiles, a, Tensor<TestType, 2>(b.slice(1, j, 1)), TestType(1), true, false, column);
      CHECK_THAT(column, equals(c.slice(1, j, 1)));
    }
  }
}
