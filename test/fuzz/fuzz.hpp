// SPDX-License-Identifier: MIT
// For the programs that libFuzzer drives: a reader either refuses a file with a FormatError, or what it read is
// what the file says. Any other exception, and a check that fails, ends the program, and libFuzzer keeps the file.
#pragma once

#include <unfold/io/element.hpp>

#include <cstdio>
#include <cstdlib>  // std::abort
#include <cstring>  // std::memcmp

namespace unfold::test {

inline void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::abort();
}

/// read(bytes) of one input; false if it was refused.
template <class Read>
bool survives(const std::uint8_t* bytes, std::size_t size, Read&& read) {
  try {
    read(std::as_bytes(std::span(bytes, size)));
    return true;
  } catch (const FormatError& refusal) {
    must(refusal.what()[0] != '\0', "a refusal has a message");
    return false;
  }
}

/// Calls f with a T of each element type that files hold.
template <class F>
void for_each_element_type(F&& f) {
  f(float());
  f(double());
  f(std::uint8_t());
  f(std::int32_t());
  f(std::int64_t());
}

/// Calls f<Rank>() for the given rank, if it is one of 1, 2, 3 and 4.
template <class F>
void with_rank(std::size_t rank, F&& f) {
  if (rank == 1) f.template operator()<1>();
  if (rank == 2) f.template operator()<2>();
  if (rank == 3) f.template operator()<3>();
  if (rank == 4) f.template operator()<4>();
}

template <class T, int Rank>
bool has_shape(const Tensor<T, Rank>& tensor, std::span<const Index> shape) {
  return std::equal(shape.begin(), shape.end(), tensor.shape().begin(), tensor.shape().end());
}

/// Whether the elements of a tensor are these bytes.
template <class T, int Rank>
bool holds_bytes(const Tensor<T, Rank>& tensor, std::span<const std::byte> bytes) {
  return static_cast<std::size_t>(tensor.size()) * sizeof(T) == bytes.size() &&
         (bytes.empty() || std::memcmp(tensor.data(), bytes.data(), bytes.size()) == 0);
}

}  // namespace unfold::test
