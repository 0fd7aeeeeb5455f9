// SPDX-License-Identifier: MIT
// How many threads the products use, and the parallel loop over tasks.
// Tasks are cut by the geometry alone, never by the thread count, so results do not depend on it.
#pragma once

#include <unfold/core/workspace.hpp>

#include <unsupported/Eigen/CXX11/ThreadPool>

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

namespace unfold {
namespace detail {

/// Worker threads that own their Workspace from the start, so that no later task allocates it.
struct WorkerEnvironment : Eigen::StlThreadEnvironment {
  static EnvThread* CreateThread(std::function<void()> run) {
    return new EnvThread([run = std::move(run)] {
      Workspace::block();
      run();
    });
  }
};
using ThreadPool = Eigen::ThreadPoolTempl<WorkerEnvironment>;

inline constexpr int most_threads = 1024;

inline int default_threads() {
  if (const char* text = std::getenv("UNFOLD_NUM_THREADS")) {
    const std::string_view digits(text);
    int n = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
    if (error != std::errc() || end != digits.data() + digits.size() || n < 1 || n > most_threads) {
      fail("threads", "UNFOLD_NUM_THREADS must be an integer in [1, 1024]", "\"" + std::string(digits) + "\"");
    }
    return n;
  }
  const unsigned cores = std::thread::hardware_concurrency();
  return cores == 0 ? 1 : static_cast<int>(cores < most_threads ? cores : most_threads);
}

/// The process's thread count and its pool of one thread less: the caller works too.
class ThreadSetting {
 public:
  static ThreadSetting& instance() {
    static ThreadSetting setting;
    return setting;
  }

  int count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

  void set(int n) {
    std::shared_ptr<ThreadPool> old;  // joined after the lock is released
    const std::lock_guard lock(mutex_);
    if (n != count_) old = std::exchange(pool_, nullptr);
    count_ = n;
  }

  /// The pool, made at its first use; null for one thread.
  std::shared_ptr<ThreadPool> pool() {
    const std::lock_guard lock(mutex_);
    if (!pool_ && count_ > 1) pool_ = std::make_shared<ThreadPool>(count_ - 1);
    return pool_;
  }

 private:
  std::mutex mutex_;
  int count_ = default_threads();
  std::shared_ptr<ThreadPool> pool_;
};

/// True while the calling thread runs a task of parallel_for; a loop inside a task runs serially.
inline bool& inside_task() {
  thread_local bool inside = false;
  return inside;
}

/// A task by number, whatever it is: one instance of the loop below serves all.
struct Task {
  void (*call)(const void* f, Index task);
  const void* f;

  void operator()(Index task) const { call(f, task); }
};

/// The loop of parallel_for.
inline void run_tasks(Index tasks, const Task& f) {
  std::shared_ptr<ThreadPool> pool;
  if (tasks > 1 && !inside_task()) pool = ThreadSetting::instance().pool();
  if (!pool) {
    for (Index task = 0; task < tasks; ++task) f(task);
    return;
  }
  const Index helpers = tasks - 1 < pool->NumThreads() ? tasks - 1 : pool->NumThreads();
  struct Job {
    const Task& f;
    Index tasks;
    Eigen::Barrier done;
    std::atomic<Index> next{0};
    std::mutex mutex;
    std::exception_ptr error;

    void work() {
      inside_task() = true;
      try {
        for (Index task = next++; task < tasks; task = next++) f(task);
      } catch (...) {
        next = tasks;
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
      }
      inside_task() = false;
    }
  } job{f, tasks, Eigen::Barrier(static_cast<unsigned>(helpers)), {}, {}, {}};
  for (Index h = 0; h < helpers; ++h) {
    pool->Schedule([&job] {
      job.work();
      job.done.Notify();
    });
  }
  job.work();
  job.done.Wait();
  if (job.error) std::rethrow_exception(job.error);
}

/// Calls f(task) for every task in [0, tasks), each once, on up to threads() threads, the caller among
/// them; returns when all are done. Which thread runs a task, and when, is not fixed: tasks must write
/// to disjoint places. The first exception of a task is thrown again here; tasks not begun are dropped.
template <class F>
void parallel_for(Index tasks, const F& f) {
  run_tasks(tasks, {[](const void* task_function, Index task) { (*static_cast<const F*>(task_function))(task); }, &f});
}

}  // namespace detail

/// Sets how many threads the products of this process use from now on.
/// Errors  ShapeError unless 1 <= n <= 1024
inline void set_threads(int n) {
  detail::require(n >= 1 && n <= detail::most_threads, "set_threads", "n must be in [1, 1024]", n);
  detail::ThreadSetting::instance().set(n);
}

/// The number of threads: set_threads(), else the environment's UNFOLD_NUM_THREADS, else the machine's cores.
/// Errors  ShapeError at the first use if UNFOLD_NUM_THREADS is no integer in [1, 1024]
inline int threads() { return detail::ThreadSetting::instance().count(); }

}  // namespace unfold
