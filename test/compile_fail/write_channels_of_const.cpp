// SPDX-License-Identifier: MIT
// The channels of a constant tensor are read only.
// expected by gcc: '!(is_const_v<T>) [with T = const float]' evaluated to 'false'
// expected by clang: '!std::is_const_v<const float>' evaluated to false
#include <unfold/lowering/channels.hpp>

#ifdef WRONG
void f(const unfold::Tensor<float, 4>& y, const Eigen::MatrixXf& m) {
#else
void f(unfold::Tensor<float, 4>& y, const Eigen::MatrixXf& m) {
#endif
  channels(y) = m;
}
