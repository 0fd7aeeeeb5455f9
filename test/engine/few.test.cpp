// SPDX-License-Identifier: MIT
#include <unfold/engine/few.hpp>

#include "support/buffer.hpp"
#include "support/catch.hpp"
#include "support/isa.hpp"

using namespace unfold;
using test::Buffer;
using test::differences;
using test::whole_vectors;

namespace {

/// Counts around the ends of one vector, of the several that a kernel takes at a time, and of fewer.
std::vector<Index> counts(Index lanes) {
  std::vector<Index> list;
  for (const Index vectors : {0, 1, 2, 3, 5, 8, 9, 15, 17}) {
    for (const Index beside : {-1, 0, 1}) {
      if (vectors * lanes + beside > 0) list.push_back(vectors * lanes + beside);
    }
  }
  return list;
}

/// Offsets in no order, some of them equal: runs of one source overlap.
std::vector<Index> offsets_of(Index depth, Random& random) {
  std::vector<Index> offsets;
  for (Index k = 0; k < depth; ++k) offsets.push_back(random.below(40));
  return offsets;
}

Index highest(const std::vector<Index>& offsets) {
  return offsets.empty() ? 0 : *std::max_element(offsets.begin(), offsets.end());
}

/// c[i, q] of every line = or += sum over k of a[k, i] * source[offsets[k] + q]
template <class T>
struct Few {
  Index rows, depth, count, lines, source_line, c_row, c_line;
  std::vector<Index> offsets;
  Buffer<T> a, source;

  Few(Index rows_, Index depth_, Index count_, Index lines_, Index read, Random& random)
      : rows(rows_),
        depth(depth_),
        count(count_),
        lines(lines_),
        source_line(count + 2),
        c_row(lines * (count + 67)),
        c_line(count + 67),
        offsets(offsets_of(depth, random)),
        a(depth * rows, random),
        source(depth == 0 ? 0 : highest(offsets) + (lines - 1) * source_line + read, random) {}

  /// What c should be within the counts; the rest stays as it is.
  void add(Buffer<T>& c, bool overwrite) const {
    for (Index i = 0; i < rows; ++i) {
      for (Index line = 0; line < lines; ++line) {
        for (Index q = 0; q < count; ++q) {
          T& element = c[i * c_row + line * c_line + q];
          if (overwrite) element = T(0);
          for (Index k = 0; k < depth; ++k) {
            element += a[k * rows + i] * source[offsets[static_cast<std::size_t>(k)] + line * source_line + q];
          }
        }
      }
    }
  }
};

}  // namespace

TEMPLATE_TEST_CASE("A few rows of filters times a stencil are written, or added, in lines of whole vectors", "", float,
                   double) {
  using T = TestType;
  Random random(1);
  for (const auto& [set, k] : test::kernel_sets<T>()) {
    for (Index rows = 1; rows <= k.most_few_rows; ++rows) {
      for (const Index count : counts(k.lanes)) {
        const Index depth = random.below(10), lines = 1 + random.below(3), whole = whole_vectors(count, k.lanes);
        CAPTURE(set, rows, count, depth, lines);
        const Few<T> few(rows, depth, count, lines, whole, random);
        Buffer<T> c(rows * few.c_row), expected = c;
        for (const bool overwrite : {true, false}) {
          k.few_rows[rows - 1](depth, few.a.data(), few.source.data(), few.offsets.data(), count, lines,
                               few.source_line, c.data(), few.c_row, few.c_line, overwrite, false);
          few.add(expected, overwrite);
          CAPTURE(overwrite);
          Buffer<T> within = c;  // what is written past a count ends with the vector, and is no one's
          for (Index i = 0; i < rows; ++i) {
            for (Index line = 0; line < lines; ++line) {
              T* const rest = within.data() + i * few.c_row + line * few.c_line + count;
              std::fill_n(rest, whole - count, std::numeric_limits<T>::quiet_NaN());
            }
          }
          CHECK(differences(within, expected) == 0);
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("Where the lines must be kept to exactly, nothing past a count is read or written", "", float,
                   double) {
  using T = TestType;
  Random random(2);
  for (const auto& [set, k] : test::kernel_sets<T>()) {
    for (Index rows = 1; rows <= k.most_few_rows; ++rows) {
      for (const Index count : counts(k.lanes)) {
        if (count < k.lanes) continue;
        const Index depth = random.below(10), lines = 1 + random.below(3);
        CAPTURE(set, rows, count, depth, lines);
        const Few<T> few(rows, depth, count, lines, count, random);
        Buffer<T> c(rows * few.c_row), expected = c;
        k.few_rows[rows - 1](depth, few.a.data(), few.source.data(), few.offsets.data(), count, lines, few.source_line,
                             c.data(), few.c_row, few.c_line, true, true);
        few.add(expected, true);
        CHECK(differences(c, expected) == 0);
      }
    }
  }
}

TEMPLATE_TEST_CASE("Dots are the partial sums of the products of rows with the stretches under the taps, lane by lane",
                   "", float, double) {
  using T = TestType;
  Random random(3);
  for (const auto& [set, k] : test::kernel_sets<T>()) {
    for (const bool one : {true, false}) {
      const Index rows = one ? 1 : 4, taps = one ? k.taps_of_one : k.taps_of_four, L = k.lanes;
      for (const Index count : counts(L)) {
        CAPTURE(set, rows, count);
        const Index whole = whole_vectors(count, L), dy_row = whole + 3, sums_row = taps * L + 5;
        const auto offsets = offsets_of(taps, random);
        Buffer<T> dy((rows - 1) * dy_row + whole, random);
        for (Index i = 0; i < rows; ++i) std::fill_n(dy.data() + i * dy_row + count, whole - count, T(0));
        const Buffer<T> source(highest(offsets) + whole, random);
        Buffer<T> sums(rows * sums_row), expected = sums;
        for (const bool overwrite : {true, false}) {
          (one ? k.dots_one : k.dots_four)(count, dy.data(), dy_row, source.data(), offsets.data(), sums.data(),
                                           sums_row, overwrite);
          for (Index i = 0; i < rows; ++i) {
            for (Index t = 0; t < taps; ++t) {
              T* const sum = expected.data() + i * sums_row + t * L;
              if (overwrite) std::fill_n(sum, L, T(0));
              for (Index q = 0; q < count; ++q) {
                sum[q % L] += dy[i * dy_row + q] * source[offsets[static_cast<std::size_t>(t)] + q];
              }
            }
          }
          CAPTURE(overwrite);
          CHECK(differences(sums, expected) == 0);
        }
      }
    }
  }
}
