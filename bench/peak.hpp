// SPDX-License-Identifier: MIT
// A loop of nothing but multiply-adds in registers: what the machine could do at this moment.
#pragma once

#include <functional>

namespace unfold::bench {

struct Peak {
  std::function<void()> run;
  double operations;  // of one call, two a multiply-add
};

/// The best instruction set of the machine, on one thread.
template <class T>
Peak fma_peak();

}  // namespace unfold::bench
