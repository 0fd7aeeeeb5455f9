// SPDX-License-Identifier: MIT
// ThreadCount: sets the library's number of threads to the end of the scope, and starts them all.
#pragma once

#include <unfold/core/threads.hpp>

#include <latch>

namespace unfold::test {

class ThreadCount {
 public:
  explicit ThreadCount(int n) : before_(threads()) {
    set_threads(n);
    std::latch all(n);
    detail::parallel_for(n, [&](Index) { all.arrive_and_wait(); });
  }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;
  ~ThreadCount() { set_threads(before_); }

 private:
  int before_;
};

}  // namespace unfold::test
