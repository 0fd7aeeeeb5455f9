// SPDX-License-Identifier: MIT
#include <unfold/engine/rows.hpp>

#include "support/buffer.hpp"
#include "support/catch.hpp"
#include "support/isa.hpp"

using namespace unfold;
using engine::Padded;
using engine::Run;
using test::Buffer;
using test::differences;
using test::whole_vectors;

namespace {

constexpr auto at = [](Index i) { return static_cast<std::size_t>(i); };

template <class T, int VectorBytes>
void check_move_row() {
  Random random(1);
  for (Index n = 0; n <= 70; ++n) {
    const Buffer<T> from(n, random);
    Buffer<T> to(n + 2), expected = to;
    for (const bool overwrite : {true, false}) {
      CAPTURE(VectorBytes, n, overwrite);
      engine::move_row<T, VectorBytes>(from.data(), to.data() + 1, n, overwrite);
      for (Index i = 0; i < n; ++i) expected[1 + i] = overwrite ? from[i] : expected[1 + i] + from[i];
      CHECK(differences(to, expected) == 0);
    }
  }
}

/// Rows of a source at offsets, cut into runs that follow each other in a block.
struct Runs {
  std::vector<Run> runs;
  std::vector<Index> offsets;  // and gather_ahead more
  Index depth, width = 0, reach = 0;

  Runs(Index depth_, const std::vector<Index>& lengths, Index begin, Random& random) : depth(depth_), width(begin) {
    Index from = random.below(3);
    for (const Index length : lengths) {
      runs.push_back({from, width, length});
      width += length;
      reach = from + length;
      from += length + 1 + random.below(5);
    }
    for (Index k = 0; k < depth; ++k) offsets.push_back((depth - 1 - k) * reach);  // no two rows share an element
    offsets.resize(at(depth + engine::gather_ahead), 0);
  }
  Index used() const { return static_cast<Index>(runs.size()); }
  Index source_size() const { return depth * reach; }

  /// Calls f(index in the block, index in the source) for every element.
  template <class F>
  void for_each(Index block_row, F&& f) const {
    for (Index k = 0; k < depth; ++k) {
      for (const Run& run : runs) {
        for (Index i = 0; i < run.count; ++i) f(k * block_row + run.at + i, offsets[at(k)] + run.from + i);
      }
    }
  }
};

/// Calls f(kernels, runs) for many runs, those of exactly two vectors among them, for which there is a short way.
template <class T, class F>
void for_each_runs(F&& f) {
  Random random(2);
  for (const auto& [set, k] : test::kernel_sets<T>()) {
    const Index L = k.lanes;
    const std::vector<std::vector<Index>> list = {
        {1},       {L},    {2 * L},       {2 * L - 1}, {2 * L + 1}, {1, 2 * L - 1}, {L + 3, 1, 2, L - 2},
        {7, 7, 7}, {L, L}, {2 * L, 2 * L}};
    for (const auto& lengths : list) {
      for (const Index depth : {1, 2, 9, 20}) {
        for (const Index begin : {0, 3}) {
          CAPTURE(set, L, lengths, depth, begin);
          f(k, Runs(depth, lengths, begin, random));
        }
      }
    }
  }
}

/// Axes of padded copies: inside the source, beyond both of its ends, wholly beside it, at every stride.
std::vector<Padded> axes(const std::vector<Index>& sources, const std::vector<Index>& counts) {
  std::vector<Padded> list;
  for (const Index source : sources) {
    for (const Index step : {1, 2, 3, 4}) {
      for (const Index first : {Index{-23}, Index{-4}, Index{-1}, Index{0}, Index{2}, source + 1}) {
        for (const Index count : counts) list.push_back({source, first, step, count});
      }
    }
  }
  return list;
}

/// Calls f(kernels, rows, columns, row stride, column stride) for pairs of axes.
template <class T, class F>
void for_each_plane(F&& f) {
  for (const auto& [set, k] : test::kernel_sets<T>()) {
    for (const Padded& rows : axes({5}, {1, 4})) {
      for (const Padded& columns : axes({3, 19, 41}, {1, 6, 19, 39})) {
        for (const Index plane_column : {1, 2}) {
          for (const Index gap : {0, 1}) {
            const Index plane_row = columns.source * plane_column + gap;
            CAPTURE(set, rows.first, rows.step, rows.count, columns.source, columns.first, columns.step, columns.count,
                    plane_column, plane_row);
            f(k, rows, columns, plane_row, plane_column);
          }
        }
      }
    }
  }
}

/// Calls f(index in the copy, index in the plane) for every element of the copy that is not padding.
template <class F>
void for_each_copied(const Padded& rows, const Padded& columns, Index plane_row, Index plane_column, F&& f) {
  for (Index r = 0; r < rows.count; ++r) {
    for (Index i = 0; i < columns.count; ++i) {
      const Index y = rows.first + r * rows.step, x = columns.first + i * columns.step;
      if (y < 0 || y >= rows.source || x < 0 || x >= columns.source) continue;
      f(r * columns.count + i, y * plane_row + x * plane_column);
    }
  }
}

/// A plane that ends with its last element; what lies between its elements is NaN.
template <class T>
Buffer<T> plane_of(const Padded& rows, const Padded& columns, Index plane_row, Index plane_column, Random& random) {
  Buffer<T> plane((rows.source - 1) * plane_row + (columns.source - 1) * plane_column + 1);
  test::fill_integers(TensorView<T, 2>(plane.data(), {rows.source, columns.source}, {plane_row, plane_column}), random);
  return plane;
}

}  // namespace

TEMPLATE_TEST_CASE("A row is moved or added in vectors of any size, and nothing beside it is touched", "", float,
                   double) {
  check_move_row<TestType, 16>();
  check_move_row<TestType, 32>();
  check_move_row<TestType, 64>();
}

