// SPDX-License-Identifier: MIT
// A tensor of double is no view of float.
// expected: 'const unfold::Tensor<double, 2>'
// expected: 'unfold::TensorView<const float, 2>'
#include <unfold/core/tensor.hpp>

#ifdef WRONG
unfold::TensorView<const float, 2> f(const unfold::Tensor<double, 2>& x) { return x; }
#else
unfold::TensorView<const double, 2> f(const unfold::Tensor<double, 2>& x) { return x; }
#endif
