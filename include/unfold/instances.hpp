// SPDX-License-Identifier: MIT
// For short compile times: include this instead of <unfold/unfold.hpp> and link with unfold-instances,
// where the layers and the engine stand compiled for float and double. Nothing else differs.
#pragma once

#include <unfold/unfold.hpp>

namespace unfold {

extern template class Conv2D<float>;
extern template class Conv2D<double>;
extern template class Dense<float>;
extern template class Dense<double>;
extern template class BatchNormalization<float>;
extern template class BatchNormalization<double>;
extern template class MaxPool2D<float>;
extern template class MaxPool2D<double>;
extern template class AvgPool2D<float>;
extern template class AvgPool2D<double>;
extern template class SoftmaxCrossEntropy<float>;
extern template class SoftmaxCrossEntropy<double>;

namespace engine {

extern template void multiply_patches(Strided<const float>, Patches<const float>, Patches<float>, float, bool);
extern template void multiply_patches(Strided<const double>, Patches<const double>, Patches<double>, double, bool);
extern template void multiply_patches_transposed(Patches<const float>, Patches<const float>, Strided<float>, float,
                                                 bool);
extern template void multiply_patches_transposed(Patches<const double>, Patches<const double>, Strided<double>, double,
                                                 bool);
extern template void add_patches(Strided<const float>, Patches<const float>, Patches<float>);
extern template void add_patches(Strided<const double>, Patches<const double>, Patches<double>);

}  // namespace engine
}  // namespace unfold