TEMPLATE_TEST_CASE(
    "Gathered runs lie in their rows; where not exact, what follows a run is read and written up to a "
    "vector's end",
    "", float, double) {
  using T = TestType;
  Random random(3);
  for_each_runs<T>([&](const auto& k, const Runs& runs) {
    for (const bool exact : {true, false}) {
      CAPTURE(exact);
      const Index row = runs.width + 2, beyond = exact ? 0 : k.lanes - 1;
      const Buffer<T> source(runs.source_size() + beyond, random);
      Buffer<T> packed(runs.depth * row + k.lanes), expected = packed;
      runs.for_each(row, [&](Index to, Index from) { expected[to] = source[from]; });
      k.gather(source.data(), runs.offsets.data(), runs.depth, runs.runs.data(), runs.used(), packed.data(), row,
               exact);
      Index wrong = 0;
      for (Index i = 0; i < packed.size(); ++i) {
        const Index end = (runs.depth - 1) * row + runs.width + beyond;  // of what may be written
        const bool no_ones = i >= runs.depth * row || i % row < runs.runs[0].at || i % row >= runs.width;
        const bool free = !exact && no_ones && i < end;
        if (!free) wrong += expected.written(i) ? !(packed[i] == expected[i]) : packed.written(i);
      }
      CHECK(wrong == 0);
    }
  });
}

TEMPLATE_TEST_CASE("Scattered runs go where they were gathered from, written or added, and nowhere else", "", float,
                   double) {
  using T = TestType;
  Random random(4);
  for_each_runs<T>([&](const auto& k, const Runs& runs) {
    const Index row = runs.width + 2;
    const Buffer<T> block((runs.depth - 1) * row + runs.width, random);
    Buffer<T> target(runs.source_size()), expected = target;
    for (const bool overwrite : {true, false}) {
      CAPTURE(overwrite);
      runs.for_each(row,
                    [&](Index from, Index to) { expected[to] = overwrite ? block[from] : expected[to] + block[from]; });
      k.scatter(block.data(), row, runs.offsets.data(), runs.depth, runs.runs.data(), runs.used(), target.data(),
                overwrite);
      CHECK(differences(target, expected) == 0);
    }
  });
}

TEMPLATE_TEST_CASE("A transposed matrix has its rows as columns, whatever its sizes and strides", "", float, double) {
  using T = TestType;
  constexpr Index page = 4096 / static_cast<Index>(sizeof(T));  // rows so far apart have the same place in a cache
  Random random(5);
  for (const auto& [set, k] : test::kernel_sets<T>()) {
    for (Index rows = 0; rows <= 37; ++rows) {
      for (Index columns = 0; columns <= 37; columns += columns < 19 ? 1 : 6) {
        const Index from_row = rows % 3 == 0 ? page : columns + 3, to_row = columns % 3 == 0 ? page : rows + 2;
        CAPTURE(set, rows, columns, from_row, to_row);
        const Buffer<T> from(rows * columns == 0 ? 0 : (rows - 1) * from_row + columns, random);
        Buffer<T> to(rows * columns == 0 ? 0 : (columns - 1) * to_row + rows), expected = to;
        for (Index i = 0; i < rows; ++i) {
          for (Index j = 0; j < columns; ++j) expected[j * to_row + i] = from[i * from_row + j];
        }
        k.transpose(from.data(), from_row, rows, columns, to.data(), to_row);
        CHECK(differences(to, expected) == 0);
      }
    }
  }
}

TEMPLATE_TEST_CASE("A padded copy has the plane's elements and zeros, and nothing is written a vector past it", "",
                   float, double) {
  using T = TestType;
  Random random(6);
  for_each_plane<T>([&](const auto& k, const Padded& rows, const Padded& columns, Index plane_row, Index plane_column) {
    const Buffer<T> plane = plane_of<T>(rows, columns, plane_row, plane_column, random);
    const Index size = rows.count * columns.count;
    Buffer<T> copy(size + k.lanes + 50), expected = copy;
    std::fill_n(expected.data(), size, T(0));
    for_each_copied(rows, columns, plane_row, plane_column, [&](Index to, Index from) { expected[to] = plane[from]; });
    k.pad(plane.data(), 0, plane_row, plane_column, rows, columns, copy.data());
    std::fill_n(copy.data() + size, k.lanes, std::numeric_limits<T>::quiet_NaN());
    CHECK(differences(copy, expected) == 0);
  });
}

TEMPLATE_TEST_CASE("Adding a padded copy back is the adjoint of padding: <pad(x), y> = <x, add_padded(y)>", "", float,
                   double) {
  using T = TestType;
  Random random(7);
  for_each_plane<T>([&](const auto& k, const Padded& rows, const Padded& columns, Index plane_row, Index plane_column) {
    const Buffer<T> x = plane_of<T>(rows, columns, plane_row, plane_column, random);
    const Buffer<T> y(rows.count * columns.count, random);
    Buffer<T> padded(y.size() + k.lanes), sum = x, expected = x;
    k.pad(x.data(), 0, plane_row, plane_column, rows, columns, padded.data());
    k.add_padded(y.data(), rows, columns, sum.data(), plane_row, plane_column);
    for_each_copied(rows, columns, plane_row, plane_column, [&](Index from, Index to) { expected[to] += y[from]; });
    CHECK(differences(sum, expected) == 0);
    T left = 0, right = 0;
    for (Index i = 0; i < y.size(); ++i) left += padded[i] * y[i];
    for (Index i = 0; i < x.size(); ++i) right += x.written(i) ? x[i] * (sum[i] - x[i]) : T(0);
    CHECK(left == right);
  });
}
