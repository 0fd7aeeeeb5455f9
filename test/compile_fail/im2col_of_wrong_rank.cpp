// SPDX-License-Identifier: MIT
// The patches of an image batch, not of one image.
// expected: TensorOfRank
// expected by gcc: '(unfold::detail::AsTensor<typename std::remove_reference<_Tp>::type>::rank == Rank)' is not satisfied
// expected by clang: (3 == 4) evaluated to false
#include <unfold/lowering/im2col.hpp>

Eigen::MatrixXf f(const unfold::Tensor<float, 4>& x, const unfold::Conv2DOptions& options) {
#ifdef WRONG
  return im2col(x[0], options);
#else
  return im2col(x.slice(0, 0, 1), options);
#endif
}
