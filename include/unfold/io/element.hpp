// SPDX-License-Identifier: MIT
// The element types that files hold, and what each format calls them.
#pragma once

#include <unfold/core/tensor.hpp>

#include <bit>  // std::endian
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace unfold {

static_assert(std::endian::native == std::endian::little,
              "unfold reads and writes files on little-endian machines only");

namespace detail {

template <class T>
struct FileType;
template <>
struct FileType<float> {
  static constexpr std::string_view npy = "<f4", safetensors = "F32";
};
template <>
struct FileType<double> {
  static constexpr std::string_view npy = "<f8", safetensors = "F64";
};
template <>
struct FileType<std::uint8_t> {
  static constexpr std::string_view npy = "|u1", safetensors = "U8";
};
template <>
struct FileType<std::int32_t> {
  static constexpr std::string_view npy = "<i4", safetensors = "I32";
};
template <>
struct FileType<std::int64_t> {
  static constexpr std::string_view npy = "<i8", safetensors = "I64";
};

}  // namespace detail

/// float, double, std::uint8_t, std::int32_t or std::int64_t: what files hold.
template <class T>
concept FileElement = requires { detail::FileType<T>::npy; };

/// A Tensor or TensorView of any rank whose elements files hold.
template <class X>
concept FileTensor = requires { typename ValueOf<X>; } && FileElement<ValueOf<X>>;

namespace detail {

/// NumPy's own. Without it a header could ask for many times its own length in memory.
inline constexpr std::size_t axes_limit = 64;

/// "[3, 4]", as to_string(Shape).
inline std::string shape_text(std::span<const Index> shape) {
  std::string text = "[";
  for (const Index extent : shape) text.append(text.size() == 1 ? "" : ", ").append(std::to_string(extent));
  return text + "]";
}

/// The bytes that the elements of a shape take, or -1 where some stride in bytes would pass 63 bits.
inline Index bytes_of_shape(std::span<const Index> shape, Index element_bytes) {
  Index stride = element_bytes;
  bool empty = false;
  for (const Index extent : shape) {
    empty = empty || extent == 0;
    stride = product_or_overflow(stride, extent == 0 ? 1 : extent);
  }
  return empty && stride > 0 ? 0 : stride;
}

/// Whether a file's shape is this one. A file's single number, of rank 0, is a vector of one element here.
template <int Rank>
bool same_shape(std::span<const Index> file, const Shape<Rank>& shape) {
  if (file.empty()) return Rank == 1 && shape[0] == 1;
  return std::equal(file.begin(), file.end(), shape.begin(), shape.end());
}

}  // namespace detail
}  // namespace unfold
