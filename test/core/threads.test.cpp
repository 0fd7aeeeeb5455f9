// SPDX-License-Identifier: MIT
#include <unfold/core/threads.hpp>

#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/thread_count.hpp"

#include <condition_variable>
#include <iostream>
#include <set>
#include <stdexcept>
#include <vector>

using namespace unfold;
using Catch::Matchers::ContainsSubstring;
using detail::parallel_for;
using test::ThreadCount;

namespace {

/// How often each task ran.
std::vector<int> runs_of(Index tasks) {
  std::vector<std::atomic<int>> runs(static_cast<std::size_t>(tasks));
  parallel_for(tasks, [&](Index task) { ++runs.at(static_cast<std::size_t>(task)); });
  return {runs.begin(), runs.end()};
}

/// Lets nobody through before `wanted` threads have come; false if they do not come in a minute.
class Meeting {
 public:
  explicit Meeting(int wanted) : wanted_(wanted) {}
  bool join() {
    std::unique_lock lock(mutex_);
    ++here_;
    all_.notify_all();
    return all_.wait_for(lock, std::chrono::minutes(1), [&] { return here_ >= wanted_; });
  }

 private:
  int wanted_, here_ = 0;
  std::mutex mutex_;
  std::condition_variable all_;
};

}  // namespace

TEST_CASE("The thread count is what was set last") {
  const ThreadCount before(3);
  CHECK(threads() == 3);
  for (const int n : {1, 8, 2}) {
    set_threads(n);
    CHECK(threads() == n);
  }
}

TEST_CASE("A thread count out of range is refused and changes nothing") {
  const ThreadCount before(2);
  using Catch::Matchers::Message;
  CHECK_THROWS_MATCHES(set_threads(0), ShapeError, Message("unfold::set_threads: n must be in [1, 1024], got 0"));
  CHECK_THROWS_MATCHES(set_threads(-4), ShapeError, Message("unfold::set_threads: n must be in [1, 1024], got -4"));
  CHECK_THROWS_MATCHES(set_threads(1025), ShapeError, Message("unfold::set_threads: n must be in [1, 1024], got 1025"));
  CHECK(threads() == 2);
}

TEST_CASE("Every task runs once, whatever the number of threads") {
  for (const int n : {1, 2, 3, 4, 8}) {
    const ThreadCount set(n);
    for (const Index tasks : {0, 1, 2, 3, 7, 64, 1000}) {
      CAPTURE(n, tasks);
      CHECK(runs_of(tasks) == std::vector<int>(static_cast<std::size_t>(tasks), 1));
    }
  }
}

TEST_CASE("All threads work at once, the caller among them, each on a task of its own") {
  const ThreadCount set(3);
  Meeting meeting(3);
  std::mutex mutex;
  std::set<std::thread::id> ids;
  std::multiset<Index> tasks;
  parallel_for(3, [&](Index task) {
    const bool all_came = meeting.join();
    const std::lock_guard lock(mutex);
    if (all_came) ids.insert(std::this_thread::get_id());
    tasks.insert(task);
  });
  CHECK(ids.size() == 3);
  CHECK(ids.count(std::this_thread::get_id()) == 1);
  CHECK(tasks == std::multiset<Index>{0, 1, 2});
}

TEST_CASE("No more threads work than were set") {
  const ThreadCount set(3);
  std::mutex mutex;
  int working = 0, most = 0;
  const auto enter = [&](int change) {
    const std::lock_guard lock(mutex);
    working += change;
    most = std::max(most, working);
  };
  parallel_for(60, [&](Index) {
    enter(+1);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // so that every thread would take its part
    enter(-1);
  });
  CHECK(most <= 3);
}

TEST_CASE("One thread runs the tasks in order, in the caller") {
  const ThreadCount set(1);
  std::vector<Index> order;
  std::set<std::thread::id> ids;
  parallel_for(5, [&](Index task) {
    order.push_back(task);
    ids.insert(std::this_thread::get_id());
  });
  CHECK(order == std::vector<Index>{0, 1, 2, 3, 4});
  CHECK(ids == std::set<std::thread::id>{std::this_thread::get_id()});
}

TEST_CASE("An exception of a task reaches the caller, and the loop works on") {
  for (const int n : {1, 4}) {
    const ThreadCount set(n);
    CAPTURE(n);
    for (const Index thrower : {0, 1, 99}) {
      const auto throws = [&](Index task) {
        if (task == thrower) throw std::out_of_range(std::to_string(task));
      };
      CHECK_THROWS_MATCHES(parallel_for(100, throws), std::out_of_range,
                           Catch::Matchers::Message(std::to_string(thrower)));
    }
    CHECK_THROWS_AS(parallel_for(100, [](Index) { throw std::bad_alloc(); }), std::bad_alloc);
    CHECK(!detail::inside_task());
    CHECK(runs_of(100) == std::vector<int>(100, 1));
  }
}

