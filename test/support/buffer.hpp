// SPDX-License-Identifier: MIT
// Buffer: memory of a kernel. It ends where its elements end, so that the address sanitizer sees a read beyond; it
// begins off every alignment but the elements' own; and it is NaN where nothing was written.
#pragma once

#include "support/fill.hpp"

#include <vector>

namespace unfold::test {

template <class T>
class Buffer {
 public:
  explicit Buffer(Index n) : memory_(static_cast<std::size_t>(n + 1), std::numeric_limits<T>::quiet_NaN()) {}

  /// n integers
  Buffer(Index n, Random& random) : Buffer(n) { fill_integers(TensorView<T, 1>(data(), {n}, {1}), random); }

  T* data() { return memory_.data() + 1; }
  const T* data() const { return memory_.data() + 1; }
  T& operator[](Index i) { return memory_[static_cast<std::size_t>(i + 1)]; }
  const T& operator[](Index i) const { return memory_[static_cast<std::size_t>(i + 1)]; }
  Index size() const { return static_cast<Index>(memory_.size()) - 1; }
  bool written(Index i) const { return (*this)[i] == (*this)[i]; }

 private:
  std::vector<T> memory_;
};

/// The smallest multiple of `lanes` that is not less than n.
inline Index whole_vectors(Index n, Index lanes) { return (n + lanes - 1) / lanes * lanes; }

/// How many elements differ from what they should be, where NaN should be NaN. Use: CHECK(differences(a, expected) ==
/// 0)
template <class T>
Index differences(const Buffer<T>& a, const Buffer<T>& expected) {
  Index wrong = a.size() == expected.size() ? 0 : 1;
  for (Index i = 0; i < a.size() && i < expected.size(); ++i) {
    wrong += expected.written(i) ? !(a[i] == expected[i]) : a.written(i);
  }
  return wrong;
}

}  // namespace unfold::test
