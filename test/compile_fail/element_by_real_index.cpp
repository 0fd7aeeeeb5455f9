// SPDX-License-Identifier: MIT
// An index is an integer.
// expected by gcc: '(... && integral<I>) [with I = {int, double}]' evaluated to 'false'
// expected by clang: because 'double' does not satisfy 'integral'
#include <unfold/core/view.hpp>

float f(unfold::TensorView<const float, 2> x) {
#ifdef WRONG
  return x(1, 2.0);
#else
  return x(1, 2);
#endif
}
