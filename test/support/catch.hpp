// SPDX-License-Identifier: MIT
// Catch2, version 2.13 or 3, under the names of version 3: test macros, generators, matchers,
// Catch::Matchers::{MatcherBase, ContainsSubstring} and SKIP.
#pragma once

#if !__has_include(<catch2/catch_test_macros.hpp>)  // version 2; where both are, meson.build too takes version 3

#include <catch2/catch.hpp>

#include <iostream>

namespace unfold::test {
inline bool case_skipped = false;  // by SKIP in the running test case; read by catch_main.cpp
}

namespace Catch::Matchers {
using Impl::MatcherBase;
// NOLINTNEXTLINE(readability-identifier-naming): the name it has in version 3
inline auto ContainsSubstring(const std::string& part) { return Contains(part); }
}  // namespace Catch::Matchers

// Leaves the enclosing function only, where version 3 leaves the whole test case.
#define SKIP(message)                              \
  do {                                             \
    std::cout << "skipped: " << (message) << '\n'; \
    unfold::test::case_skipped = true;             \
    return;                                        \
  } while (false)

#else  // version 3

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <catch2/matchers/catch_matchers_all.hpp>

#endif
