// SPDX-License-Identifier: MIT
// Shape<Rank>: the sizes of a tensor's axes, outermost first, and the checked element count.
// See docs/01_tensors.md.
#pragma once

#include <unfold/core/error.hpp>

#include <array>
#include <concepts>  // std::integral
#include <cstddef>   // std::ptrdiff_t
#include <limits>
#include <string>

namespace unfold {

/// Every size, stride and index: signed, 64 bits, the same type as Eigen::Index.
using Index = std::ptrdiff_t;

/// The sizes of the Rank axes of a tensor, outermost first. `{8, 3, 32, 32}` is a Shape<4>, and
/// nothing but four integers is.
template <int Rank>
  requires(Rank >= 1)
class Shape {
 public:
  constexpr Shape() = default;

  template <std::integral... Extents>
    requires(sizeof...(Extents) == Rank)
  constexpr Shape(Extents... extents) : extents_{static_cast<Index>(extents)...} {}

  constexpr Shape(const std::array<Index, Rank>& extents) : extents_(extents) {}

  constexpr Index operator[](int d) const { return extents_[static_cast<std::size_t>(d)]; }
  constexpr Index& operator[](int d) { return extents_[static_cast<std::size_t>(d)]; }

  constexpr auto begin() const { return extents_.begin(); }
  constexpr auto end() const { return extents_.end(); }
  constexpr auto begin() { return extents_.begin(); }
  constexpr auto end() { return extents_.end(); }
  static constexpr int size() { return Rank; }

  friend constexpr bool operator==(const Shape&, const Shape&) = default;

 private:
  std::array<Index, Rank> extents_{};
};

template <std::integral... Extents>
Shape(Extents...) -> Shape<static_cast<int>(sizeof...(Extents))>;

/// "[8, 3, 32, 32]"
template <int Rank>
std::string to_string(const Shape<Rank>& shape) {
  std::string text = "[";
  for (int d = 0; d < Rank; ++d) text.append(d == 0 ? "" : ", ").append(std::to_string(shape[d]));
  return text + "]";
}

namespace detail {

/// a * b for a, b >= 0, or -1 where it passes 63 bits; -1 is passed on.
constexpr Index product_or_overflow(Index a, Index b) {
  if (a < 0 || b < 0) return -1;
  if (a != 0 && b > std::numeric_limits<Index>::max() / a) return -1;
  return a * b;
}

/// The number of elements of a tensor of this shape.
/// Errors: ShapeError if an extent is negative, or the count of elements (zero extents left out, so
/// that every stride fits too) times `element_bytes` passes 63 bits.
template <int Rank>
constexpr Index checked_size(const char* function, const Shape<Rank>& shape, std::size_t element_bytes) {
  Index bytes = static_cast<Index>(element_bytes);
  Index size = 1;
  for (const Index extent : shape) {
    require(extent >= 0, function, "every extent must be >= 0", shape);
    bytes = product_or_overflow(bytes, extent == 0 ? 1 : extent);
    size *= extent == 0 || bytes < 0 ? 0 : extent;
  }
  require(bytes >= 0, function, "the size in bytes must fit 63 bits", shape);
  return size;
}

}  // namespace detail
}  // namespace unfold
