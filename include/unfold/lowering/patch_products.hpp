// SPDX-License-Identifier: MIT
// Eigen's matrix products with an im2col view, for float and double: handed to the engine, which reads
// x in packed blocks instead of filling K x P. Written X for the view, the products are
//   A * X     A * X^T     X * B = (B^T * X^T)^T     X^T * B = (B^T * X)^T
// For any other scalar Eigen's own product runs. See docs/03_products.md and docs/decisions/.
#pragma once

#include <unfold/engine/products.hpp>
#include <unfold/lowering/channels.hpp>
#include <unfold/lowering/patch_matrix.hpp>

namespace unfold::detail {

/// What an Eigen type is to the products of this header.
template <class E>
struct PatchView : std::false_type {};
template <FloatOrDouble T>
struct PatchView<Im2Col<T>> : std::true_type {};
template <class E>
struct TransposedPatchView : std::false_type {};
template <class E>
struct TransposedPatchView<Eigen::Transpose<E>> : PatchView<std::remove_const_t<E>> {};

/// X, X^T and scaled ones, which the engine multiplies too: Eigen makes (2*X)*B of 2*(X*B).
template <class E>
struct PatchFactor : std::false_type {};
template <class E>
struct PatchFactor<const E> : PatchFactor<E> {};
template <FloatOrDouble T>
struct PatchFactor<Im2Col<T>> : std::true_type {};
template <class E>
struct PatchFactor<Eigen::Transpose<E>> : PatchFactor<E> {};
template <class E>
struct PatchFactor<Eigen::Transpose<const Eigen::Transpose<E>>> : std::false_type {};
template <class T, class E>
struct PatchFactor<Eigen::CwiseUnaryOp<Eigen::internal::scalar_opposite_op<T>, E>> : PatchFactor<E> {};
template <class T, class C, class E>
struct PatchFactor<Eigen::CwiseBinaryOp<Eigen::internal::scalar_product_op<T>,
                                        const Eigen::CwiseNullaryOp<Eigen::internal::scalar_constant_op<T>, C>, E>>
    : PatchFactor<E> {};
template <class T, class C, class E>
struct PatchFactor<Eigen::CwiseBinaryOp<Eigen::internal::scalar_product_op<T>, E,
                                        const Eigen::CwiseNullaryOp<Eigen::internal::scalar_constant_op<T>, C>>>
    : PatchFactor<E> {};

/// The scalar of a factor of the engine's, and the factor without it.
template <class T, class E>
T scalar_of(const E& e) {
  if constexpr (PatchFactor<E>::value) return Eigen::internal::blas_traits<E>::extractScalarFactor(e);
  return T(1);
}
template <class E>
decltype(auto) unscaled(const E& e) {
  if constexpr (PatchFactor<E>::value) {
    return Eigen::internal::blas_traits<E>::extract(e);
  } else {
    return (e);
  }
}

template <class E>
concept DirectAccess = (Eigen::internal::traits<E>::Flags & Eigen::DirectAccessBit) != 0;

template <class E>
struct ChannelsView : std::false_type {};
template <class Rows>
struct ChannelsView<Eigen::IndexedView<Rows, EveryRow, PixelOffset>> : std::true_type {};

template <class A, class B, int Option>
struct WritesAnyView<Eigen::Product<A, B, Option>> : std::disjunction<PatchFactor<A>, PatchFactor<B>> {};

/// E^T; for a transposed E the expression inside it, so that its kind is seen.
template <class E>
decltype(auto) transposed(E& e) {
  return e.transpose();
}
template <class E>
auto& transposed(Eigen::Transpose<E>& e) {
  return e.nestedExpression();
}
template <class E>
const auto& transposed(const Eigen::Transpose<E>& e) {
  return e.nestedExpression();
}

/// A matrix in memory, for the engine.
template <DirectAccess E>
auto strided(E& e) {
  using T = std::remove_pointer_t<decltype(e.data())>;
  return engine::Strided<T>{e.data(), e.rowStride(), e.colStride()};
}

template <class T>
engine::Batch<T> batch(T* data, const Shape<4>& stride) {
  return {data, stride[0], stride[1], stride[2], stride[3]};
}

/// A [rows, P] matrix in memory as channels of a batch with g's output pixels.
template <class T>
engine::Batch<T> matrix_batch(const engine::Strided<T>& m, const Conv2DGeometry& g) {
  return {m.data, g.OH * g.OW * m.col, m.row, g.OW * m.col, m.col};
}

template <class Rows>
auto channels_batch(const Eigen::IndexedView<Rows, EveryRow, PixelOffset>& y) {
  using T = std::remove_pointer_t<typename Rows::PointerArgType>;
  return batch(const_cast<T*>(y.nestedExpression().data()), y.colIndices().stride);  // T is const where y is read-only
}

template <class T>
engine::Patches<const T> im2col_patches(const Im2Col<T>& x) {
  return {batch(x.functor().x.data(), x.functor().x.strides()), x.functor().geometry};
}

/// Calls f(begin, rows, block) for the rows of a matrix operand, whole where it lies in memory; an im2col view,
/// transposed or not, is evaluated a block of rows at a time, any other expression once.
template <FloatOrDouble T, class E, class F>
void with_row_blocks(const E& e, F&& f) {
  if constexpr (PatchView<E>::value || TransposedPatchView<E>::value) {
    const Index fit = workspace_bytes / 16 / static_cast<Index>(sizeof(T)) / std::max<Index>(1, e.cols());
    RowMajorMatrix<T> block(std::min(e.rows(), std::max<Index>(1, fit)), e.cols());
    for (Index begin = 0; begin < e.rows(); begin += block.rows()) {
      const Index rows = std::min(block.rows(), e.rows() - begin);
      block.topRows(rows) = e.middleRows(begin, rows);
      f(begin, rows, engine::Strided<const T>(strided(block)));
    }
  } else if constexpr (DirectAccess<E>) {
    f(0, e.rows(), engine::Strided<const T>(strided(e)));
  } else {
    const RowMajorMatrix<T> values = e;
    f(0, e.rows(), engine::Strided<const T>(strided(values)));
  }
}

/// The same for a [rows, P] operand, as a batch with g's output pixels.
template <FloatOrDouble T, class E, class F>
void with_pixel_rows(const E& e, const Conv2DGeometry& g, F&& f) {
  if constexpr (ChannelsView<E>::value) {
    f(0, e.rows(), engine::Batch<const T>(channels_batch(e)));
  } else {
    with_row_blocks<T>(e, [&](Index begin, Index rows, const engine::Strided<const T>& block) {
      f(begin, rows, matrix_batch(block, g));
    });
  }
}

/// dst = or += alpha * a * X.   Shape a [M, K], X [K, P], dst [M, P]
template <FloatOrDouble T, class Dst, class A>
void multiply_by_patches(Dst& dst, const A& a, const Im2Col<T>& x, T alpha, bool overwrite) {
  if constexpr (ChannelsView<Dst>::value || DirectAccess<Dst>) {
    engine::Batch<T> y{};
    if constexpr (ChannelsView<Dst>::value) {
      y = channels_batch(dst);
    } else {
      y = matrix_batch(strided(dst), x.functor().geometry);
    }
    with_row_blocks<T>(a, [&](Index begin, Index rows, const engine::Strided<const T>& block) {
      engine::forward(block, rows, im2col_patches(x), y.from(0, begin, 0, 0), alpha, overwrite);
    });
  } else {
    RowMajorMatrix<T> result(dst.rows(), dst.cols());
    multiply_by_patches(result, a, x, alpha, true);
    overwrite ? void(dst = result) : void(dst += result);
  }
}

/// dst = or += alpha * a * X^T.   Shape a [M, P], X [K, P], dst [M, K]
template <FloatOrDouble T, class Dst, class A>
void multiply_by_transposed_patches(Dst& dst, const A& a, const Im2Col<T>& x, T alpha, bool overwrite) {
  if constexpr (DirectAccess<Dst>) {
    const engine::Strided<T> dw = strided(dst);
    with_pixel_rows<T>(a, x.functor().geometry, [&](Index begin, Index rows, const engine::Batch<const T>& dy) {
      engine::weight_gradient(dy, rows, im2col_patches(x), dw.from(begin, 0), alpha, overwrite);
    });
  } else {
    RowMajorMatrix<T> result(dst.rows(), dst.cols());
    multiply_by_transposed_patches(result, a, x, alpha, true);
    overwrite ? void(dst = result) : void(dst += result);
  }
}

/// Eigen's product interface for a product in which a patch view takes part.
template <class Lhs, class Rhs>
struct PatchProduct {
  using T = typename Lhs::Scalar;
  static_assert(std::is_same_v<T, typename Rhs::Scalar>, "unfold: both factors of a product need the same scalar");

