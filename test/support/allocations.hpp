// SPDX-License-Identifier: MIT
// Allocations: what memory the program asked for since it was made: by operator new, and by malloc and its kin called
// in the program's own files, whose headers are the library's and Eigen's. A test program that uses it lists
// allocations.cpp among its files and is linked with --wrap for each function of the malloc family named there.
// FailingAllocation: lets one of them fail.
#pragma once

#include <atomic>
#include <cstddef>

namespace unfold::test {

inline std::atomic<std::size_t> allocated_pieces = 0, allocated_bytes = 0;

struct Allocations {
  std::size_t pieces, bytes;
};

/// What f() asks for.
template <class F>
Allocations allocations_of(F&& f) {
  const Allocations before{allocated_pieces, allocated_bytes};
  f();
  return {allocated_pieces - before.pieces, allocated_bytes - before.bytes};
}

inline std::atomic<std::ptrdiff_t> allocations_until_failure = 0;  // 0: none fails

/// Lets the k-th allocation of the program fail, counted from 1 and from now on, to the end of the scope.
class FailingAllocation {
 public:
  explicit FailingAllocation(std::ptrdiff_t k) { allocations_until_failure = k; }
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;
  ~FailingAllocation() { allocations_until_failure = 0; }

  /// Whether there was a k-th allocation.
  bool happened() const { return allocations_until_failure <= 0; }
};

}  // namespace unfold::test
