// SPDX-License-Identifier: MIT
// A constant tensor gives no view that writes.
// expected: 'const unfold::Tensor<float, 2>'
// expected: 'unfold::TensorView<float, 2>'
#include <unfold/core/tensor.hpp>

#ifdef WRONG
unfold::TensorView<float, 2> f(const unfold::Tensor<float, 2>& x) { return x; }
#else
unfold::TensorView<const float, 2> f(const unfold::Tensor<float, 2>& x) { return x; }
#endif
