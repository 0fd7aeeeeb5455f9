// SPDX-License-Identifier: MIT
// Where a training stands: with its options, the data, and the network's tensors, all that it takes to go on.
#pragma once

#include "metadata.hpp"
#include "network.hpp"

#include <cstdint>

namespace unfold::program {

struct TrainingState {
  Index epoch = 0;              // epochs done
  Index batch = 0;              // batches done of the next one
  Score score{};                // sums over these batches
  std::uint64_t generator = 0;  // the state from which the next epoch's order of images is drawn
  std::uint32_t data = 0;       // Dataset::fingerprint
};

void write_state(const TrainingState& state, Metadata& metadata);

/// Errors  FormatError if a value is missing, unreadable or negative; `file` is named in it
TrainingState read_state(const Metadata& metadata, const std::string& file);

}  // namespace unfold::program
