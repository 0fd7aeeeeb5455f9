// SPDX-License-Identifier: MIT
// Flatten<T>: the step from images to rows for Dense. Both ways a view: nothing is copied.
// takes x [N, C, H, W] -> gives y [N, C*H*W]; takes dy -> gives dx.
#pragma once

#include <unfold/core/eigen_map.hpp>
#include <unfold/nn/layer.hpp>

#include <optional>

namespace unfold {

/// The elements of each image in one row.
///
/// Shape   x [N, C, H, W]  ->  y [N, C*H*W]
/// Writes  nothing: y is a view of x, and dx a view of dy
/// Errors  ShapeError if the elements of an image of x do not lie in one stride, or dy is not [N, C*H*W];
///         StateError if backward follows no training forward
template <class T>
class Flatten {
 public:
  using value_type = T;

  TensorView<const T, 2> forward(TensorView<const T, 4> x, Mode mode = Mode::training) {
    const Index stride = detail::merged_stride("Flatten::forward", x.shape(), x.strides(), 1);
    x_shape_.reset();
    if (mode == Mode::training) x_shape_ = x.shape();
    return {x.data(), Shape<2>{x.shape(0), detail::inner_size(x.shape())}, Shape<2>{x.stride(0), stride}};
  }
  TensorView<const T, 2> forward(Tensor<T, 4>&& temporary, Mode = Mode::training) = delete;
  TensorView<const T, 2> forward(const Tensor<T, 4>&& temporary, Mode = Mode::training) = delete;

  TensorView<const T, 4> backward(TensorView<const T, 2> dy, InputGradient = InputGradient::compute) const {
    const Shape<4>& x = detail::after_forward(x_shape_, "Flatten::backward");
    const Shape<2> rows{x[0], detail::inner_size(x)};
    if (dy.shape() != rows) detail::fail("Flatten::backward", "dy must be " + to_string(rows), to_string(dy.shape()));
    const Index step = dy.stride(1);
    return {dy.data(), x, Shape<4>{dy.stride(0), x[2] * x[3] * step, x[3] * step, step}};
  }
  TensorView<const T, 4> backward(Tensor<T, 2>&& temporary, InputGradient = InputGradient::compute) const = delete;
  TensorView<const T, 4> backward(const Tensor<T, 2>&& temporary,
                                  InputGradient = InputGradient::compute) const = delete;

 private:
  std::optional<Shape<4>> x_shape_;  // of the last training forward
};

}  // namespace unfold
