// SPDX-License-Identifier: MIT
// Tensor<T, Rank> owns its elements, 64-byte aligned, row-major, and converts to a TensorView.
// Below it the concepts by which functions take "a Tensor or a view". See docs/01_tensors.md.
#pragma once

#include <unfold/core/view.hpp>

#include <algorithm>  // std::fill_n, std::equal
#include <cerrno>
#include <cstdint>
#include <new>      // std::align_val_t
#include <utility>  // std::swap, std::pair
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>  // madvise
#endif

namespace unfold {

namespace detail {

inline constexpr std::uintptr_t large_page = std::uintptr_t{2} << 20;  // bytes

/// The whole large pages of a block of memory: [first, second).
inline std::pair<std::uintptr_t, std::uintptr_t> large_pages(std::uintptr_t block, std::size_t bytes) {
  return {(block + large_page - 1) / large_page * large_page, (block + bytes) / large_page * large_page};
}

/// Asks the system for large pages in a block of memory, where they are to be had. A convolution reads rows that are
/// far from each other: of small pages it touches thousands, and the processor would look up each in its tables again.
/// Only advice: whatever the system does with it, the memory is the same.
inline void ask_for_large_pages([[maybe_unused]] void* block, [[maybe_unused]] std::size_t bytes) {
#if defined(MADV_HUGEPAGE)
  const auto address = reinterpret_cast<std::uintptr_t>(block);
  const auto [begin, end] = large_pages(address, bytes);
  const int error = errno;
  if (begin < end)
    static_cast<void>(madvise(static_cast<char*>(block) + (begin - address), end - begin, MADV_HUGEPAGE));
  errno = error;
#endif
}

template <class T>
struct AlignedAllocator {
  using value_type = T;
  static constexpr std::align_val_t alignment{alignof(T) > 64 ? alignof(T) : 64};
  static constexpr bool is_large(std::size_t n) { return n * sizeof(T) >= 2 * large_page; }
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) {}
  T* allocate(std::size_t n) {
    if (n > std::numeric_limits<std::size_t>::max() / 2 / sizeof(T)) throw std::bad_array_new_length();
    void* const block = ::operator new(n * sizeof(T), alignment);
    if (is_large(n)) ask_for_large_pages(block, n * sizeof(T));
    return static_cast<T*>(block);
  }
  void deallocate(T* p, std::size_t) { ::operator delete(p, alignment); }
  template <class U>
  bool operator==(const AlignedAllocator<U>&) const {
    return true;
  }
};

}  // namespace detail

/// A Rank-dimensional array that owns its elements: 64-byte aligned, row-major, without gaps.
///
/// Writes  a new tensor is zero; copies are deep; a moved-from tensor is empty
/// Errors  ShapeError if an extent is negative or the size passes 63 bits; std::bad_alloc
template <class T, int Rank>
  requires Element<T> && (!std::is_const_v<T>) && (Rank >= 1)
class Tensor {
 public:
  using value_type = T;
  static constexpr int rank = Rank;

  Tensor() = default;
  explicit Tensor(const Shape<Rank>& shape) : Tensor(shape, T(0)) {}
  explicit Tensor(const Index (&extent)[1])  // ({5}), which could also be a Tensor made from 5 and moved
    requires(Rank == 1)
      : Tensor(Shape<1>(extent[0])) {}
  Tensor(const Shape<Rank>& shape, const T& value)
      : elements_(static_cast<std::size_t>(detail::checked_size("Tensor", shape, sizeof(T))), value), shape_(shape) {}

  /// A deep copy of what a view shows.
  explicit Tensor(const TensorView<const T, Rank>& source) { assign(source); }

