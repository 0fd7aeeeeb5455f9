// SPDX-License-Identifier: MIT
#include <unfold/engine/tile.hpp>

#include "support/buffer.hpp"
#include "support/catch.hpp"
#include "support/isa.hpp"

#include <string>

using namespace unfold;
using test::Buffer;

namespace {

/// All tiles of one width.
template <class T>
struct Family {
  std::string name;
  Index columns;
  const engine::Tiles<T>* tiles;
};

template <class T>
std::vector<Family<T>> families(const test::KernelSet<T>& set) {
  const engine::TileSet<T>& tiles = set.kernels.tiles;
  const Index lanes = set.kernels.lanes;
  return {{set.name, lanes, &tiles.of_vectors[0]}, {set.name, 2 * lanes, &tiles.of_vectors[1]}};
}

/// The factor of a tile, a(row, k). Every element has a place of its own, the last ends the memory, and the offsets
/// descend.
template <class T>
struct Rows {
  Index rows, gap;
  std::vector<Index> offsets;
  Buffer<T> memory;

  /// gap_: before the upper half; where there is one, the upper halves stand behind all lower ones
  Rows(Index rows_, Index depth, Index gap_) : rows(rows_), gap(gap_), memory(size(depth)) {
    for (Index k = 0; k < depth; ++k) offsets.push_back((depth - 1 - k) * stretch());
    offsets.insert(offsets.end(), engine::gather_ahead, 0);
  }
  Index lower() const { return (rows + 1) / 2; }
  Index stretch() const { return gap == 0 ? rows : lower(); }
  Index size(Index depth) const { return depth == 0 ? 0 : (depth - 1) * stretch() + rows + (rows > 1 ? gap : 0); }

  T& operator()(Index row, Index k) {
    return memory[offsets[static_cast<std::size_t>(k)] + row + (row >= lower() ? gap : 0)];
  }
};

/// The gap that puts all upper halves behind all lower ones.
Index gap_of(Index rows, Index depth) { return depth * ((rows + 1) / 2); }

/// c = or += a * b, in plain loops; c_gap stands before the upper half of c's rows.
template <class T>
void multiply(Rows<T>& a, const Buffer<T>& b, Index rows, Index columns, Buffer<T>& c, Index c_row, Index c_gap,
              bool overwrite) {
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns; ++j) {
      T& element = c[i * c_row + (i >= a.lower() ? c_gap : 0) + j];
      T sum = overwrite ? T(0) : element;
      for (Index k = 0; k < b.size() / columns; ++k) sum += a(i, k) * b[k * columns + j];
      element = sum;
    }
  }
}

