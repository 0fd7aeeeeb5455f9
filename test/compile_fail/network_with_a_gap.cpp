// SPDX-License-Identifier: MIT
// A convolution gives rank 4 and a dense layer takes rank 2: between them stands Flatten.
// expected: LayersOn
// expected: evaluated to
#include <unfold/nn/conv2d.hpp>
#include <unfold/nn/dense.hpp>
#include <unfold/nn/flatten.hpp>
#include <unfold/nn/sequential.hpp>

using unfold::Conv2D;
using unfold::Dense;
using unfold::Flatten;
using unfold::Sequential;

#ifdef WRONG
using Network = Sequential<Conv2D<float>, Dense<float>>;
#else
using Network = Sequential<Conv2D<float>, Flatten<float>, Dense<float>>;
#endif

void f(Network& network, const unfold::Tensor<float, 4>& x) { network.forward(x); }
