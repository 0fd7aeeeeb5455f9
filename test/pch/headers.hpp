// SPDX-License-Identifier: MIT
// Compiled once for a test program and included nowhere; hence no #pragma once, of which g++ would warn. A test includes
// what it uses all the same: ./dev lint --all reads it without this.
#include "support/catch.hpp"

#include <unfold/unfold.hpp>
