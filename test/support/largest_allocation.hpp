// SPDX-License-Identifier: MIT
// LargestAllocation: the largest piece of memory that operator new was asked for since it was made.
// A test program that uses it lists largest_allocation.cpp among its files.
#pragma once

#include <atomic>
#include <cstddef>

namespace unfold::test {

inline std::atomic<std::size_t> largest_allocation = 0;

struct LargestAllocation {
  LargestAllocation() { largest_allocation = 0; }
  std::size_t bytes() const { return largest_allocation; }
};

}  // namespace unfold::test
