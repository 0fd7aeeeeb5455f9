// SPDX-License-Identifier: MIT
// How far a convolution and its gradients may be from the true sums: terms * epsilon * S per element,
// which holds for every order of summation, fused or not (S: the sum of the magnitudes of the terms).
#pragma once

#include "support/fill.hpp"

#include <unfold/verify/reference.hpp>

#include <limits>

namespace unfold::test {

/// terms * epsilon(T) * S, element by element.
template <class T, class M, int Rank>
Tensor<M, Rank> rounding_bound(Index terms, Tensor<M, Rank> S) {
  const M factor = static_cast<M>(terms) * static_cast<M>(std::numeric_limits<T>::epsilon());
  for (Index i = 0; i < S.size(); ++i) S.data()[i] *= factor;
  return S;
}

struct ConvolutionBounds {
  Tensor<double, 4> y, dx, dw;
  Tensor<double, 1> db;
};

/// The bounds of sums in T. `more` terms are counted on top: 2 where the inputs were rounded to T first.
template <class T>
ConvolutionBounds convolution_bounds(const ConvolutionData<double>& data, const Conv2DOptions& options,
                                     Index more = 0) {
  const auto g = conv2d_geometry("test::convolution_bounds", options, data.x.shape());
  const auto x = reference::magnitude(data.x), w = reference::magnitude(data.w), dy = reference::magnitude(data.dy);
  ConvolutionBounds S{Tensor<double, 4>(g.y_shape()), Tensor<double, 4>(g.x_shape()), Tensor<double, 4>(g.w_shape()),
                      Tensor<double, 1>({g.OC})};
  reference::conv2d_forward(x, w, options, S.y);
  if (options.bias) reference::add_bias(reference::magnitude(data.b), S.y);
  reference::conv2d_backward_input(dy, w, options, S.dx);
  reference::conv2d_backward_weights(x, dy, options, S.dw);
  reference::bias_gradient(dy, S.db);
  return {rounding_bound<T>(g.K() + (options.bias ? 1 : 0) + more, S.y),
          rounding_bound<T>(g.OC / g.G * g.KH * g.KW + more, S.dx), rounding_bound<T>(g.P() + more, S.dw),
          rounding_bound<T>(g.P() + more, S.db)};
}

}  // namespace unfold::test
