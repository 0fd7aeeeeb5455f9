// SPDX-License-Identifier: MIT
#include "support/allocations.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <new>

namespace {

using unfold::test::allocations_until_failure;

/// Counts an allocation; false if it is the one that shall fail.
bool granted(std::size_t bytes) {
  ++unfold::test::allocated_pieces;
  unfold::test::allocated_bytes += bytes;
  return allocations_until_failure <= 0 || allocations_until_failure.fetch_sub(1) != 1;
}

}  // namespace

// The linker's --wrap=f sends every call of f here, where the true function is __real_f.
// NOLINTBEGIN(bugprone-reserved-identifier, readability-identifier-naming)
extern "C" {
void* __real_malloc(std::size_t bytes);
void* __real_calloc(std::size_t n, std::size_t bytes);
void* __real_realloc(void* memory, std::size_t bytes);
void* __real_aligned_alloc(std::size_t alignment, std::size_t bytes);
int __real_posix_memalign(void** memory, std::size_t alignment, std::size_t bytes);

void* __wrap_malloc(std::size_t bytes) { return granted(bytes) ? __real_malloc(bytes) : nullptr; }
void* __wrap_calloc(std::size_t n, std::size_t bytes) { return granted(n * bytes) ? __real_calloc(n, bytes) : nullptr; }
void* __wrap_realloc(void* memory, std::size_t bytes) {
  return granted(bytes) ? __real_realloc(memory, bytes) : nullptr;
}
void* __wrap_aligned_alloc(std::size_t alignment, std::size_t bytes) {
  return granted(bytes) ? __real_aligned_alloc(alignment, bytes) : nullptr;
}
int __wrap_posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  return granted(bytes) ? __real_posix_memalign(memory, alignment, bytes) : ENOMEM;
}
}
// NOLINTEND(bugprone-reserved-identifier, readability-identifier-naming)

// All forms are replaced, and not only those that the others call in the C++ library: a sanitizer brings its own.
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return granted(bytes) ? __real_malloc(std::max<std::size_t>(bytes, 1)) : nullptr;
}
void* operator new(std::size_t bytes) {
  if (void* memory = operator new(bytes, std::nothrow)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  if (!granted(bytes)) throw std::bad_alloc();
  const auto step = std::max(static_cast<std::size_t>(alignment), sizeof(void*));
  void* memory = nullptr;
  if (__real_posix_memalign(&memory, step, std::max<std::size_t>(bytes, 1)) == 0) return memory;
  throw std::bad_alloc();
}
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return operator new(bytes, std::nothrow); }
void* operator new[](std::size_t bytes) { return operator new(bytes); }
void* operator new[](std::size_t bytes, std::align_val_t alignment) { return operator new(bytes, alignment); }

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
