// SPDX-License-Identifier: MIT
// The threads of libtorch, and of the OpenBLAS below it where that is its BLAS: libtorch leaves those alone.
#pragma once

#include <ATen/Parallel.h>
#include <dlfcn.h>

namespace unfold::bench {

inline void set_torch_threads(int n) {
  at::set_num_threads(n);
  if (void* const found = dlsym(RTLD_DEFAULT, "openblas_set_num_threads")) reinterpret_cast<void (*)(int)>(found)(n);
}

}  // namespace unfold::bench
