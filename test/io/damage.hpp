// SPDX-License-Identifier: MIT
// What a reader must survive: a small valid file cut off at every byte, with every bit flipped, and with
// pieces of it overwritten at random.
#pragma once

#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/largest_allocation.hpp"

#include <unfold/core/random.hpp>

#include <string>

namespace unfold::test {

/// Calls read(bytes) for damaged copies of `file`. It may throw FormatError and nothing else, and asks
/// for no more memory than `memory` bytes at once. A reader's own checks of what it has read are its caller's.
template <class Read>
void check_survives(const std::string& file, std::size_t memory, Read&& read) {
  Index refused = 0;
  Index cases = 0;
  const auto attempt = [&](const std::string& damaged) {
    ++cases;
    const LargestAllocation largest;
    try {
      read(damaged);
    } catch (const FormatError&) {
      ++refused;
    }
    if (largest.bytes() > memory) FAIL("asked for " << largest.bytes() << " bytes at once");
  };

  read(file);  // whole, it is read
  for (std::size_t length = 0; length < file.size(); ++length) attempt(file.substr(0, length));
  CHECK(refused == cases);  // none of the beginnings is a file

  for (std::size_t bit = 0; bit < 8 * file.size(); ++bit) {
    std::string damaged = file;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    attempt(damaged);
  }

  Random random(1);
  for (int i = 0; i < 5000; ++i) {
    std::string damaged = file;
    for (Index piece = 1 + random.below(3); piece > 0; --piece) {
      const auto size = static_cast<Index>(damaged.size());
      const Index length = random.below(8);
      const auto from = static_cast<std::size_t>(random.below(size - 8));
      const auto to = static_cast<std::size_t>(random.below(size - 8));
      const std::string copied = damaged.substr(from, static_cast<std::size_t>(length));
      if (random.below(2) == 0) {
        damaged.replace(to, copied.size(), copied);  // same length
      } else {
        damaged.insert(to, copied);
      }
    }
    attempt(damaged);
  }
  CHECK(refused > cases / 2);
}

}  // namespace unfold::test
