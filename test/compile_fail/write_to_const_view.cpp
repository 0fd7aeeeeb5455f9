// SPDX-License-Identifier: MIT
// A view of constant elements is not written through.
// expected by gcc: assignment of read-only location
// expected by clang: returns a const value
#include <unfold/core/view.hpp>

void f(unfold::TensorView<const float, 2> x, unfold::TensorView<float, 2> y) {
#ifdef WRONG
  x(0, 0) = 1;
#else
  y(0, 0) = x(0, 0);
#endif
}
