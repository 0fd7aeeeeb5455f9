// SPDX-License-Identifier: MIT
// The channels of an image batch, not of a matrix.
// expected: TensorOfRank
// expected by gcc: '(unfold::detail::AsTensor<typename std::remove_reference<_Tp>::type>::rank == Rank)' is not satisfied
// expected by clang: (2 == 4) evaluated to false
#include <unfold/lowering/channels.hpp>

#ifdef WRONG
float f(const unfold::Tensor<float, 2>& y) { return channels(y).sum(); }
#else
float f(const unfold::Tensor<float, 4>& y) { return channels(y).sum(); }
#endif
