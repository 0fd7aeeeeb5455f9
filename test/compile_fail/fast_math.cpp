// SPDX-License-Identifier: MIT
// Options that take NaN away from the checks and regroup sums are refused in words, not obeyed.
// refused with: -ffast-math
// refused with: -Ofast
// refused with: -ffinite-math-only
// expected: unfold needs IEEE arithmetic: compile without -ffast-math
#include <unfold/core/error.hpp>