  template <class Dst>
  static void evalTo(Dst& dst, const Lhs& lhs, const Rhs& rhs) {
    run(dst, lhs, rhs, T(1), true);
  }
  template <class Dst>
  static void addTo(Dst& dst, const Lhs& lhs, const Rhs& rhs) {
    run(dst, lhs, rhs, T(1), false);
  }
  template <class Dst>
  static void subTo(Dst& dst, const Lhs& lhs, const Rhs& rhs) {
    run(dst, lhs, rhs, T(-1), false);
  }
  template <class Dst>
  static void scaleAndAddTo(Dst& dst, const Lhs& lhs, const Rhs& rhs, const T& alpha) {
    run(dst, lhs, rhs, alpha, false);
  }

 private:
  template <class Dst>
  static void run(Dst& dst, const Lhs& lhs, const Rhs& rhs, T alpha, bool overwrite) {
    multiply(dst, unscaled(lhs), unscaled(rhs), alpha * scalar_of<T>(lhs) * scalar_of<T>(rhs), overwrite);
  }

  template <class Dst, class A, class B>
  static void multiply(Dst& dst, const A& a, const B& b, T alpha, bool overwrite) {
    if constexpr (PatchView<B>::value) {
      multiply_by_patches(dst, a, b, alpha, overwrite);
    } else if constexpr (TransposedPatchView<B>::value) {
      multiply_by_transposed_patches(dst, a, b.nestedExpression(), alpha, overwrite);
    } else {
      auto&& dst_t = transposed(dst);
      auto&& b_t = transposed(b);
      if constexpr (PatchView<A>::value) {
        multiply_by_transposed_patches(dst_t, b_t, a, alpha, overwrite);
      } else {
        multiply_by_patches(dst_t, b_t, a.nestedExpression(), alpha, overwrite);
      }
    }
  }
};

/// The shape by which Eigen tells these views from other dense expressions when it picks a product.
struct PatchShape {};
template <class S>
concept SpecialShape = std::is_same_v<S, Eigen::TriangularShape> || std::is_same_v<S, Eigen::SelfAdjointShape> ||
                       std::is_same_v<S, Eigen::SparseShape>;

}  // namespace unfold::detail

