// SPDX-License-Identifier: MIT
// LargestAllocation: the largest piece of memory that operator new was asked for since it was made.
// PeakMemory: the most memory that was held at once since then, beyond what was held before.
// A test program that uses it lists largest_allocation.cpp among its files.
#pragma once

#include <atomic>
#include <cstddef>

namespace unfold::test {

inline std::atomic<std::size_t> largest_allocation = 0;

inline std::atomic<std::ptrdiff_t> memory_held = 0;
inline std::atomic<std::ptrdiff_t> most_memory_held = 0;

struct LargestAllocation {
  LargestAllocation() { largest_allocation = 0; }
  std::size_t bytes() const { return largest_allocation; }
};

struct PeakMemory {
  PeakMemory() : before(memory_held) { most_memory_held = before; }
  std::ptrdiff_t bytes() const { return most_memory_held - before; }
  std::ptrdiff_t before;
};

}  // namespace unfold::test
