// SPDX-License-Identifier: MIT
// for_each_failing_allocation: an act again and again, in which the first allocation fails, then the second alone, and
// so on until there is none left to fail.
#pragma once

#include "support/allocations.hpp"
#include "support/catch.hpp"

#include <unfold/core/threads.hpp>

#include <new>
#include <thread>

namespace unfold::test {

/// Calls prepare(), then act(subject) on what it gives, then judge(subject, thrown). Returns how many allocations act
/// asked for. Each time everything is new: the thread, its workspace, and the pool of `threads` threads.
/// A failure must come out as std::bad_alloc; with several threads a worker's workspace may come later instead.
template <class Prepare, class Act, class Judge>
std::ptrdiff_t for_each_failing_allocation(int threads, const Prepare& prepare, const Act& act, const Judge& judge) {
  const int before = unfold::threads();
  std::ptrdiff_t k = 0;
  bool happened = true;
  while (happened) {
    ++k;
    set_threads(1);  // ends the pool
    set_threads(threads);
    std::thread([&] {
      CAPTURE(k, threads);
      auto subject = prepare();
      bool thrown = false;
      {
        const FailingAllocation failing(k);
        try {
          act(subject);
        } catch (const std::bad_alloc&) {
          thrown = true;
        }
        happened = failing.happened();
      }
      CHECK((thrown || threads > 1 || !happened));
      CHECK((happened || !thrown));
      judge(subject, thrown);
    }).join();
    REQUIRE(k < 100000);
  }
  set_threads(before);
  return k - 1;
}

}  // namespace unfold::test
