// SPDX-License-Identifier: MIT
// Allocations: what memory the program asked for since it was made: by operator new, and by malloc and its kin called
// in the program's own files, whose headers are the library's and Eigen's. A test program that uses it lists
// allocations.cpp among its files and is linked with --wrap for each function of the malloc family named there.
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

}  // namespace unfold::test
