// SPDX-License-Identifier: MIT
// matrix() and array(): the elements of a tensor or view as Eigen maps, no copy.
// takes [D0, D1, ..., Dr] -> gives the matrix [D0, D1*...*Dr] or the flat array [D0*...*Dr].
#pragma once

#include <unfold/core/tensor.hpp>

#include <Eigen/Core>

#include <optional>

namespace unfold {

namespace detail {

/// `Plain`, const where T is.
template <class T, class Plain>
using AsConstAs = std::conditional_t<std::is_const_v<T>, const Plain, Plain>;

template <class T>
using RowMajorMatrix = Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using FlatArray = Eigen::Array<std::remove_const_t<T>, Eigen::Dynamic, 1>;

/// The one stride that walks the axes [from, Rank) in row-major order, if there is one.
template <int Rank>
std::optional<Index> common_stride(const Shape<Rank>& shape, const Shape<Rank>& stride, int from) {
  Index merged = 1;  // of the axes seen so far, innermost first
  Index next = 0;    // the stride that the next axis outwards must have; 0: no axis longer than 1 seen
  for (int d = from; d < Rank; ++d) {
    if (shape[d] == 0) return 1;  // nothing to walk
  }
  for (int d = Rank - 1; d >= from; --d) {
    if (shape[d] == 1) continue;
    if (next == 0) {
      merged = stride[d];
    } else if (stride[d] != next) {
      return std::nullopt;
    }
    next = stride[d] * shape[d];
  }
  return merged;
}

/// The same. Errors: ShapeError if no single stride walks them.
template <int Rank>
Index merged_stride(const char* function, const Shape<Rank>& shape, const Shape<Rank>& stride, int from) {
  const std::optional<Index> merged = common_stride(shape, stride, from);
  if (!merged) {
    fail(function, "axes from " + std::to_string(from) + " on must lie in one stride (copy the view first)",
         "shape " + to_string(shape) + " with strides " + to_string(stride));
  }
  return *merged;
}

template <int Rank>
Index inner_size(const Shape<Rank>& shape) {
  Index size = 1;
  for (int d = 1; d < Rank; ++d) size *= shape[d];
  return size;
}

}  // namespace detail

/// The Eigen map of a view: a matrix of axis 0 by all others, with two strides.
template <class T>
using MatrixMap = Eigen::Map<detail::AsConstAs<T, detail::RowMajorMatrix<T>>, Eigen::Unaligned,
                             Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>>;
/// The Eigen map of a view: all elements in one flat array, with one stride.
template <class T>
using ArrayMap =
    Eigen::Map<detail::AsConstAs<T, detail::FlatArray<T>>, Eigen::Unaligned, Eigen::InnerStride<Eigen::Dynamic>>;
/// The same maps of a tensor: aligned and without gaps.
template <class T>
using AlignedMatrixMap = Eigen::Map<detail::AsConstAs<T, detail::RowMajorMatrix<T>>, Eigen::Aligned64>;
template <class T>
using AlignedArrayMap = Eigen::Map<detail::AsConstAs<T, detail::FlatArray<T>>, Eigen::Aligned64>;

/// Axis 0 by the other axes in one: a [N, C, H, W] view is an N x C*H*W matrix, a vector a column.
/// Errors: ShapeError if the other axes do not lie in one stride.
template <class T, int Rank>
  requires Element<T> && (Rank >= 1)
auto TensorView<T, Rank>::matrix() const {
  const Index inner = detail::merged_stride("TensorView::matrix", shape_, stride_, 1);
  return MatrixMap<T>(data_, shape_[0], detail::inner_size(shape_),
                      Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>(stride_[0], inner));
}

/// All elements in row-major order.
/// Errors: ShapeError if they do not lie in one stride.
template <class T, int Rank>
  requires Element<T> && (Rank >= 1)
auto TensorView<T, Rank>::array() const {
  const Index step = detail::merged_stride("TensorView::array", shape_, stride_, 0);
  return ArrayMap<T>(data_, size(), Eigen::InnerStride<Eigen::Dynamic>(step));
}

template <class T, int Rank>
  requires Element<T> && (!std::is_const_v<T>) && (Rank >= 1)
auto Tensor<T, Rank>::matrix() {
  return AlignedMatrixMap<T>(data(), shape_[0], detail::inner_size(shape_));
}
template <class T, int Rank>
  requires Element<T> && (!std::is_const_v<T>) && (Rank >= 1)
auto Tensor<T, Rank>::matrix() const {
  return AlignedMatrixMap<const T>(data(), shape_[0], detail::inner_size(shape_));
}
template <class T, int Rank>
  requires Element<T> && (!std::is_const_v<T>) && (Rank >= 1)
auto Tensor<T, Rank>::array() {
  return AlignedArrayMap<T>(data(), size());
}
template <class T, int Rank>
  requires Element<T> && (!std::is_const_v<T>) && (Rank >= 1)
auto Tensor<T, Rank>::array() const {
  return AlignedArrayMap<const T>(data(), size());
}

}  // namespace unfold
