// SPDX-License-Identifier: MIT
// See one.cpp.
#include <unfold/unfold.hpp>

unfold::Index size_from_two() { return unfold::Tensor<float, 2>({2, 3}).size(); }
