// SPDX-License-Identifier: MIT
// Stands between the library and the system for the calls of a save and a read: logs them, and lets one fail.
// A test program that uses it lists system_calls.cpp among its files.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace unfold::test {

/// While one of these lives, it sees each call of this program that a save or a read makes, but for close: open, stat,
/// fstat, lstat, flock, ftruncate, fchmod, write, fsync, rename, unlink and pread.
class SystemCalls {
 public:
  SystemCalls();
  ~SystemCalls();
  SystemCalls(const SystemCalls&) = delete;
  SystemCalls& operator=(const SystemCalls&) = delete;

  /// The names of the calls so far.
  std::vector<std::string> log;

  /// The call of this number, from 0 on, fails with `error` instead of being made; as do the `times - 1` behind it.
  std::size_t fails_at = static_cast<std::size_t>(-1);
  std::size_t times = 1;
  int error = 0;

  /// write and pread do at most this much at once.
  std::size_t most_bytes = static_cast<std::size_t>(-1);

  /// Called once, before the first flock.
  std::function<void()> before_flock = [] {};

  /// Called with the number of each call that is made, before and after it.
  std::function<void(std::size_t)> before = [](std::size_t) {};
  std::function<void(std::size_t)> after = [](std::size_t) {};

  /// Notes a call; true if it is to fail, errno is set then.
  bool fail(const char* name);

  static SystemCalls* current;
};

}  // namespace unfold::test