/// Calls f(a, b, c, c_row, c_gap, overwrite), which is to multiply, for several depths, written and added; checks all
/// of c.
template <class T, class F>
void check_products(Index rows, Index columns, bool gap, F&& f) {
  for (const Index depth : {0, 1, 2, 3, 7, 16, 17, 64, 301}) {
    Random random(static_cast<std::uint64_t>(depth + 1000 * rows));
    const Index c_row = columns + 3, c_gap = gap ? c_row + 5 : 0;
    Rows<T> a(rows, depth, gap ? gap_of(rows, depth) : 0);
    for (Index k = 0; k < depth; ++k) {
      for (Index i = 0; i < rows; ++i) a(i, k) = T(random.below(17) - 8);
    }
    const Buffer<T> b(depth * columns, random);
    Buffer<T> c((rows + 1) * c_row + c_gap), expected = c;
    for (const bool overwrite : {true, false}) {
      CAPTURE(depth, gap, overwrite);
      f(a, b, depth, c, c_row, c_gap, overwrite);
      multiply(a, b, rows, columns, expected, c_row, c_gap, overwrite);
      CHECK(test::differences(c, expected) == 0);
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("A tile is a * b, written or added, in its own rows and columns and nowhere else", "", float,
                   double) {
  using T = TestType;
  for (const auto& set : test::kernel_sets<T>()) {
    for (const auto& family : families(set)) {
      for (Index rows = 1; rows <= family.tiles->rows; ++rows) {
        const auto tile = family.tiles->of_height[rows];
        if (tile == nullptr) continue;
        CAPTURE(family.name, family.columns, rows);
        for (const bool gap : {false, true}) {
          check_products<T>(rows, family.columns, gap,
                            [&](const Rows<T>& a, const Buffer<T>& b, Index depth, Buffer<T>& c, Index c_row,
                                Index c_gap, bool overwrite) {
                              tile(depth, a.memory.data(), a.gap, a.offsets.data(), b.data(), c.data(), c_row, c_gap,
                                   overwrite);
                            });
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("Any number of rows is multiplied by tiles that read no row beyond them", "", float, double) {
  using T = TestType;
  for (const auto& set : test::kernel_sets<T>()) {
    for (const auto& family : families(set)) {
      for (Index rows = 1; rows <= 2 * family.tiles->most_rows + 3; ++rows) {
        CAPTURE(family.name, family.columns, rows);
        check_products<T>(
            rows, family.columns, false,
            [&](const Rows<T>& a, const Buffer<T>& b, Index depth, Buffer<T>& c, Index c_row, Index, bool overwrite) {
              family.tiles->run(rows, depth, a.memory.data(), a.offsets.data(), b.data(), c.data(), c_row, overwrite);
            });
      }
    }
  }
}

TEMPLATE_TEST_CASE("A tile that packs b, or asks for what is read soon, multiplies the same bits as one that finds it",
                   "", float, double) {
  using T = TestType;
  for (const auto& set : test::kernel_sets<T>()) {
    const auto& tiles = set.kernels.tiles.of_vectors[1];
    const Index rows = tiles.rows, columns = 2 * set.kernels.lanes, c_row = columns + 3;
    for (const Index depth : {1, 2, 19, 131}) {
      Random random(static_cast<std::uint64_t>(depth));
      const Buffer<T> source(depth * (columns + 5), random), start((rows + 1) * c_row, random);
      Buffer<T> a(depth * rows), b(depth * columns), packed(depth * columns);
      for (Index i = 0; i < a.size(); ++i) a[i] = T(random.normal());
      std::vector<Index> offsets, packed_rows;
      for (Index k = 0; k < depth; ++k) {
        offsets.push_back((depth - 1 - k) * (columns + 5));
        packed_rows.push_back(k * rows);
        for (Index j = 0; j < columns; ++j) b[k * columns + j] = source[offsets.back() + j];
      }
      offsets.insert(offsets.end(), engine::gather_ahead, offsets.back());
      packed_rows.insert(packed_rows.end(), engine::gather_ahead, 0);
      for (const bool overwrite : {true, false}) {
        CAPTURE(set.name, depth, overwrite);
        Buffer<T> c = start, expected = start;
        set.kernels.tiles.packing(depth, a.data(), source.data(), offsets.data(), 0, packed.data(), c.data(), c_row,
                                  overwrite);
        tiles.run(rows, depth, a.data(), packed_rows.data(), b.data(), expected.data(), c_row, overwrite);
        CHECK(test::differences(packed, b) == 0);
        CHECK(test::differences(c, expected) == 0);

        c = start;
        set.kernels.tiles.prefetching(depth, a.data(), source.data(), offsets.data(), 1, packed.data(), c.data(), c_row,
                                      overwrite);
        CHECK(test::differences(packed, b) == 0);
        CHECK(test::differences(c, expected) == 0);
      }
    }
  }
}

TEMPLATE_TEST_CASE("A table has tiles up to its highest, and one is a single row", "", float, double) {
  for (const auto& set : test::kernel_sets<TestType>()) {
    CHECK(set.kernels.tiles.of_vectors[0].rows >= set.kernels.tiles.of_vectors[1].rows);
    for (const auto& family : families(set)) {
      const auto& tiles = *family.tiles;
      CAPTURE(family.name, family.columns);
      CHECK(tiles.vectors * set.kernels.lanes == family.columns);
      REQUIRE((tiles.rows >= 1 && tiles.rows <= tiles.most_rows));
      CHECK(tiles.of_height[1] != nullptr);
      CHECK(tiles.of_height[tiles.rows] != nullptr);
      for (Index n = tiles.rows + 1; n <= tiles.most_rows; ++n) CHECK(tiles.of_height[n] == nullptr);
    }
  }
}

TEMPLATE_TEST_CASE("The bits of an element do not depend on the tile or the place in which it is computed", "", float,
                   double) {
  using T = TestType;
  constexpr Index depth = 301;
  Random random(8);
  Buffer<T> row(depth), column(depth);
  for (Index k = 0; k < depth; ++k) row[k] = T(random.normal()), column[k] = T(random.normal());
  for (const auto& set : test::kernel_sets<T>()) {
    Buffer<T> first(1);  // of this set: every element of every product below has these bits
    for (const auto& family : families(set)) {
      for (Index rows = 1; rows <= family.tiles->most_rows + 9; ++rows) {
        CAPTURE(family.name, family.columns, rows);
        Rows<T> a(rows, depth, 0);
        Buffer<T> b(depth * family.columns), c(rows * family.columns);
        for (Index k = 0; k < depth; ++k) {
          for (Index i = 0; i < rows; ++i) a(i, k) = row[k];
          for (Index j = 0; j < family.columns; ++j) b[k * family.columns + j] = column[k];
        }
        family.tiles->run(rows, depth, a.memory.data(), a.offsets.data(), b.data(), c.data(), family.columns, true);
        if (!first.written(0)) first[0] = c[0];
        Index others = 0;
        for (Index i = 0; i < c.size(); ++i) others += c[i] != first[0];
        CHECK(others == 0);
      }
    }
  }
}

TEMPLATE_TEST_CASE("The kernels in use are those of the instruction set in use", "", float, double) {
  const auto sets = test::kernel_sets<TestType>();
  const auto& expected = sets.at(static_cast<std::size_t>(engine::isa())).kernels;
  const auto& used = engine::kernels<TestType>();
  CHECK(used.lanes == expected.lanes);
  CHECK(used.tiles.of_vectors[1].of_height[1] == expected.tiles.of_vectors[1].of_height[1]);
  CHECK(used.line_tiles.of_vectors[1].of_height[1] == expected.line_tiles.of_vectors[1].of_height[1]);
  CHECK(used.gather == expected.gather);
}
