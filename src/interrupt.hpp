// SPDX-License-Identifier: MIT
// Ctrl-C as a request instead of an end.
#pragma once

#include <csignal>

namespace unfold::program {

/// While one lives, the first SIGINT or SIGTERM only sets requested(); a second one ends the process as it always
/// does. The former handlers come back with its end. At most one may live.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  bool requested() const;

 private:
  struct sigaction old_int_{}, old_term_{};
};

}  // namespace unfold::program