namespace Eigen::internal {

template <class E>
  requires unfold::detail::PatchFactor<E>::value
struct evaluator_traits<E> : evaluator_traits_base<E> {
  using Shape = unfold::detail::PatchShape;
};
template <>
struct AssignmentKind<DenseShape, unfold::detail::PatchShape> {
  using Kind = Dense2Dense;
};

template <class Lhs, class Rhs, int Tag>
struct generic_product_impl<Lhs, Rhs, DenseShape, unfold::detail::PatchShape, Tag>
    : unfold::detail::PatchProduct<Lhs, Rhs> {};
template <class Lhs, class Rhs, int Tag>
struct generic_product_impl<Lhs, Rhs, unfold::detail::PatchShape, DenseShape, Tag>
    : unfold::detail::PatchProduct<Lhs, Rhs> {};
template <class Lhs, class Rhs, int Tag>
struct generic_product_impl<Lhs, Rhs, unfold::detail::PatchShape, unfold::detail::PatchShape, Tag>
    : unfold::detail::PatchProduct<Lhs, Rhs> {};

// To a factor of another shape a patch view is a dense matrix like any other.
template <class Lhs, class Rhs, unfold::detail::SpecialShape Special, int Tag>
struct generic_product_impl<Lhs, Rhs, Special, unfold::detail::PatchShape, Tag>
    : generic_product_impl<Lhs, Rhs, Special, DenseShape, Tag> {};
template <class Lhs, class Rhs, unfold::detail::SpecialShape Special, int Tag>
struct generic_product_impl<Lhs, Rhs, unfold::detail::PatchShape, Special, Tag>
    : generic_product_impl<Lhs, Rhs, DenseShape, Special, Tag> {};
template <class E, int Side, bool Transposed>
struct permutation_matrix_product<E, Side, Transposed, unfold::detail::PatchShape>
    : permutation_matrix_product<E, Side, Transposed, DenseShape> {};
template <class Lhs, class Rhs, int Option, int Tag>
struct product_evaluator<Product<Lhs, Rhs, Option>, Tag, DiagonalShape, unfold::detail::PatchShape>
    : product_evaluator<Product<Lhs, Rhs, Option>, Tag, DiagonalShape, DenseShape> {
  using product_evaluator<Product<Lhs, Rhs, Option>, Tag, DiagonalShape, DenseShape>::product_evaluator;
};
template <class Lhs, class Rhs, int Option, int Tag>
struct product_evaluator<Product<Lhs, Rhs, Option>, Tag, unfold::detail::PatchShape, DiagonalShape>
    : product_evaluator<Product<Lhs, Rhs, Option>, Tag, DenseShape, DiagonalShape> {
  using product_evaluator<Product<Lhs, Rhs, Option>, Tag, DenseShape, DiagonalShape>::product_evaluator;
};

}  // namespace Eigen::internal
