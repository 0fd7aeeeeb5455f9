// SPDX-License-Identifier: MIT
// How many threads the products use, and the parallel loop over tasks.
// Tasks are cut by the geometry alone, never by the thread count, so results do not depend on it.
#pragma once

#include <unfold/core/workspace.hpp>

#include <algorithm>  // std::min
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace unfold {
namespace detail {

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

/// True while the calling thread runs a task of share_tasks or parallel_for; a loop inside a task runs serially.
inline bool& inside_task() {
  thread_local bool inside = false;
  return inside;
}

/// The tasks of a loop, by number: every thread that works on it takes its own from here, one after the other.
class Tasks {
 public:
  explicit Tasks(Index count) : count_(count) {}

  /// Whether a task was left, which is the caller's then.
  bool take(Index& task) { return (task = next_++) < count_; }
  /// Leaves none.
  void drop() { next_ = count_; }

 private:
  Index count_;
  std::atomic<Index> next_{0};
};

/// What a thread does with the tasks that it takes, whatever it is: one instance of the code below serves all.
struct Work {
  void (*call)(const void* f, Tasks& tasks);
  const void* f;

  void operator()(Tasks& tasks) const { call(f, tasks); }
};

/// The tasks of one loop and what is done with them, for every thread that works on it.
class Job {
 public:
  Job(Index tasks, const Work& f) : tasks_(tasks), f_(f) {}

  /// Works until no task is left to begin. The first exception of one is kept, and ends the job.
  void work() {
    inside_task() = true;
    try {
      f_(tasks_);
    } catch (...) {
      tasks_.drop();
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
    inside_task() = false;
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  friend class ThreadPool;

  Tasks tasks_;
  const Work& f_;
  std::mutex mutex_;
  std::exception_ptr error_;
  // Of the pool, written under its mutex: how many more threads may come, the job after this one, and how many threads
  // are at work, whose last does not touch the job again.
  Index wanted_ = 0;
  Job* following_ = nullptr;
  std::atomic<Index> working_ = 0;
};

/// Threads that help with jobs. Each owns its Workspace from the start, so that no task allocates it.
class ThreadPool {
 public:
  explicit ThreadPool(int threads) : ThreadPool() {  // delegates, so that the threads end where one cannot begin
    threads_.reserve(static_cast<std::size_t>(threads));
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { help(); });
  }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    news_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  Index size() const { return static_cast<Index>(threads_.size()); }

  /// Works on the job with up to `helpers` of the threads; returns when nobody works on it any more.
  void run(Job& job, Index helpers) {
    {
      const std::lock_guard lock(mutex_);
      job.wanted_ = helpers;
      Job** last = &first_;
      while (*last != nullptr) last = &(*last)->following_;
      *last = &job;
      waiting_ = true;
    }
    helpers == 1 ? news_.notify_one() : news_.notify_all();
    job.work();
    {
      const std::lock_guard lock(mutex_);
      if (job.wanted_ > 0) forget(job);  // who has not come would find no task
    }
    const auto all_done = [&] { return job.working_.load(std::memory_order_acquire) == 0; };
    if (comes_soon(all_done)) return;
    std::unique_lock lock(mutex_);
    done_.wait(lock, all_done);
  }

 private:
  ThreadPool() = default;

  /// The life of a thread.
  void help() {
    try {
      Workspace::block();
      // NOLINTNEXTLINE(bugprone-empty-catch): a task asks again, and its caller can be told
    } catch (const std::bad_alloc&) {
    }
    for (;;) {
      look_out();
      std::unique_lock lock(mutex_);
      news_.wait(lock, [&] { return closing_ || first_ != nullptr; });
      if (first_ == nullptr) return;
      Job& job = *first_;
      ++job.working_;
      if (--job.wanted_ == 0) forget(job);
      lock.unlock();
      job.work();
      lock.lock();
      if (--job.working_ == 0) done_.notify_all();
    }
  }

  /// Stays awake for a moment, one thread at a time: mostly the next job comes soon.
  void look_out() {
    if (looking_out_.exchange(true)) return;
    comes_soon([&] { return waiting_.load(std::memory_order_relaxed); });
    looking_out_ = false;
  }

  /// Whether something comes within some ten microseconds, about what it costs to fall asleep and be woken.
  template <class Come>
  static bool comes_soon(const Come& come) {
    for (int i = 0; i < 500; ++i) {
      if (come()) return true;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#else
      std::this_thread::yield();
#endif
    }
    return false;
  }

  void forget(const Job& job) {
    Job** place = &first_;
    while (*place != &job) place = &(*place)->following_;
    *place = job.following_;
    waiting_ = first_ != nullptr;
  }

  std::mutex mutex_;
  std::condition_variable news_, done_;
  Job* first_ = nullptr;  // the jobs that want more threads, the oldest first
  bool closing_ = false;
  std::atomic<bool> waiting_ = false;  // first_ is not null
  std::atomic<bool> looking_out_ = false;
  std::vector<std::thread> threads_;
};

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

/// The loop of share_tasks.
inline void run_tasks(Index count, const Work& f) {
  std::shared_ptr<ThreadPool> pool;
  if (count > 1 && !inside_task()) pool = ThreadSetting::instance().pool();
  if (!pool) {
    Tasks tasks(count);
    f(tasks);
    return;
  }
  Job job(count, f);
  pool->run(job, std::min(count - 1, pool->size()));
  job.rethrow();
}

/// Calls f(tasks) on up to threads() threads, the caller among them; in each call it takes tasks of the numbers
/// [0, count), which rise, until none is left, and may keep what one of them made for the next. A thread may come late
/// and find none, or call f again. Returns when all are done. Which call gets a task, and when, is not fixed: tasks
/// must write to disjoint places. The first exception is thrown again here; tasks not begun are dropped.
template <class F>
void share_tasks(Index count, const F& f) {
  run_tasks(count, {[](const void* function, Tasks& tasks) { (*static_cast<const F*>(function))(tasks); }, &f});
}

/// Calls f(task) for every task in [0, count), each once: share_tasks for tasks that have nothing in common.
template <class F>
void parallel_for(Index count, const F& f) {
  share_tasks(count, [&](Tasks& tasks) {
    for (Index task = 0; tasks.take(task);) f(task);
  });
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
