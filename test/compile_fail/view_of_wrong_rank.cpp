// SPDX-License-Identifier: MIT
// A tensor of rank 4 is no view of rank 3.
// expected: 'unfold::Tensor<float, 4>'
// expected: 'unfold::TensorView<float, 3>'
#include <unfold/core/tensor.hpp>

#ifdef WRONG
unfold::TensorView<float, 3> f(unfold::Tensor<float, 4>& x) { return x; }
#else
unfold::TensorView<float, 3> f(unfold::Tensor<float, 4>& x) { return x[0]; }
#endif
