// SPDX-License-Identifier: MIT
// One pass over a set of images: their order, how each is moved, and the batches it is cut into.
#pragma once

#include "dataset.hpp"

#include <unfold/core/random.hpp>

#include <vector>

namespace unfold::program {

class Pass {
 public:
  /// Images [0, n) as they stand.
  explicit Pass(Index n);

  /// Images [0, n) in an order drawn from `random`, every order as likely, each moved by up to `most` pixels each way.
  Pass(Index n, Index most, Random& random);

  /// Images [begin, begin + count) of the order, as far as there are so many. The pass must outlive it.
  Batch batch(Index begin, Index count) const;

 private:
  std::vector<Index> order_;
  std::vector<Shift> shifts_;  // of order_, or empty for none
};

}  // namespace unfold::program
