// SPDX-License-Identifier: MIT
// The error of a program that was called wrongly.
#pragma once

#include <stdexcept>

namespace unfold::program {

/// The program was called wrongly (exit status 2), where other errors are failures (status 1).
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace unfold::program
