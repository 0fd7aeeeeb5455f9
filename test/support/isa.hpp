// SPDX-License-Identifier: MIT
// The kernels of every instruction set that this machine has, to be tested in one process.
#pragma once

#include <unfold/engine/kernels.hpp>

#include <vector>

namespace unfold::test {

template <class T>
struct KernelSet {
  const char* name;
  engine::Kernels<T> kernels;
};

/// In the order of engine::Isa.
template <class T>
std::vector<KernelSet<T>> kernel_sets() {
  std::vector<KernelSet<T>> sets{{"baseline", engine::kernels_of<T, engine::Baseline>()}};
#if defined(__x86_64__)
  if (engine::supported(engine::Isa::avx2)) sets.push_back({"avx2", engine::kernels_of<T, engine::Avx2>()});
  if (engine::supported(engine::Isa::avx512)) sets.push_back({"avx512", engine::kernels_of<T, engine::Avx512>()});
#endif
  return sets;
}

}  // namespace unfold::test
