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

void* operator new(std::size_t bytes) {
  note(bytes);
  if (void* memory = std::malloc(std::max<std::size_t>(bytes, 1))) return memory;
  throw std::bad_alloc();
}

void* operator new(std::size_t bytes, std::align_val_t alignment) {
  note(bytes);
  const auto step = static_cast<std::size_t>(alignment);
  if (bytes > static_cast<std::size_t>(-1) - step) throw std::bad_alloc();
  const std::size_t whole = std::max<std::size_t>((bytes + step - 1) / step, 1) * step;
  if (void* memory = std::aligned_alloc(step, whole)) return memory;
  throw std::bad_alloc();
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
