// SPDX-License-Identifier: MIT
// The instruction sets that the engine's kernels are compiled for, and the one that this process uses.
#pragma once

#include <unfold/core/error.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace unfold {

/// The scalars that the engine multiplies; any other goes through Eigen's generic product.
template <class T>
concept FloatOrDouble = std::same_as<T, float> || std::same_as<T, double>;

namespace engine {

enum class Isa : std::uint8_t { baseline, avx2, avx512 };

inline bool supported(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx512) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq");
  }
  if (isa == Isa::avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  return isa == Isa::baseline;
}

/// The best that the machine has, or the one that the environment's UNFOLD_ISA names; chosen once.
/// Errors: ShapeError if UNFOLD_ISA names none, or one that this machine lacks.
inline Isa isa() {
  static const Isa chosen = [] {
    constexpr std::string_view names[] = {"baseline", "avx2", "avx512"};
    if (const char* wanted = std::getenv("UNFOLD_ISA")) {
      for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
        if (wanted == names[static_cast<int>(isa)] && supported(isa)) return isa;
      }
      detail::fail("isa", "UNFOLD_ISA must be baseline, avx2 or avx512, and one that this machine has",
                   "\"" + std::string(wanted) + "\"");
    }
    return supported(Isa::avx512) ? Isa::avx512 : supported(Isa::avx2) ? Isa::avx2 : Isa::baseline;
  }();
  return chosen;
}

/// A vector of the compilers' vector extensions, and the same as it lies among other elements.
template <class T, int Bytes>
struct VectorOf {
  // Both compilers drop these attributes from an alias.
  typedef T InRegister [[gnu::vector_size(Bytes)]];                                          // NOLINT(*-use-using)
  typedef T InMemory [[gnu::vector_size(Bytes), gnu::aligned(alignof(T)), gnu::may_alias]];  // NOLINT(*-use-using)
  static constexpr std::ptrdiff_t lanes = Bytes / static_cast<int>(sizeof(T));               // its elements
};

/// Keeps a vector that was read from memory in a register: g++ reads it again for each of a few products else. (clang++
/// does not, and refuses vectors in a function that is not itself compiled for their instruction set.)
template <class Vector>
[[gnu::always_inline]] inline void hold([[maybe_unused]] Vector& vector) {
#if defined(__x86_64__) && !defined(__clang__)
  asm("" : "+v"(vector));
#endif
}

/// One instruction set: `run` is the body of a kernel compiled for it, with no flag needed. The body is inlined, and
/// takes no vectors: these stay inside.
struct Baseline {
  static constexpr int vector_bytes = 16, registers = 16;
  template <class Kernel, class... Arguments>
  // NOLINTBEGIN(performance-unnecessary-value-param): mostly pointers and numbers
  static void run(Arguments... arguments) {
    Kernel::template body<vector_bytes>(arguments...);
  }
  // NOLINTEND(performance-unnecessary-value-param)
};

#if defined(__x86_64__)
struct Avx2 {
  static constexpr int vector_bytes = 32, registers = 16;
  template <class Kernel, class... Arguments>
  [[gnu::target("avx2,fma")]] static void run(Arguments... arguments) {
    Kernel::template body<vector_bytes>(arguments...);
  }
};

struct Avx512 {
  static constexpr int vector_bytes = 64, registers = 32;
  template <class Kernel, class... Arguments>
  [[gnu::target("avx512f,avx512vl,avx512dq,fma")]] static void run(Arguments... arguments) {
    Kernel::template body<vector_bytes>(arguments...);
  }
};
#endif

}  // namespace engine
}  // namespace unfold
