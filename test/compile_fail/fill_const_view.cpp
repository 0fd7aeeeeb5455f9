// SPDX-License-Identifier: MIT
// A view of constant elements is not filled.
// expected by gcc: '!(is_const_v<T>) [with T = const float]' evaluated to 'false'
// expected by clang: because '!std::is_const_v<const float>' evaluated to false
#include <unfold/core/view.hpp>

void f(unfold::TensorView<const float, 2> x, unfold::TensorView<float, 2> y) {
#ifdef WRONG
  x.fill(1);
#else
  y.fill(x(0, 0));
#endif
}
