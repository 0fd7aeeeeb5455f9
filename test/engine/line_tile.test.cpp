// SPDX-License-Identifier: MIT
#include <unfold/engine/line_tile.hpp>

#include "support/buffer.hpp"
#include "support/catch.hpp"
#include "support/isa.hpp"

using namespace unfold;
using engine::Lines;
using test::Buffer;

namespace {

/// Lines of several images, of one, and without any; gaps after lines and images.
const Lines all_lines[] = {{7, 1, 0, 1, 0},    {1, 1, 0, 1, 0},     {5, 3, 5, 1, 0},  {4, 3, 9, 2, 40},
                           {16, 2, 18, 3, 37}, {33, 4, 33, 1, 132}, {0, 3, 4, 2, 12}, {3, 0, 4, 2, 12}};

Index count(const Lines& pixels) { return pixels.length * pixels.lines * pixels.images; }

/// Where pixel p lies.
Index place(const Lines& pixels, Index p) {
  const Index line = p / pixels.length;
  return line / pixels.lines * pixels.image + line % pixels.lines * pixels.line + p % pixels.length;
}

/// A source with as many rows, which descend, overlap, and end with its memory.
template <class T>
struct Source {
  std::vector<Index> offsets;
  Buffer<T> memory;

  Source(Index rows, const Lines& pixels, Random& random)
      : memory(count(pixels) == 0 ? 0 : (rows - 1) * 3 + place(pixels, count(pixels) - 1) + 1, random) {
    for (Index r = 0; r < rows; ++r) offsets.push_back((rows - 1 - r) * 3);
  }
};

/// c = or += the sums, in plain loops.
template <class T>
void add_up(const Lines& pixels, const Source<T>& source, const Buffer<T>& b, Index columns, Buffer<T>& c, Index c_row,
            bool overwrite) {
  for (std::size_t r = 0; r < source.offsets.size(); ++r) {
    for (Index j = 0; j < columns; ++j) {
      T& to = c[static_cast<Index>(r) * c_row + j];
      if (overwrite) to = T(0);
      for (Index p = 0; p < count(pixels); ++p) {
        to += source.memory[source.offsets[r] + place(pixels, p)] * b[p * columns + j];
      }
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("A line tile sums over the pixels where they lie, into its own rows and columns and nowhere else",
                   "", float, double) {
  using T = TestType;
  for (const auto& set : test::kernel_sets<T>()) {
    for (const Index vectors : {1, 2}) {
      const auto& tiles = set.kernels.line_tiles.of_vectors[vectors - 1];
      const Index columns = vectors * set.kernels.lanes, c_row = columns + 3;
      for (Index rows = 1; rows <= 2 * tiles.rows + 3; ++rows) {
        for (const Lines& pixels : all_lines) {
          Random random(static_cast<std::uint64_t>(1000 * rows + pixels.length));
          const Source<T> source(rows, pixels, random);
          const Buffer<T> b(count(pixels) * columns, random);
          Buffer<T> c((rows + 1) * c_row), expected = c;
          for (const bool overwrite : {true, false}) {
            CAPTURE(set.name, columns, rows, pixels.length, pixels.lines, pixels.images, overwrite);
            tiles.run(rows, pixels, source.memory.data(), source.offsets.data(), b.data(), c.data(), c_row, overwrite);
            add_up(pixels, source, b, columns, expected, c_row, overwrite);
            CHECK(test::differences(c, expected) == 0);
          }
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("The bits of a sum do not depend on the line tile, the place in it, or how the pixels lie", "",
                   float, double) {
  using T = TestType;
  constexpr Index length = 12, lines = 9, images = 2, all = length * lines * images;
  Random random(8);
  Buffer<T> pixel(all), factor(all);
  for (Index p = 0; p < all; ++p) pixel[p] = T(random.normal()), factor[p] = T(random.normal());
  for (const auto& set : test::kernel_sets<T>()) {
    Buffer<T> first(1);  // of this set: every element of every sum below has these bits
    for (const Index vectors : {1, 2}) {
      const auto& tiles = set.kernels.line_tiles.of_vectors[vectors - 1];
      const Index columns = vectors * set.kernels.lanes;
      Buffer<T> b(all * columns);
      for (Index i = 0; i < b.size(); ++i) b[i] = factor[i / columns];
      for (const Lines& pixels :
           {Lines::one(all), Lines{length, lines, length + 2, images, lines * (length + 2) + 5}}) {
        Buffer<T> source(place(pixels, all - 1) + 1);
        for (Index p = 0; p < all; ++p) source[place(pixels, p)] = pixel[p];
        for (Index rows = 1; rows <= 2 * tiles.rows; ++rows) {
          const std::vector<Index> offsets(static_cast<std::size_t>(rows), 0);
          Buffer<T> c(rows * columns);
          tiles.run(rows, pixels, source.data(), offsets.data(), b.data(), c.data(), columns, true);
          if (!first.written(0)) first[0] = c[0];
          Index others = 0;
          for (Index i = 0; i < c.size(); ++i) others += c[i] != first[0];
          CAPTURE(set.name, columns, rows, pixels.lines);
          CHECK(others == 0);
        }
      }
    }
  }
}
