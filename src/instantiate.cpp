// SPDX-License-Identifier: MIT
// The library unfold-instances: what <unfold/instances.hpp> declares, compiled for float and double.
#include <unfold/instances.hpp>

namespace unfold {

template class Conv2D<float>;
template class Conv2D<double>;
template class Dense<float>;
template class Dense<double>;
template class BatchNormalization<float>;
template class BatchNormalization<double>;
template class MaxPool2D<float>;
template class MaxPool2D<double>;
template class AvgPool2D<float>;
template class AvgPool2D<double>;
template class SoftmaxCrossEntropy<float>;
template class SoftmaxCrossEntropy<double>;

namespace engine {

template void multiply_patches(Strided<const float>, Patches<const float>, Patches<float>, float, bool);
template void multiply_patches(Strided<const double>, Patches<const double>, Patches<double>, double, bool);
template void multiply_patches_transposed(Patches<const float>, Patches<const float>, Strided<float>, float, bool);
template void multiply_patches_transposed(Patches<const double>, Patches<const double>, Strided<double>, double, bool);
template void add_patches(Strided<const float>, Patches<const float>, Patches<float>);
template void add_patches(Strided<const double>, Patches<const double>, Patches<double>);

}  // namespace engine
}  // namespace unfold
