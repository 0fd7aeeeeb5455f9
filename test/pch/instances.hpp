// SPDX-License-Identifier: MIT
// headers.hpp for the programs that take the layers and the engine from the instances.
#include "support/catch.hpp"

#include <unfold/instances.hpp>
