// SPDX-License-Identifier: MIT
#include "support/largest_allocation.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace {

void note(std::size_t bytes) {
  std::size_t seen = unfold::test::largest_allocation;
  while (bytes > seen && !unfold::test::largest_allocation.compare_exchange_weak(seen, bytes)) {
  }
}

}  // namespace

// The nothrow forms stand here too, since a sanitizer's own would take them otherwise. The array forms call these.
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  note(bytes);
  return std::malloc(std::max<std::size_t>(bytes, 1));
}

void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  note(bytes);
  const auto step = static_cast<std::size_t>(alignment);
  if (bytes > static_cast<std::size_t>(-1) - step) return nullptr;
  return std::aligned_alloc(step, std::max<std::size_t>((bytes + step - 1) / step, 1) * step);
}

void* operator new(std::size_t bytes) {
  if (void* memory = ::operator new(bytes, std::nothrow)) return memory;
  throw std::bad_alloc();
}

void* operator new(std::size_t bytes, std::align_val_t alignment) {
  if (void* memory = ::operator new(bytes, alignment, std::nothrow)) return memory;
  throw std::bad_alloc();
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept { std::free(memory); }
