// SPDX-License-Identifier: MIT
// A tensor of rank 4 is not made from three sizes.
// expected by gcc: no matching function for call to 'unfold::Tensor<float, 4>::Tensor(<brace-enclosed initializer list>)'
// expected by clang: cannot convert initializer list argument to 'const Shape<4>'
#include <unfold/core/tensor.hpp>

#ifdef WRONG
const unfold::Tensor<float, 4> x({1, 2, 3});
#else
const unfold::Tensor<float, 4> x({1, 2, 3, 4});
#endif
