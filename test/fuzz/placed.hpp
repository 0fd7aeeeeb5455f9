// SPDX-License-Identifier: MIT
// Placed: a tensor that lies in memory in one of several ways, the gaps filled with NaN, so that a read of a gap shows
// in the result and a write to one afterwards.
#pragma once

#include "fuzz/geometry_case.hpp"

#include "support/fill.hpp"

namespace unfold::test {

template <class T>
class Placed {
 public:
  /// NaN throughout.
  Placed(const Shape<4>& shape, Lying lying) {
    Shape<4> stride;
    Index step = lying == Lying::every_second ? 2 : 1;
    for (const int axis : lying == Lying::channels_last ? std::array{1, 3, 2, 0} : std::array{3, 2, 1, 0}) {
      stride[axis] = step;
      step *= shape[axis] + (lying == Lying::part_of_wider ? 1 : 0);
    }
    memory_ = poisoned<T>(Shape<1>{step + 1});
    view_ = TensorView<T, 4>(memory_.data() + 1, shape, stride);  // off every alignment but T's
  }

  Placed(const Tensor<double, 4>& values, Lying lying) : Placed(values.shape(), lying) { copy_into(view_, values); }

  TensorView<T, 4> view() { return view_; }
  TensorView<const T, 4> view() const { return view_; }

  /// Whether no element but the tensor's own was written.
  bool gaps_are_untouched() const {
    Index written = 0;
    for (Index i = 0; i < memory_.size(); ++i) written += memory_(i) == memory_(i) ? 1 : 0;
    return written <= view_.size();
  }

 private:
  Tensor<T, 1> memory_;
  TensorView<T, 4> view_;
};

}  // namespace unfold::test