  Tensor(const Tensor&) = default;
  Tensor& operator=(const Tensor&) = default;
  Tensor(Tensor&& other) noexcept { swap(other); }
  Tensor& operator=(Tensor&& other) noexcept {
    Tensor taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~Tensor() = default;

  void swap(Tensor& other) noexcept {
    elements_.swap(other.elements_);
    std::swap(shape_, other.shape_);
  }

  /// Takes a new shape; no allocation where the elements of it fit the memory held. Old elements are
  /// forgotten: the new ones are unspecified values, to be overwritten.
  void reshape_for_overwrite(const Shape<Rank>& shape) {
    elements_.resize(static_cast<std::size_t>(detail::checked_size("Tensor", shape, sizeof(T))), T(0));
    shape_ = shape;
  }

  /// Becomes a deep copy of what a view of another tensor shows; no allocation where it fits the memory held.
  void assign(const TensorView<const T, Rank>& source) {
    reshape_for_overwrite(source.shape());
    T* next = data();
    source.for_each_run([&](const T* run, Index n, Index step) {
      for (Index i = 0; i < n; ++i) *next++ = run[i * step];
    });
  }

  const Shape<Rank>& shape() const { return shape_; }
  Index shape(int d) const { return shape_[d]; }
  Shape<Rank> strides() const { return detail::row_major_strides(shape_); }
  Index stride(int d) const { return strides()[d]; }
  Index size() const { return static_cast<Index>(elements_.size()); }
  T* data() { return elements_.data(); }
  const T* data() const { return elements_.data(); }

  TensorView<T, Rank> view() { return {data(), shape_}; }
  TensorView<const T, Rank> view() const { return {data(), shape_}; }
  operator TensorView<T, Rank>() { return view(); }
  operator TensorView<const T, Rank>() const { return view(); }

  template <std::integral... I>
    requires(sizeof...(I) == Rank)
  T& operator()(I... i) {
    return view()(i...);
  }
  template <std::integral... I>
    requires(sizeof...(I) == Rank)
  const T& operator()(I... i) const {
    return view()(i...);
  }
  template <std::integral... I>
    requires(sizeof...(I) == Rank)
  T& at(I... i) {
    return view().at(i...);
  }
  template <std::integral... I>
    requires(sizeof...(I) == Rank)
  const T& at(I... i) const {
    return view().at(i...);
  }

  void fill(const T& value) { std::fill_n(data(), size(), value); }

  TensorView<T, Rank> slice(int dim, Index begin, Index count) { return view().slice(dim, begin, count); }
  TensorView<const T, Rank> slice(int dim, Index begin, Index count) const { return view().slice(dim, begin, count); }
  decltype(auto) operator[](Index i) { return view()[i]; }
  decltype(auto) operator[](Index i) const { return view()[i]; }

  auto matrix();
  auto matrix() const;
  auto array();
  auto array() const;

  /// Equal shapes and equal elements (so NaN differs from itself).
  friend bool operator==(const Tensor& a, const Tensor& b) {
    return a.shape_ == b.shape_ && std::equal(a.data(), a.data() + a.size(), b.data());
  }

 private:
  std::vector<T, detail::AlignedAllocator<T>> elements_;
  Shape<Rank> shape_;
};

namespace detail {

template <class X>
struct AsTensor;  // the element and rank of a Tensor or TensorView
template <class T, int Rank>
struct AsTensor<Tensor<T, Rank>> {
  using Readable = TensorView<const T, Rank>;
  using Writable = TensorView<T, Rank>;
  using Value = T;
  static constexpr int rank = Rank;
};
template <class T, int Rank>
struct AsTensor<const Tensor<T, Rank>> : AsTensor<Tensor<T, Rank>> {
  using Writable = void;
};
template <class T, int Rank>
struct AsTensor<TensorView<T, Rank>> {
  using Readable = TensorView<const T, Rank>;
  using Writable = std::conditional_t<std::is_const_v<T>, void, TensorView<T, Rank>>;
  using Value = std::remove_const_t<T>;
  static constexpr int rank = Rank;
};
template <class T, int Rank>
struct AsTensor<const TensorView<T, Rank>> : AsTensor<TensorView<T, Rank>> {};

}  // namespace detail

/// A Tensor or TensorView of this rank.
template <class X, int Rank>
concept TensorOfRank = requires { requires detail::AsTensor<std::remove_reference_t<X>>::rank == Rank; };

/// A Tensor or TensorView of this rank whose elements may be written.
template <class X, int Rank>
concept WritableTensorOfRank =
    TensorOfRank<X, Rank> && !std::is_void_v<typename detail::AsTensor<std::remove_reference_t<X>>::Writable>;

/// A Tensor or TensorView of this rank over elements of type T.
template <class X, class T, int Rank>
concept TensorOf =
    TensorOfRank<X, Rank> && std::is_same_v<typename detail::AsTensor<std::remove_reference_t<X>>::Value, T>;

/// The element type of a Tensor or TensorView, without const.
template <class X>
using ValueOf = typename detail::AsTensor<std::remove_reference_t<X>>::Value;

/// The view through which a function reads, or writes, a Tensor or TensorView argument.
template <class X>
using ReadableView = typename detail::AsTensor<std::remove_reference_t<X>>::Readable;
template <class X>
using WritableView = typename detail::AsTensor<std::remove_reference_t<X>>::Writable;

}  // namespace unfold
