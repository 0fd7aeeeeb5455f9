// SPDX-License-Identifier: MIT
// With two.cpp: two translation units that include everything link into one program. Its compile
// command is also where the structure tests read how a user of unfold is compiled.
#include <unfold/unfold.hpp>

unfold::Index size_from_two();  // NOLINT(misc-use-internal-linkage): it is in two.cpp

// NOLINTNEXTLINE(bugprone-exception-escape): that would be a failure, and is one
int main() {
  const unfold::Tensor<float, 2> x({2, 3});
  return x.size() == size_from_two() ? 0 : 1;
}
