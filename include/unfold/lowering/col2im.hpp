// SPDX-License-Identifier: MIT
// col2im: the adjoint of im2col, a view to which a K x P matrix is added.
// takes dx [N, IC, IH, IW] -> gives a [K, P] view with += over dx's own memory. See docs/02_im2col.md.
#pragma once

#include <unfold/lowering/im2col.hpp>

#include <utility>  // std::exchange

namespace unfold {

/// What col2im(dx) gives: each entry (tap, pixel) of what is added goes to the element of dx from which
/// im2col reads (tap, pixel); entries in the padding are dropped.
///
///   <im2col(x), M> = <x, dx>   after   dx = 0;  col2im(dx) += M
template <class T>
class Col2Im {
 public:
  Col2Im(TensorView<T, 4> dx, const Conv2DGeometry& geometry) : dx_(dx), geometry_(geometry) {}

  Index rows() const { return geometry_.K(); }
  Index cols() const { return geometry_.P(); }

  /// Nothing: `col2im(dx).noalias() += A * B` reads as every other product. No += ever makes a copy of dx.
  const Col2Im& noalias() const { return *this; }

  /// dx += col2im(matrix).
  ///
  /// Shape   matrix [K, P]: any Eigen expression that does not read dx
  /// Errors  ShapeError if the matrix has another shape
  template <class Matrix>
  const Col2Im& operator+=(const Eigen::MatrixBase<Matrix>& matrix) const {
    check(matrix.rows(), matrix.cols());
    const typename Eigen::internal::nested_eval<Matrix, 1>::type values(matrix.derived());
    const Eigen::internal::evaluator<std::remove_cvref_t<decltype(values)>> entry(values);
    const Conv2DGeometry& g = geometry_;
    for (Index pixel = 0; pixel < cols(); ++pixel) {
      const Index n = pixel / (g.OH * g.OW), oh = pixel / g.OW % g.OH, ow = pixel % g.OW;
      for (Index tap = 0; tap < rows(); ++tap) {
        const Index ic = tap / (g.KH * g.KW), kh = tap / g.KW % g.KH, kw = tap % g.KW;
        const Index ih = oh * g.SH + kh * g.DH - g.PT;
        const Index iw = ow * g.SW + kw * g.DW - g.PL;
        if (ih >= 0 && ih < g.IH && iw >= 0 && iw < g.IW) dx_(n, ic, ih, iw) += entry.coeff(tap, pixel);
      }
    }
    return *this;
  }

  /// dx += col2im(A * B), for float and double without ever filling K x P.
  ///
  /// Shape   A [K, M], B [M, P]
  template <class A, class B, int Option>
    requires FloatOrDouble<T>
  const Col2Im& operator+=(const Eigen::Product<A, B, Option>& product) const {
    add(product, false);
    return *this;
  }

  /// The view as a sum that starts at zero: `col2im(dx).from_zero() += A * B` overwrites dx in one pass, what was there
  /// before, even NaN, is not read.
  class FromZero {
   public:
    explicit FromZero(const Col2Im& view) : view_(view) {}
    template <class Matrix>
    const Col2Im& operator+=(const Eigen::MatrixBase<Matrix>& matrix) const {
      view_.check(matrix.rows(), matrix.cols());
      view_.dx_.fill(T(0));
      return view_ += matrix;
    }
    template <class A, class B, int Option>
      requires FloatOrDouble<T>
    const Col2Im& operator+=(const Eigen::Product<A, B, Option>& product) const {
      view_.add(product, true);
      return view_;
    }
    const FromZero& noalias() const { return *this; }

   private:
    const Col2Im& view_;
  };
  FromZero from_zero() const { return FromZero(*this); }

 private:
  template <class Product>
  void add(const Product& product, bool overwrite) const {
    check(product.rows(), product.cols());
    const engine::Patches<T> dx{detail::batch(dx_.data(), dx_.strides()), geometry_};
    const auto add = [&](const auto& a) {
      const engine::Strided<const T> left = detail::strided(a);  // [K, M]
      bool first = overwrite;
      detail::with_pixel_rows<T>(
          product.rhs(), geometry_, [&](Index begin, Index rows, const engine::Batch<const T>& dy) {
            engine::input_gradient(left.from(0, begin), dy, rows, dx, std::exchange(first, false));
          });
    };
    if constexpr (detail::DirectAccess<std::remove_cvref_t<decltype(product.lhs())>>) {
      add(product.lhs());
    } else {
      const detail::RowMajorMatrix<T> a = product.lhs();
      add(a);
    }
  }

  void check(Index rows, Index cols) const {
    if (rows == this->rows() && cols == this->cols()) return;
    detail::fail("col2im", "the matrix added must be " + to_string(Shape<2>(this->rows(), this->cols())),
                 to_string(Shape<2>(rows, cols)));
  }

  TensorView<T, 4> dx_;  // the channels of the group: [N, IC/G, IH, IW]
  Conv2DGeometry geometry_;
};

/// The adjoint of im2col(dx, options, group).
///
/// Shape   dx [N, IC, IH, IW]  ->  [K, P], K = IC/G*KH*KW, P = N*OH*OW
/// Writes  nothing itself; += adds to dx, which must stay alive while the view is used
/// Errors  ShapeError if the options or the group break a rule or the kernel does not fit
/// Cost    K*P additions; a product A [K, M] * B [M, P] K*M*P multiply-adds and bounded scratch
template <WritableTensorOfRank<4> X>
Col2Im<ValueOf<X>> col2im(X&& dx, const Conv2DOptions& options, Index group = 0) {
  const WritableView<X> view = dx;
  const Conv2DGeometry g = conv2d_geometry("col2im", options, view.shape());
  return {detail::group_channels("col2im", view, g.G, group), g};
}

}  // namespace unfold
