// SPDX-License-Identifier: MIT
#include "progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace unfold::program {
namespace {

int terminal_width() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::string clock_text(double seconds) {
  const auto s = static_cast<Index>(std::clamp(std::ceil(seconds), 0.0, 1e9));
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

std::string count_text(Index n) {
  std::string text = fmt::format("{}", n);
  for (std::size_t end = text.size(); end > 3 + (n < 0 ? 1u : 0u); end -= 3) text.insert(end - 3, 1, ',');
  return text;
}

std::string bar_text(Index epoch, Index epochs, double part, double images_a_second, double seconds_left, int width) {
  const std::string head = fmt::format("epoch {}/{} ", epoch, epochs);
  const std::string tail = fmt::format(" {:3.0f}%  {} img/s  {} left", std::floor(100 * part),
                                       count_text(static_cast<Index>(images_a_second)), clock_text(seconds_left));
  const int room = std::min(width - static_cast<int>(head.size() + tail.size()) - 2, 40);
  std::string bar;
  if (room >= 8) {
    const auto filled = static_cast<std::size_t>(part * room);
    bar = '[' + std::string(filled, '#') + std::string(static_cast<std::size_t>(room) - filled, '.') + ']';
  }
  return (head + bar + tail).substr(0, static_cast<std::size_t>(std::max(width, 0)));
}

Progress::Progress(Index epochs, Index images_an_epoch, bool terminal)
    : epochs_(epochs), images_an_epoch_(images_an_epoch), terminal_(terminal) {}

void Progress::show(Index epoch, Index done, Index count) {
  constexpr double redraw = 0.1, line = 10;  // seconds
  passed_ += count;
  const Clock::time_point now = Clock::now();
  const auto seconds = [&](Clock::time_point since) { return std::chrono::duration<double>(now - since).count(); };
  if (seconds(last_) < (terminal_ ? redraw : line)) return;
  last_ = now;
  const double speed = static_cast<double>(passed_) / seconds(begin_);
  const Index left = (epochs_ - epoch + 1) * images_an_epoch_ - done;
  const double seconds_left = static_cast<double>(left) / std::max(speed, 1e-9);
  if (terminal_) {
    const double part = static_cast<double>(done) / static_cast<double>(images_an_epoch_);
    fmt::print("\r{}\x1b[K", bar_text(epoch, epochs_, part, speed, seconds_left, terminal_width() - 1));
    shown_ = true;
  } else {
    fmt::print("epoch {}/{}: {} of {} images, {} img/s, {} left\n", epoch, epochs_, count_text(done),
               count_text(images_an_epoch_), count_text(static_cast<Index>(speed)), clock_text(seconds_left));
  }
  std::fflush(stdout);
}

void Progress::clear() {
  if (shown_) fmt::print("\r\x1b[K");
  shown_ = false;
}

}  // namespace unfold::program
