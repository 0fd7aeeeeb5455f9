// SPDX-License-Identifier: MIT
// How far a training is: a bar that redraws itself on a terminal, a plain line now and then elsewhere.
#pragma once

#include <unfold/core/shape.hpp>

#include <chrono>
#include <string>

namespace unfold::program {

/// "0:07", "12:30", "1:02:03"
std::string clock_text(double seconds);

/// "12,345"
std::string count_text(Index n);

/// The bar, at most `width` columns:
///   epoch 2/8 [#########...........]  45%  12,345 img/s  0:42 left
std::string bar_text(Index epoch, Index epochs, double part, double images_a_second, double seconds_left, int width);

class Progress {
 public:
  /// For a training that has to pass `images` images until its end, of which some may be done in earlier runs.
  Progress(Index epochs, Index images_an_epoch, bool terminal);

  /// `done` images of epoch `epoch`, from 1, are done. `count` of them were done since the last call.
  void show(Index epoch, Index done, Index count);

  /// Takes the bar off the terminal's line, so that a whole line can be printed.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  Index epochs_, images_an_epoch_;
  bool terminal_;
  bool shown_ = false;
  Index passed_ = 0;  // images since `begin_`
  Clock::time_point begin_ = Clock::now(), last_ = begin_;
};

}  // namespace unfold::program
