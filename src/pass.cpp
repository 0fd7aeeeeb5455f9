// SPDX-License-Identifier: MIT
#include "pass.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace unfold::program {

Pass::Pass(Index n) : order_(static_cast<std::size_t>(n)) { std::iota(order_.begin(), order_.end(), Index{0}); }

Pass::Pass(Index n, Index most, Random& random) : Pass(n) {
  // Fisher and Yates: the last of those left changes places with any of them.
  for (Index left = n; left > 1; --left) {
    std::swap(order_[static_cast<std::size_t>(left - 1)], order_[static_cast<std::size_t>(random.below(left))]);
  }
  for (Index i = 0; i < n; ++i) {
    const Index down = random.below(2 * most + 1) - most;
    const Index right = random.below(2 * most + 1) - most;
    shifts_.push_back({down, right});
  }
}

Batch Pass::batch(Index begin, Index count) const {
  const auto first = static_cast<std::size_t>(begin);
  const std::size_t n = std::min(static_cast<std::size_t>(count), order_.size() - first);
  if (shifts_.empty()) return {std::span(order_).subspan(first, n), {}};
  return {std::span(order_).subspan(first, n), std::span(shifts_).subspan(first, n)};
}

}  // namespace unfold::program
