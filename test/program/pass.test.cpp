// SPDX-License-Identifier: MIT
#include "pass.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <map>
#include <vector>

namespace unfold::program {
namespace {

std::vector<Index> order_of(const Pass& pass, Index n) {
  const Batch all = pass.batch(0, n);
  return {all.which.begin(), all.which.end()};
}

TEST_CASE("a plain pass takes the images as they stand, none moved") {
  const Pass pass(5);
  CHECK(order_of(pass, 5) == std::vector<Index>{0, 1, 2, 3, 4});
  CHECK(pass.batch(0, 5).shifts.empty());
}

TEST_CASE("the batches of a pass are its order cut in pieces, the last one smaller") {
  Random random(1);
  const Pass pass(7, 2, random);
  std::vector<Index> joined;
  for (const Index begin : {0, 3, 6}) {
    const Batch batch = pass.batch(begin, 3);
    CHECK(batch.size() == (begin == 6 ? 1 : 3));
    CHECK(batch.shifts.size() == batch.which.size());
    joined.insert(joined.end(), batch.which.begin(), batch.which.end());
  }
  CHECK(joined == order_of(pass, 7));
  std::sort(joined.begin(), joined.end());
  CHECK(joined == std::vector<Index>{0, 1, 2, 3, 4, 5, 6});
}

TEST_CASE("a pass is drawn from the generator: the same again from the same state, another one from the next") {
  Random random(3);
  const std::uint64_t state = random.state();
  const auto first = order_of(Pass(100, 1, random), 100), second = order_of(Pass(100, 1, random), 100);
  CHECK(first != second);
  random.set_state(state);
  CHECK(order_of(Pass(100, 1, random), 100) == first);
  random.set_state(state + 1);
  CHECK(order_of(Pass(100, 1, random), 100) != first);
}

TEST_CASE("every order of four images is drawn about as often") {
  Random random(5);
  std::map<std::vector<Index>, Index> count;
  constexpr Index draws = 24'000;  // 1,000 each; binomial, standard deviation below 32
  for (Index i = 0; i < draws; ++i) ++count[order_of(Pass(4, 0, random), 4)];
  CHECK(count.size() == 24);
  for (const auto& [order, n] : count) CHECK((n > 1000 - 6 * 32 && n < 1000 + 6 * 32));
}

TEST_CASE("every shift within the bound is drawn, none beyond it") {
  Random random(7);
  const Pass pass(2000, 2, random);
  std::map<std::pair<Index, Index>, Index> count;
  for (const Shift& shift : pass.batch(0, 2000).shifts) ++count[{shift.down, shift.right}];
  CHECK(count.size() == 25);
  for (const auto& [shift, n] : count) {
    CHECK(std::max(std::abs(shift.first), std::abs(shift.second)) <= 2);
  }
  const Pass still(100, 0, random);
  for (const Shift& shift : still.batch(0, 100).shifts) CHECK((shift.down == 0 && shift.right == 0));
}

}  // namespace
}  // namespace unfold::program
