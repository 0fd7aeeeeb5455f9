// SPDX-License-Identifier: MIT
#include <unfold/core/threads.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/thread_count.hpp"

using namespace unfold;
using test::allocations_of;

TEST_CASE("Every thread has its workspace from its start, and a loop asks for no memory") {
  detail::Workspace::block();  // of this thread
  for (const int n : {1, 2, 5}) {
    CAPTURE(n);
    const test::ThreadCount set(n);
    const auto loop = allocations_of([n] {
      std::latch all(n);
      detail::parallel_for(n, [&](Index) {
        detail::Workspace workspace;
        *workspace.take<float>(1000) = 1;
        all.arrive_and_wait();  // so that every thread takes one task
      });
    });
    CHECK(loop.pieces == 0);
  }
}

TEST_CASE("A new thread brings a workspace and little else") {
  const auto started = allocations_of([] { const test::ThreadCount set(4); });
  CHECK(started.bytes >= static_cast<std::size_t>(3 * workspace_bytes));
  CHECK(started.bytes < static_cast<std::size_t>(4 * workspace_bytes));
}
