// SPDX-License-Identifier: MIT
#include "interrupt.hpp"

#include <atomic>

namespace unfold::program {
namespace {

// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): nothing else is within a handler's reach
std::atomic<bool> caught = false;
static_assert(std::atomic<bool>::is_always_lock_free);  // else a handler may not touch it

extern "C" void catch_signal(int /*signal*/) { caught = true; }

}  // namespace

Interrupt::Interrupt() {
  caught = false;
  struct sigaction action{};
  action.sa_handler = catch_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &old_int_);
  sigaction(SIGTERM, &action, &old_term_);
}

Interrupt::~Interrupt() {
  sigaction(SIGINT, &old_int_, nullptr);
  sigaction(SIGTERM, &old_term_, nullptr);
}

// NOLINTNEXTLINE(readability-convert-member-functions-to-static): only while one lives is there an answer
bool Interrupt::requested() const { return caught; }

}  // namespace unfold::program
