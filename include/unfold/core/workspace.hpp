// SPDX-License-Identifier: MIT
// Workspace: the scratch memory of one thread, one block of fixed size, taken from the system once.
// The products of the library need no other memory, whatever the image size.
#pragma once

#include <unfold/core/shape.hpp>

#include <cassert>
#include <memory>
#include <new>

namespace unfold {

/// Scratch of each thread that runs a product, in bytes. Pages that no product touches cost nothing.
inline constexpr Index workspace_bytes = Index{4} << 20;

namespace detail {

/// Hands out 64-byte aligned pieces of the calling thread's block, from its start, until it goes out
/// of scope. One Workspace lives at a time in a thread.
class Workspace {
 public:
  Workspace() : next_(block()) {}
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  /// n uninitialised elements. The sum of all pieces must fit workspace_bytes: block sizes are chosen so.
  template <class T>
  T* take(Index n) {
    T* piece = reinterpret_cast<T*>(next_);
    next_ += (n * static_cast<Index>(sizeof(T)) + 63) / 64 * 64;
    assert(next_ <= block() + workspace_bytes);
    return piece;
  }

  /// The thread's block; the first call in a thread allocates it.
  static std::byte* block() {
    struct Free {
      void operator()(std::byte* p) const { ::operator delete(p, std::align_val_t{4096}); }
    };
    thread_local const std::unique_ptr<std::byte, Free> memory(
        static_cast<std::byte*>(::operator new(static_cast<std::size_t>(workspace_bytes), std::align_val_t{4096})));
    return memory.get();
  }

 private:
  std::byte* next_;
};

}  // namespace detail
}  // namespace unfold
