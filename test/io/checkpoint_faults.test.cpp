// SPDX-License-Identifier: MIT
// A checkpoint is at every moment the old state or the new one in full: whichever system call of a save fails, and
// wherever kill -9 meets a training that saves.
#include "io/system_calls.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/shared_data.hpp"

#include <unfold/core/random.hpp>
#include <unfold/io/checkpoint.hpp>

#include <sys/mman.h>
#include <sys/wait.h>

#include <atomic>
#include <csignal>
#include <span>

using unfold::Index;
using unfold::load_checkpoint;
using unfold::save_checkpoint;
using unfold::Shape;
using unfold::Tensor;
using unfold::test::ScratchFolder;
using unfold::test::SystemCalls;

namespace {

/// A network whose weights do not fit the 64 KiB that a save gathers, with a training that forgets no bit: each weight
/// follows the logistic map, in which a difference of one bit soon is one of all.
struct Net {
  Tensor<float, 2> weights{{30, 1000}};
  Tensor<double, 1> bias{Shape<1>(3)};
  std::int64_t step = 0;

  Net() {
    for (Index i = 0; i < weights.size(); ++i) weights.data()[i] = static_cast<float>(i + 1) / 30002;
    for (Index i = 0; i < bias.size(); ++i) bias(i) = static_cast<double>(i + 1) / 5;
  }

  void train() {
    for (float& w : std::span(weights.data(), 30'000)) w = 3.9F * w * (1 - w);
    for (double& b : std::span(bias.data(), 3)) b = 3.9 * b * (1 - b);
    ++step;
  }

  void train_until(std::int64_t last) {
    while (step < last) train();
  }

  template <class Visit>
  void visit_state(Visit&& visit) {
    visit("0.weights", weights.view());
    visit("0.bias", bias.view());
  }

  bool operator==(const Net&) const = default;
};

void save(const std::filesystem::path& path, Net& net) {
  save_checkpoint(path, net, {{"step", std::to_string(net.step)}});
}

Net load(const std::filesystem::path& path) {
  Net net;
  net.step = std::stoll(load_checkpoint(path, net).at("step"));
  return net;
}

/// The calls of a save over an old file.
std::vector<std::string> calls_of_a_save(const std::filesystem::path& path) {
  Net net;
  save(path, net);
  SystemCalls calls;
  save(path, net);
  return calls.log;
}

}  // namespace

TEST_CASE(
    "whichever call of a checkpoint's save fails, the old state or the new one is there in full, and it is said") {
  const ScratchFolder folder;
  const std::filesystem::path path = folder / "c";
  const std::vector<std::string> names = calls_of_a_save(path);
  const auto renamed = static_cast<std::size_t>(std::find(names.begin(), names.end(), "rename") - names.begin());
  REQUIRE(renamed < names.size());
  CHECK(std::count(names.begin(), names.end(), "write") == 2);
  Net old;
  Net next;
  next.train();
  for (const int error : {ENOSPC, EIO, EDQUOT, EROFS, EACCES}) {
    for (std::size_t call = 0; call < names.size(); ++call) {
      save(path, old);
      {
        SystemCalls calls;
        calls.fails_at = call;
        calls.error = error;
        CHECK_THROWS_AS(save(path, next), std::system_error);
      }
      INFO(names[call]);
      CHECK(load(path) == (call <= renamed ? old : next));
    }
  }
}

TEST_CASE("a checkpoint that cannot be read changes nothing, whichever call fails") {
  const ScratchFolder folder;
  Net saved;
  saved.train();
  save(folder / "c", saved);
  SystemCalls reading;
  CHECK(load(folder / "c") == saved);
  for (std::size_t call = 0; call < reading.log.size(); ++call) {
    Net net;
    SystemCalls calls;
    calls.fails_at = call;
    calls.error = EIO;
    CHECK_THROWS_AS(load_checkpoint(folder / "c", net), std::system_error);
    CHECK(net == Net());
  }
  CHECK(reading.log.size() == 5);  // open, fstat, and pread of the length, the header and the elements
}

namespace {

/// What the trainer, a process of its own, says of itself.
struct Progress {
  std::atomic<std::int64_t> saved;  // the last step whose save has come back
  std::atomic<bool> there;          // at the call where it is to be killed
};

enum class Moment { before, after, later };

/// Takes up the training where the file leaves it, and saves after each step, for ever. In its second save it says
/// when it is at the call of that number, and waits before or after it for being killed; or goes on, to be killed
/// later.
[[noreturn]] void train_and_save(const std::filesystem::path& path, std::size_t call, Moment moment,
                                 Progress& progress) {
  try {
    Net net = load(path);
    SystemCalls calls;
    bool again = false;
    calls.before = [&](std::size_t number) {
      if (!again || number != call || moment == Moment::after) return;
      progress.there = true;
      while (moment == Moment::before) ::pause();
    };
    calls.after = [&](std::size_t number) {
      if (!again || number != call || moment != Moment::after) return;
      progress.there = true;
      for (;;) ::pause();
    };
    for (;; again = true) {
      net.train();
      calls.log.clear();
      save(path, net);
      progress.saved = net.step;
    }
  } catch (...) {
    ::_exit(1);
  }
}

}  // namespace

TEST_CASE("kill -9 at any moment of a training leaves a checkpoint from which it goes on as if nothing had been") {
  const ScratchFolder folder;
  const std::filesystem::path path = folder / "c";
  const std::size_t calls = calls_of_a_save(path).size();
  void* const memory = ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  auto& progress = *new (memory) Progress();
  Net uninterrupted;
  unfold::Random random(1);
  const std::size_t kills = (unfold::test::long_tests() ? 3 * 78 : 6) * calls;  // 3,042 or 78, a third of each moment
  for (std::size_t kill = 0; kill < kills; ++kill) {
    const std::size_t call = kill % calls;
    const auto moment = static_cast<Moment>(kill / calls % 3);
    progress.there = false;
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) train_and_save(path, call, moment, progress);
    int status = 0;
    while (!progress.there && ::waitpid(child, &status, WNOHANG) == 0) ::usleep(20);
    REQUIRE(progress.there);
    if (moment == Moment::later) ::usleep(static_cast<useconds_t>(random.below(300)));
    ::kill(child, SIGKILL);
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));

    INFO("kill " << kill << ", at call " << call << " of a save");
    const Net left = load(path);
    uninterrupted.train_until(left.step);
    CHECK(left == uninterrupted);
    CHECK((left.step == progress.saved || left.step == progress.saved + 1));
    CHECK(folder.count() <= 2);
  }
  Net last = load(path);
  save(path, last);
  CHECK(folder.count() == 1);  // the temporary left behind was taken over
  ::munmap(memory, sizeof(Progress));
}
