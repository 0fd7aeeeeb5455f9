// SPDX-License-Identifier: MIT
// TensorView<T, Rank> points at somebody's elements with a stride per axis; TensorView<const T, Rank>
// is read-only. A view never owns. See docs/01_tensors.md.
#pragma once

#include <unfold/core/shape.hpp>

#include <cassert>
#include <type_traits>

namespace unfold {

/// What a tensor may hold: a plain value that is no reference and not `bool` (whose std::vector has no elements).
template <class T>
concept Element = std::is_object_v<T> && !std::is_same_v<std::remove_const_t<T>, bool> &&
                  std::is_copy_constructible_v<std::remove_const_t<T>>;

namespace detail {

/// The strides, in elements, of a row-major tensor without gaps.
template <int Rank>
constexpr Shape<Rank> row_major_strides(const Shape<Rank>& shape) {
  Shape<Rank> stride;
  Index step = 1;
  for (int d = Rank - 1; d >= 0; --d) {
    stride[d] = step;
    step *= shape[d] == 0 ? 1 : shape[d];
  }
  return stride;
}

/// The shape without its axis 0.
template <int Rank>
constexpr Shape<Rank - 1> inner(const Shape<Rank>& shape) {
  Shape<Rank - 1> rest;
  for (int d = 1; d < Rank; ++d) rest[d - 1] = shape[d];
  return rest;
}

}  // namespace detail

/// Somebody's elements seen as a Rank-dimensional array with one stride per axis.
///
///   element (i, j, ...) is data()[i*stride(0) + j*stride(1) + ...]
///
/// Units   strides: elements (never bytes)
/// Writes  a view is a pointer: copying it copies no element, and it is as constant as its T
template <class T, int Rank>
  requires Element<T> && (Rank >= 1)
class TensorView {
 public:
  using value_type = std::remove_const_t<T>;
  static constexpr int rank = Rank;

  TensorView() = default;

  /// `data` seen in row-major order without gaps.
  TensorView(T* data, const Shape<Rank>& shape) : data_(data), shape_(shape) {
    detail::checked_size("TensorView", shape, sizeof(T));  // before the strides, which would overflow too
    stride_ = detail::row_major_strides(shape);
  }

  TensorView(T* data, const Shape<Rank>& shape, const Shape<Rank>& stride)
      : data_(data), shape_(shape), stride_(stride) {
    detail::checked_size("TensorView", shape, sizeof(T));  // elements may share their place: many need little memory
  }

  /// The read-only view of a writable one.
  template <class U>
    requires std::is_same_v<const U, T> && (!std::is_same_v<U, T>)
  TensorView(const TensorView<U, Rank>& other) : data_(other.data()), shape_(other.shape()), stride_(other.strides()) {}

  const Shape<Rank>& shape() const { return shape_; }
  Index shape(int d) const { return shape_[d]; }
  const Shape<Rank>& strides() const { return stride_; }
  Index stride(int d) const { return stride_[d]; }
  T* data() const { return data_; }

  Index size() const {
    Index size = 1;
    for (const Index extent : shape_) size *= extent;
    return size;
  }

  /// True if the elements lie in row-major order without gaps.
  bool contiguous() const {
    if (size() == 0) return true;
    Index step = 1;
    for (int d = Rank - 1; d >= 0; --d) {
      if (shape_[d] != 1 && stride_[d] != step) return false;
      step *= shape_[d];
    }
    return true;
  }

  /// The element at (i, ...); an index outside the shape is caught by `assert` only.
  template <std::integral... I>
    requires(sizeof...(I) == Rank)
  T& operator()(I... i) const {
    assert(inside({static_cast<Index>(i)...}));
    return data_[offset({static_cast<Index>(i)...})];
  }

  /// The element at (i, ...). Errors: ShapeError if an index lies outside the shape.
  template <std::integral... I>
    requires(sizeof...(I) == Rank)
  T& at(I... i) const {
    const Shape<Rank> index{i...};
    if (!inside(index)) {
      detail::fail("TensorView::at", "index must lie inside " + to_string(shape_), to_string(index));
    }
    return data_[offset(index)];
  }

  /// Sets every element to `value`.
  void fill(const value_type& value) const
    requires(!std::is_const_v<T>)
  {
    for_each_run([&](T* run, Index n, Index step) {
      for (Index i = 0; i < n; ++i) run[i * step] = value;
    });
  }

  /// The view of [begin, begin + count) of axis `dim`; the other axes stay whole.
  /// Errors: ShapeError if `dim` is no axis or the range leaves it.
  TensorView slice(int dim, Index begin, Index count) const {
    if (dim < 0 || dim >= Rank) {
      detail::fail("TensorView::slice", "dim must be in [0, " + std::to_string(Rank) + ")", std::to_string(dim));
    }
    const Index extent = shape_[dim];
    if (begin < 0 || count < 0 || begin > extent || count > extent - begin) {
      detail::fail(
          "TensorView::slice",
          "[begin, begin + count) must lie in [0, " + std::to_string(extent) + ") of dim " + std::to_string(dim),
          "begin " + std::to_string(begin) + ", count " + std::to_string(count));
    }
    TensorView part = *this;
    if (count != 0) part.data_ = moved(begin * stride_[dim]);
    part.shape_[dim] = count;
    return part;
  }

  /// Row i of axis 0: a view of one rank less, or the element itself where Rank is 1.
  decltype(auto) operator[](Index i) const {
    assert(i >= 0 && i < shape_[0]);
    if constexpr (Rank == 1) {
      return static_cast<T&>(data_[i * stride_[0]]);
    } else {
      TensorView<T, Rank - 1> row;  // of a shape that was checked
      row.data_ = moved(i * stride_[0]);
      row.shape_ = detail::inner(shape_);
      row.stride_ = detail::inner(stride_);
      return row;
    }
  }

  /// Eigen maps of the same memory, no copy; defined in core/eigen_map.hpp, with their errors.
  auto matrix() const;  // [shape(0), the other axes in one]
  auto array() const;   // [size()]

  /// Calls f(pointer, count, step) for runs of elements that together are all, in row-major order. A run
  /// is the last axis, or several where they lie without gaps.
  template <class F>
  void for_each_run(F&& f) const {
    if (size() == 0) return;
    if (contiguous()) {
      f(data_, size(), Index{1});
    } else if constexpr (Rank == 1) {
      f(data_, shape_[0], stride_[0]);
    } else {
      for (Index i = 0; i < shape_[0]; ++i) (*this)[i].for_each_run(f);
    }
  }

 private:
  friend class TensorView<T, Rank + 1>;  // makes its rows

  bool inside(const Shape<Rank>& index) const {
    for (int d = 0; d < Rank; ++d) {
      if (index[d] < 0 || index[d] >= shape_[d]) return false;
    }
    return true;
  }

  /// data + offset; the null pointer of an empty tensor stays, since nothing may be added to it.
  T* moved(Index offset) const { return data_ == nullptr ? nullptr : data_ + offset; }

  Index offset(const Shape<Rank>& index) const {
    Index offset = 0;
    for (int d = 0; d < Rank; ++d) offset += index[d] * stride_[d];
    return offset;
  }

  T* data_ = nullptr;
  Shape<Rank> shape_;
  Shape<Rank> stride_;
};

}  // namespace unfold
