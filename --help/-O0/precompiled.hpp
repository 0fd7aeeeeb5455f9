// SPDX-License-Identifier: MIT
// What most test programs include of others, compiled once for all mutants. Nothing of the library may stand here.
#pragma once

#include "support/catch.hpp"

#include <Eigen/Core>
#include <unsupported/Eigen/AutoDiff>
#include <unsupported/Eigen/CXX11/ThreadPool>
