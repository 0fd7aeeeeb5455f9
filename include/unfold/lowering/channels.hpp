// SPDX-License-Identifier: MIT
// channels: an image batch as a matrix, one row a channel, one column a pixel of the batch.
// takes y [N, OC, OH, OW] -> gives an Eigen expression [OC/G, P] over y's own memory, read and assign.
#pragma once

#include <unfold/core/eigen_map.hpp>

#include <Eigen/Core>

#include <algorithm>  // std::max

namespace unfold {

namespace detail {

/// Axis 1 of a [N, C, H, W] view cut down to the channels of one group.
/// Errors: ShapeError unless `groups` divides C and 0 <= group < groups.
template <class T>
TensorView<T, 4> group_channels(const char* function, const TensorView<T, 4>& view, Index groups, Index group) {
  if (groups < 1 || view.shape(1) % groups != 0) {
    fail(function, "groups must divide the channels", std::to_string(groups) + " for " + to_string(view.shape()));
  }
  if (group < 0 || group >= groups) {
    fail(function, "group must be in [0, " + std::to_string(groups) + ")", std::to_string(group));
  }
  const Index channels = view.shape(1) / groups;
  return view.slice(1, group * channels, channels);
}

/// Index lists for Eigen's indexed views: every row, and for each pixel its offset within a channel.
struct EveryRow {
  Index rows;
  Index size() const { return rows; }
  Index operator[](Index i) const { return i; }
};
struct PixelOffset {
  Index N, OH, OW;
  Shape<4> stride;
  Index size() const { return N * OH * OW; }
  Index operator[](Index pixel) const {
    const Index n = pixel / (OH * OW), oh = pixel / OW % OH, ow = pixel % OW;
    return n * stride[0] + oh * stride[2] + ow * stride[3];
  }
};

/// One row a channel, wide enough for every pixel offset: the rows overlap where N > 1.
template <class T>
using ChannelRows = Eigen::Map<AsConstAs<T, RowMajorMatrix<T>>, Eigen::Unaligned, Eigen::OuterStride<Eigen::Dynamic>>;

template <class T>
using ChannelsExpression = Eigen::IndexedView<ChannelRows<T>, EveryRow, PixelOffset>;

/// Whether a product writes its result into any view by itself; Eigen's own needs a matrix in memory.
template <class E>
struct WritesAnyView : std::false_type {};

}  // namespace detail

/// What channels(y) gives: one of Eigen's indexed views, an expression [OC/G, P] over y's memory.
/// Read-only where T is const; assignment writes the elements of y.
template <class T>
class Channels : public detail::ChannelsExpression<T> {
 public:
  using Base = detail::ChannelsExpression<T>;
  using Base::Base;

  template <class E>
    requires(!std::is_const_v<T>)
  Channels& operator=(const Eigen::DenseBase<E>& e) {
    Base::operator=(e);
    return *this;
  }

  /// The view as the destination of an expression that does not read it. Products with im2col go
  /// straight to y's memory; the result of any other product is copied once.
  class NoAlias {
   public:
    explicit NoAlias(Base& view) : view_(view) {}
    template <class E>
    // NOLINTNEXTLINE(misc-unconventional-assign-operator): gives the destination, as Eigen's NoAlias does
    Base& operator=(const Eigen::MatrixBase<E>& e) {
      if constexpr (detail::WritesAnyView<E>::value) return view_.noalias() = e.derived();
      return view_ = e.derived();
    }
    template <class E>
    Base& operator+=(const Eigen::MatrixBase<E>& e) {
      if constexpr (detail::WritesAnyView<E>::value) return view_.noalias() += e.derived();
      return view_ += e.derived();
    }
    template <class E>
    Base& operator-=(const Eigen::MatrixBase<E>& e) {
      if constexpr (detail::WritesAnyView<E>::value) return view_.noalias() -= e.derived();
      return view_ -= e.derived();
    }

   private:
    Base& view_;
  };
  NoAlias noalias() { return NoAlias(*this); }
};

/// The channels-by-pixels matrix of y, or of one group of its channels.
///
///   Y(oc, pixel) = y[n, oc, oh, ow],   oc counted within the group,   pixel = (n*OH + oh)*OW + ow
///
/// Shape   y [N, OC, OH, OW]  ->  [OC/G, P]
/// Writes  nothing itself; assigning to the view writes y, which must stay alive while it is used
/// Errors  ShapeError unless `groups` divides OC and 0 <= group < groups
template <TensorOfRank<4> Y>
auto channels(Y&& y, Index groups = 1, Index group = 0) {
  using View = std::conditional_t<WritableTensorOfRank<Y, 4>, WritableView<Y>, ReadableView<Y>>;
  const View part = detail::group_channels("channels", View(y), groups, group);
  using T = std::remove_reference_t<decltype(*part.data())>;
  const detail::PixelOffset pixels{part.shape(0), part.shape(2), part.shape(3), part.strides()};
  const Index width = pixels.size() == 0 ? 0 : std::max<Index>(0, pixels[pixels.size() - 1] + 1);  // of the row's map
  detail::ChannelRows<T> rows(part.data(), part.shape(1), width, Eigen::OuterStride<Eigen::Dynamic>(part.stride(1)));
  return Channels<T>(rows, detail::EveryRow{part.shape(1)}, pixels);
}

}  // namespace unfold
