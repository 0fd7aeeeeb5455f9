// SPDX-License-Identifier: MIT
// The measuring: google-benchmark runs all contenders of a case once, in random order, and that again and again.
// takes things to call -> gives the least time of one call of each.
#pragma once

#include <functional>
#include <vector>

namespace unfold::bench {

struct Measured {
  double seconds;  // of one call: the least over the rounds
  int rounds;      // in how many it took part
};

/// Each has been called before, so that it is warm. Rounds until `seconds` have passed, and at least three. What takes
/// more than a quarter of them takes part in the first alone. On one thread the clock is that thread's processor time:
/// other processes of the machine then count only by what they do to the caches and the clock rate. On several it is
/// the wall's.
///
/// Errors  std::runtime_error if, on one thread, something ran on other threads too: that clock would not have seen it
std::vector<Measured> least_times(const std::vector<std::function<void()>>& runs, int threads, double seconds);

}  // namespace unfold::bench
