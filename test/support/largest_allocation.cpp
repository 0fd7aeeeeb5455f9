// SPDX-License-Identifier: MIT
#include "support/largest_allocation.hpp"

#include <malloc.h>  // ::malloc_usable_size

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

template <class Number>
void raise_to(std::atomic<Number>& most, Number number) {
  Number seen = most;
  while (number > seen && !most.compare_exchange_weak(seen, number)) {
  }
}

void note(std::size_t bytes) { raise_to(unfold::test::largest_allocation, bytes); }

void* held(void* memory) {
  if (memory == nullptr) return nullptr;
  const auto bytes = static_cast<std::ptrdiff_t>(::malloc_usable_size(memory));
  raise_to(unfold::test::most_memory_held, unfold::test::memory_held += bytes);
  return memory;
}

void release(void* memory) {
  if (memory == nullptr) return;
  unfold::test::memory_held -= static_cast<std::ptrdiff_t>(::malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

// The nothrow forms stand here too, since a sanitizer's own would take them otherwise. The array forms call these.
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  note(bytes);
  return held(std::malloc(std::max<std::size_t>(bytes, 1)));
}

void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  note(bytes);
  const auto step = static_cast<std::size_t>(alignment);
  if (bytes > static_cast<std::size_t>(-1) - step) return nullptr;
  return held(std::aligned_alloc(step, std::max<std::size_t>((bytes + step - 1) / step, 1) * step));
}

void* operator new(std::size_t bytes) {
  if (void* memory = ::operator new(bytes, std::nothrow)) return memory;
  throw std::bad_alloc();
}

void* operator new(std::size_t bytes, std::align_val_t alignment) {
  if (void* memory = ::operator new(bytes, alignment, std::nothrow)) return memory;
  throw std::bad_alloc();
}

void operator delete(void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept { release(memory); }
