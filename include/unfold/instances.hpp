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
extern template void sgd_step(Parameter<float, 1>&, const SgdArgs&, double, WeightDecay);
extern template void sgd_step(Parameter<float, 2>&, const SgdArgs&, double, WeightDecay);
extern template void sgd_step(Parameter<float, 4>&, const SgdArgs&, double, WeightDecay);
extern template void sgd_step(Parameter<double, 1>&, const SgdArgs&, double, WeightDecay);
extern template void sgd_step(Parameter<double, 2>&, const SgdArgs&, double, WeightDecay);
extern template void sgd_step(Parameter<double, 4>&, const SgdArgs&, double, WeightDecay);
extern template void activation_gradient(Activation, const float*, const float*, float*, Index);
extern template void activation_gradient(Activation, const double*, const double*, double*, Index);

namespace detail {

extern template void activate_biased(const char*, Activation, const float*, const float&, float*, Index);
extern template void activate_biased(const char*, Activation, const double*, const double&, double*, Index);

}  // namespace detail

namespace engine {

extern template Index groups_at_once<float>(const Conv2DGeometry&);
extern template Index groups_at_once<double>(const Conv2DGeometry&);
extern template void forward(const Strided<const float>&, Index, const Patches<const float>&, const Batch<float>&,
                             float, bool);
extern template void forward(const Strided<const double>&, Index, const Patches<const double>&, const Batch<double>&,
                             double, bool);
extern template void weight_gradient(const Batch<const float>&, Index, const Patches<const float>&,
                                     const Strided<float>&, float, bool);
extern template void weight_gradient(const Batch<const double>&, Index, const Patches<const double>&,
                                     const Strided<double>&, double, bool);
extern template void input_gradient(const Strided<const float>&, const Batch<const float>&, Index,
                                    const Patches<float>&, bool);
extern template void input_gradient(const Strided<const double>&, const Batch<const double>&, Index,
                                    const Patches<double>&, bool);

}  // namespace engine
}  // namespace unfold
