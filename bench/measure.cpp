// SPDX-License-Identifier: MIT
#include "measure.hpp"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>

namespace unfold::bench {
namespace {

double now(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// Takes the times of each round; what it is called is the contender's place.
class LeastTimes : public benchmark::BenchmarkReporter {
 public:
  LeastTimes(std::size_t contenders, int threads)
      : least_(contenders, {std::numeric_limits<double>::infinity(), 0}), threads_(threads) {}

  const std::vector<Measured>& least() const { return least_; }

  bool ReportContext(const Context&) override { return true; }

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      const std::string& name = run.run_name.function_name;
      Measured& m = least_[std::stoul(name.substr(name.find(':') + 1))];
      const double total = threads_ == 1 ? run.cpu_accumulated_time : run.real_accumulated_time;
      m.seconds = std::min(m.seconds, total / static_cast<double>(run.iterations));
      ++m.rounds;
    }
  }

 private:
  std::vector<Measured> least_;
  int threads_;
};

/// Seconds of one call.
double one_call(const std::function<void()>& run, int threads) {
  const double process = now(CLOCK_PROCESS_CPUTIME_ID), thread = now(CLOCK_THREAD_CPUTIME_ID);
  const double wall = now(CLOCK_MONOTONIC);
  run();
  const double elapsed = now(CLOCK_MONOTONIC) - wall;
  const double here = now(CLOCK_THREAD_CPUTIME_ID) - thread, everywhere = now(CLOCK_PROCESS_CPUTIME_ID) - process;
  if (threads == 1 && everywhere > 1.1 * here + 1e-3) {
    throw std::runtime_error(
        fmt::format("on one thread, {:.3g} s of {:.3g} s were spent by others", everywhere - here, everywhere));
  }
  return elapsed;
}

void initialize() {
  static const bool once = [] {
    std::string arguments[] = {"bench", "--benchmark_enable_random_interleaving=true"};
    char* argv[] = {arguments[0].data(), arguments[1].data(), nullptr};
    int argc = 2;
    benchmark::Initialize(&argc, argv);
    return true;
  }();
  static_cast<void>(once);
}

}  // namespace

std::vector<Measured> least_times(const std::vector<std::function<void()>>& runs, int threads, double seconds) {
  initialize();
  benchmark::ClearRegisteredBenchmarks();
  bool more_rounds = false;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const double call = one_call(runs[i], threads);
    const bool once = call > seconds / 4;
    more_rounds = more_rounds || !once;
    const double least_sample = 2e-4;  // seconds: a thousand times what reading the clock takes
    const auto calls = static_cast<benchmark::IterationCount>(std::ceil(std::max(1.0, least_sample / call)));
    const auto timed = [&run = runs[i], threads, once](benchmark::State& state) {
      if (threads > 1) {
        // The threads of the one before it wait for more work in a loop, for milliseconds, on the cores that this one
        // needs. Then a call that wakes this one's own threads.
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        if (!once) run();
      }
      for (auto _ : state) run();
    };
    benchmark::RegisterBenchmark(fmt::format("{}:{}", once ? "once" : "each", i).c_str(), timed)
        ->Iterations(calls)
        ->UseRealTime();
  }
  LeastTimes reporter(runs.size(), threads);
  const double begin = now(CLOCK_MONOTONIC);
  benchmark::RunSpecifiedBenchmarks(&reporter, ".");
  for (int round = 1; more_rounds && (round < 3 || now(CLOCK_MONOTONIC) - begin < seconds); ++round) {
    benchmark::RunSpecifiedBenchmarks(&reporter, "^each");
  }
  return reporter.least();
}

}  // namespace unfold::bench
