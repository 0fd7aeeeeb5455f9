// SPDX-License-Identifier: MIT
// Ends a test program as skipped (the status 77 of meson) where UNFOLD_ISA forces an instruction set that the machine
// lacks. A test program that is run once a set lists this file among its own. The children of child.hpp go on: what
// they print then is tested.
#include <unfold/engine/isa.hpp>

#include <cstdlib>  // std::getenv, std::exit
#include <iostream>

namespace {

constexpr int status_of_skipped = 77;

[[maybe_unused]] const bool supported = [] {
  if (std::getenv("UNFOLD_CHILD") != nullptr) return true;
  try {
    unfold::engine::isa();
  } catch (const unfold::ShapeError& error) {
    std::cout << "skipped: " << error.what() << std::endl;
    std::exit(status_of_skipped);
  }
  return true;
}();

}  // namespace
