// SPDX-License-Identifier: MIT
// A tensor has at least one axis.
// expected by gcc: 'Rank >= 1 [with Rank = 0]' evaluated to 'false'
// expected by clang: because '0 >= 1' (0 >= 1) evaluated to false
#include <unfold/core/tensor.hpp>

#ifdef WRONG
using Scalar = unfold::Tensor<float, 0>;
#else
using Scalar = unfold::Tensor<float, 1>;
#endif
Scalar f() { return {}; }
