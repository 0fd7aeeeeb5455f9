// SPDX-License-Identifier: MIT
// A tensor of rank 4 is not indexed by two numbers.
// expected by gcc: 'sizeof ... (I ...) == Rank [with Rank = 4; I = {int, int}]' evaluated to 'false'
// expected by clang: because 'sizeof...(I) == 4' (2 == 4) evaluated to false
#include <unfold/core/tensor.hpp>

float f(const unfold::Tensor<float, 4>& x) {
#ifdef WRONG
  return x(1, 2);
#else
  return x(1, 2, 3, 4);
#endif
}