TEST_CASE("Calls that share tasks take each of them once, their numbers rising, and keep what is theirs") {
  for (const int n : {1, 2, 4}) {
    const ThreadCount set(n);
    for (const Index count : {0, 1, 2, 1000}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(count));
      std::atomic<Index> kept = 0, falling = 0;
      detail::share_tasks(count, [&](detail::Tasks& tasks) {
        Index mine = 0, last = -1;
        for (Index task = 0; tasks.take(task); last = task, ++mine) {
          ++runs.at(static_cast<std::size_t>(task));
          falling += task <= last;
        }
        kept += mine;
      });
      CAPTURE(n, count);
      CHECK(std::all_of(runs.begin(), runs.end(), [](const auto& times) { return times == 1; }));
      CHECK(kept == count);
      CHECK(falling == 0);
    }
  }
}

TEST_CASE("An exception before the first task, or of a loop inside a task, reaches who shares the tasks") {
  const ThreadCount set(3);
  CHECK_THROWS_AS(detail::share_tasks(5, [](detail::Tasks&) { throw std::bad_alloc(); }), std::bad_alloc);
  std::atomic<Index> inner = 0;
  const auto nested = [&](detail::Tasks& tasks) {
    for (Index task = 0; tasks.take(task);) {
      detail::share_tasks(4, [&](detail::Tasks& own) {
        for (Index each = 0; own.take(each);) ++inner;
      });
      if (task == 6) throw std::range_error("");
    }
  };
  CHECK_THROWS_AS(detail::share_tasks(7, nested), std::range_error);
  CHECK(inner == 28);
}

TEST_CASE("After an exception the tasks not begun are dropped") {
  for (const int n : {1, 2}) {
    const ThreadCount set(n);
    std::atomic<int> begun = 0;
    const auto first_throws = [&](Index task) {
      ++begun;
      if (task == 0) throw std::runtime_error("first");
      std::this_thread::sleep_for(std::chrono::milliseconds(1));  // so that the first is over long before the last
    };
    CHECK_THROWS_AS(parallel_for(2000, first_throws), std::runtime_error);
    CHECK(begun < (n == 1 ? 2 : 2000));
  }
}

TEST_CASE("A loop inside a task runs all its tasks, in that thread") {
  const ThreadCount set(4);
  std::atomic<int> inner = 0, elsewhere = 0;
  parallel_for(8, [&](Index) {
    const auto here = std::this_thread::get_id();
    parallel_for(5, [&](Index) {
      ++inner;
      if (std::this_thread::get_id() != here) ++elsewhere;
      parallel_for(3, [&](Index) { ++inner; });
    });
  });
  CHECK(inner == 8 * 5 * 4);
  CHECK(elsewhere == 0);
  CHECK_THROWS_AS(parallel_for(8, [](Index) { parallel_for(2, [](Index) { throw std::range_error(""); }); }),
                  std::range_error);
}

TEST_CASE("Several user threads may run loops at once, also while the thread count changes") {
  const ThreadCount set(3);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> users;
  for (int u = 0; u < 4; ++u) {
    users.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        for (const int runs : runs_of(20)) wrong += runs != 1;
      }
    });
  }
  for (int round = 0; round < 20; ++round) set_threads(1 + round % 4);
  for (auto& user : users) user.join();
  CHECK(wrong == 0);
}

TEST_CASE("UNFOLD_NUM_THREADS sets the default; without it the machine's cores do") {
  const test::EnvironmentVariable unset("UNFOLD_NUM_THREADS", nullptr);
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  CHECK(detail::default_threads() == (cores == 0 ? 1 : std::min(cores, 1024)));
  for (const char* const n : {"1", "3", "1024", "007"}) {
    const test::EnvironmentVariable variable("UNFOLD_NUM_THREADS", n);
    CHECK(detail::default_threads() == std::stoi(n));
  }
}

TEST_CASE("An UNFOLD_NUM_THREADS that is no count is refused") {
  for (const char* const text : {"", "0", "-1", "1025", "4x", " 4", "+4", "1.5", "two", "99999999999999999999"}) {
    const test::EnvironmentVariable variable("UNFOLD_NUM_THREADS", text);
    CHECK_THROWS_MATCHES(
        detail::default_threads(), ShapeError,
        Catch::Matchers::Message("unfold::threads: UNFOLD_NUM_THREADS must be an integer in [1, 1024], got \"" +
                                 std::string(text) + "\""));
  }
}

TEST_CASE("child: print the thread count twice", "[.]") {
  for (int i = 0; i < 2; ++i) {
    try {
      std::cout << threads() << '\n';
    } catch (const ShapeError& error) {
      std::cout << error.what() << '\n';
    }
  }
}

TEST_CASE("A process takes its thread count from the environment, and refuses a wrong one at every use") {
  const auto child = [](const char* n) {
    return test::run_child("child: print the thread count twice", {{"UNFOLD_NUM_THREADS", n}});
  };
  CHECK_THAT(child("5"), ContainsSubstring("5\n5\n"));
  const std::string message = "unfold::threads: UNFOLD_NUM_THREADS must be an integer in [1, 1024], got \"many\"\n";
  CHECK_THAT(child("many"), ContainsSubstring(message + message));
}
