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
template void sgd_step(Parameter<float, 1>&, const SgdArgs&, double, WeightDecay);
template void sgd_step(Parameter<float, 2>&, const SgdArgs&, double, WeightDecay);
template void sgd_step(Parameter<float, 4>&, const SgdArgs&, double, WeightDecay);
template void sgd_step(Parameter<double, 1>&, const SgdArgs&, double, WeightDecay);
template void sgd_step(Parameter<double, 2>&, const SgdArgs&, double, WeightDecay);
template void sgd_step(Parameter<double, 4>&, const SgdArgs&, double, WeightDecay);
template void activation_gradient(Activation, const float*, const float*, float*, Index);
template void activation_gradient(Activation, const double*, const double*, double*, Index);

namespace detail {

template void activate_biased(const char*, Activation, const float*, const float&, float*, Index);
template void activate_biased(const char*, Activation, const double*, const double&, double*, Index);

}  // namespace detail

namespace engine {

template Index groups_at_once<float>(const Conv2DGeometry&);
template Index groups_at_once<double>(const Conv2DGeometry&);
template void forward(const Strided<const float>&, Index, const Patches<const float>&, const Batch<float>&, float,
                      bool);
template void forward(const Strided<const double>&, Index, const Patches<const double>&, const Batch<double>&, double,
                      bool);
template void weight_gradient(const Batch<const float>&, Index, const Patches<const float>&, const Strided<float>&,
                              float, bool);
template void weight_gradient(const Batch<const double>&, Index, const Patches<const double>&, const Strided<double>&,
                              double, bool);
template void input_gradient(const Strided<const float>&, const Batch<const float>&, Index, const Patches<float>&,
                             bool);
template void input_gradient(const Strided<const double>&, const Batch<const double>&, Index, const Patches<double>&,
                             bool);

}  // namespace engine
}  // namespace unfold
