// SPDX-License-Identifier: MIT
// What col2im adds to must be writable.
// expected: WritableTensorOfRank
#include <unfold/lowering/col2im.hpp>

#ifdef WRONG
void f(const unfold::Tensor<float, 4>& dx, const unfold::Conv2DOptions& options, const Eigen::MatrixXf& m) {
#else
void f(unfold::Tensor<float, 4>& dx, const unfold::Conv2DOptions& options, const Eigen::MatrixXf& m) {
#endif
  col2im(dx, options) += m;
}
