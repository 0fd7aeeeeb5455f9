// SPDX-License-Identifier: MIT
#include "progress.hpp"

#include "interrupt.hpp"
#include "metrics.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

#include <atomic>
#include <csignal>

namespace unfold::program {
namespace {

TEST_CASE("times and counts are written for people") {
  CHECK(clock_text(0) == "0:00");
  CHECK(clock_text(6.2) == "0:07");
  CHECK(clock_text(750) == "12:30");
  CHECK(clock_text(3723) == "1:02:03");
  CHECK(count_text(0) == "0");
  CHECK(count_text(999) == "999");
  CHECK(count_text(1000) == "1,000");
  CHECK(count_text(-1234567) == "-1,234,567");
}

TEST_CASE("the bar fits the terminal, and gives way where that is narrow") {
  CHECK(bar_text(2, 8, 0.5, 12345.6, 42, 80) ==
        "epoch 2/8 [###################...................]  50%  12,345 img/s  0:42 left");
  CHECK(bar_text(2, 8, 0, 12345.6, 42, 60) == "epoch 2/8 [..................]   0%  12,345 img/s  0:42 left");
  CHECK(bar_text(2, 8, 1, 12345.6, 42, 45) == "epoch 2/8  100%  12,345 img/s  0:42 left");
  CHECK(bar_text(2, 8, 1, 12345.6, 42, 12) == "epoch 2/8  1");
  for (int width = 0; width < 200; ++width) {
    CHECK(bar_text(10, 99, 0.77, 1e6, 1e5, width).size() <= static_cast<std::size_t>(width));
  }
}

TEST_CASE("a row of the table stands under its heads") {
  const EpochRow row{.epoch = 3,
                     .learning_rate = 0.25,
                     .loss = 0.123456,
                     .training_accuracy = 0.98765,
                     .held_out_accuracy = 1,
                     .seconds = 12.34};
  CHECK(table_head() == "epoch      loss   training   held out  seconds");
  CHECK(table_row(row) == "    3    0.1235    98.77 %   100.00 %     12.3");
}

TEST_CASE("metrics.csv begins anew, or after the epochs that a resumed training has behind it") {
  const test::ScratchFolder folder;
  const auto path = folder / "metrics.csv";
  const std::string head = "epoch,learning_rate,loss,training_accuracy,held_out_accuracy,seconds\n";
  const auto row = [](Index epoch) { return EpochRow{epoch, 0.25, 1.5, 0.5, 0.75, 2}; };
  test::write_whole(path, "rubbish\n");
  MetricsFile file(path, 0);
  CHECK(test::read_whole(path) == head);
  for (const Index epoch : {1, 2, 3}) file.add(row(epoch));
  const std::string one = "1,0.25,1.5,0.5,0.75,2.000\n", two = "2" + one.substr(1), three = "3" + one.substr(1);
  CHECK(test::read_whole(path) == head + one + two + three);
  MetricsFile resumed(path, 2);
  CHECK(test::read_whole(path) == head + one + two);
  resumed.add(row(3));
  CHECK(test::read_whole(path) == head + one + two + three);
  MetricsFile elsewhere(folder / "new.csv", 2);
  CHECK(test::read_whole(folder / "new.csv") == head);
}

std::atomic<int> others = 0;
extern "C" void count_signal(int /*signal*/) { ++others; }

TEST_CASE("a signal is a request while an Interrupt lives, and what it was before afterwards") {
  for (const int signal : {SIGINT, SIGTERM}) {
    others = 0;
    const auto before = std::signal(signal, count_signal);
    {
      const Interrupt interrupt;
      CHECK_FALSE(interrupt.requested());
      std::raise(signal);
      CHECK(interrupt.requested());
      CHECK(others == 0);
    }
    std::raise(signal);
    CHECK(others == 1);
    const Interrupt again;
    CHECK_FALSE(again.requested());
    std::signal(signal, before);
  }
}

}  // namespace
}  // namespace unfold::program
