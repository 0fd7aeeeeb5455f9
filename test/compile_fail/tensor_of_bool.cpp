// SPDX-License-Identifier: MIT
// A tensor holds elements with an address, which bool in a std::vector has not.
// expected by gcc: bool>) [with T = bool]' evaluated to 'false'
// expected by clang: because 'bool' does not satisfy 'Element'
#include <unfold/core/tensor.hpp>

#ifdef WRONG
const unfold::Tensor<bool, 1> mask({3});
#else
const unfold::Tensor<unsigned char, 1> mask({3});
#endif
