// SPDX-License-Identifier: MIT
#include "training.hpp"

#include "interrupt.hpp"
#include "metrics.hpp"
#include "pass.hpp"
#include "progress.hpp"
#include "training_state.hpp"
#include "usage.hpp"

#include <unfold/core/random.hpp>
#include <unfold/core/threads.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string_view>

namespace unfold::program {
namespace {

bool on_terminal() {
  const char* const term = std::getenv("TERM");
  return isatty(STDOUT_FILENO) != 0 && term != nullptr && std::string_view(term) != "dumb";
}

/// The seconds since it was made.
class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin_ = Clock::now();
};

class Training {
 public:
  Training(const TrainOptions& options, const Dataset& data)
      : options_(options),
        data_(data),
        scale_(data.training),
        network_(make_network(options.model, options.precision,
                              {data.training.pixels.shape(1), data.training.pixels.shape(2)}, scale_)),
        batches_((data.training.size() + options.batch - 1) / options.batch),
        progress_(options.epochs, data.training.size(), on_terminal()) {}

  void begin() {
    network_->initialize(options_.seed);
    state_.generator = Random(options_.seed).next();
    state_.data = data_.fingerprint();
  }

  void resume(const Metadata& metadata) {
    const std::string file = options_.resume.string();
    state_ = read_state(metadata, file);
    if (state_.data != data_.fingerprint()) {
      throw UsageError(fmt::format("{} was trained on other images than these of {}", file, data_name()));
    }
    if (state_.epoch > options_.epochs || state_.batch > batches_) {
      throw FormatError(fmt::format("{}: its state lies behind its end, got epoch {} of {}, batch {} of {}", file,
                                    state_.epoch, options_.epochs, state_.batch, batches_));
    }
    network_->load(options_.resume);
  }

  void run() {
    if (state_.epoch == options_.epochs) {
      print_line("all epochs are done already");
      return;
    }
    const Interrupt interrupt;
    const Stopwatch stopwatch;
    std::filesystem::create_directories(options_.out);
    MetricsFile metrics(options_.out / "metrics.csv", state_.epoch);
    print_head();
    double accuracy = 0;
    while (state_.epoch < options_.epochs) {
      const Stopwatch epoch_stopwatch;
      Random random(0);
      random.set_state(state_.generator);
      const Pass pass(data_.training.size(), options_.shift, random);
      const std::optional<Score> held_out = train_epoch(pass, interrupt) ? evaluate(interrupt) : std::nullopt;
      if (!held_out) {
        stop();
        return;
      }
      accuracy = part(held_out->correct, data_.held_out.size());
      const EpochRow row{.epoch = state_.epoch + 1,
                         .learning_rate = learning_rate(batches_ - 1),
                         .loss = state_.score.loss / static_cast<double>(data_.training.size()),
                         .training_accuracy = part(state_.score.correct, data_.training.size()),
                         .held_out_accuracy = accuracy,
                         .seconds = epoch_stopwatch.seconds()};
      print_line(table_row(row));
      metrics.add(row);
      state_ = {.epoch = state_.epoch + 1, .generator = random.state(), .data = state_.data};
      save();
    }
    print_line(fmt::format("{:.2f} % of the held-out images are right after {:.1f} s; saved {}", 100 * accuracy,
                           stopwatch.seconds(), checkpoint().string()));
  }

 private:
  static double part(Index n, Index of) { return static_cast<double>(n) / static_cast<double>(of); }

  std::string data_name() const { return options_.data.empty() ? "the digits drawn here" : options_.data.string(); }

  std::filesystem::path checkpoint() const { return options_.out / "checkpoint.safetensors"; }

  /// Of batch `batch` of the current epoch.
  double learning_rate(Index batch) const {
    const double done = part(state_.epoch * batches_ + batch, options_.epochs * batches_);
    return options_.learning_rate * schedule_factor(options_.schedule, done);
  }

  /// The batches of this epoch that are not done yet; false if interrupted.
  bool train_epoch(const Pass& pass, const Interrupt& interrupt) {
    while (state_.batch < batches_) {
      const Batch batch = pass.batch(state_.batch * options_.batch, options_.batch);
      const Score score = network_->train(
          data_.training, batch,
          {.learning_rate = learning_rate(state_.batch), .momentum = options_.momentum, .decay = options_.decay});
      ++state_.batch;
      state_.score.loss += score.loss;
      state_.score.correct += score.correct;
      if (!std::isfinite(score.loss)) {
        progress_.clear();
        throw std::runtime_error(
            fmt::format("the loss is no longer finite in batch {} of epoch {}; a smaller "
                        "--learning-rate may help",
                        state_.batch, state_.epoch + 1));
      }
      const Index done = std::min(state_.batch * options_.batch, data_.training.size());
      progress_.show(state_.epoch + 1, done, batch.size());
      if (interrupt.requested()) return false;
    }
    return true;
  }

  /// The score on the held-out images; none if interrupted.
  std::optional<Score> evaluate(const Interrupt& interrupt) const {
    const Pass pass(data_.held_out.size());
    Score sum;
    for (Index begin = 0; begin < data_.held_out.size(); begin += options_.batch) {
      const Score score = network_->evaluate(data_.held_out, pass.batch(begin, options_.batch));
      sum.loss += score.loss;
      sum.correct += score.correct;
      if (interrupt.requested()) return std::nullopt;
    }
    return sum;
  }

  void save() const {
    Metadata metadata;
    write_options(options_, metadata);
    write_state(state_, metadata);
    metadata["pixel_mean"] = text_of(scale_.mean());  // what a user of the network must do to an image
    metadata["pixel_deviation"] = text_of(scale_.deviation());
    network_->save(checkpoint(), metadata);
  }

  void stop() {
    save();
    print_line(fmt::format("stopped after {} of {} batches of epoch {}; go on with: unfold train --resume {}",
                           state_.batch, batches_, state_.epoch + 1, checkpoint().string()));
  }

  void print_head() {
    print_line(fmt::format("{} in {}: {} parameters, {} thread{}", name_of(options_.model), name_of(options_.precision),
                           count_text(network_->parameter_count()), threads(), threads() == 1 ? "" : "s"));
    print_line(fmt::format("{}: {} images to train on, {} held out", data_name(), count_text(data_.training.size()),
                           count_text(data_.held_out.size())));
    print_line(table_head());
  }

  void print_line(const std::string& line) {
    progress_.clear();
    fmt::print("{}\n", line);
    std::fflush(stdout);
  }

  TrainOptions options_;
  const Dataset& data_;
  PixelScale scale_;
  std::unique_ptr<Network> network_;
  Index batches_;  // an epoch
  Progress progress_;
  TrainingState state_;
};

}  // namespace

void train(const TrainOptions& options, const std::set<std::string>& given) {
  TrainOptions effective = options;
  if (!given.contains("learning-rate")) effective.learning_rate = default_learning_rate(options.model);
  Metadata stored;
  if (!options.resume.empty()) {
    stored = Safetensors(options.resume).metadata();
    effective = resumed_options(options, given, stored);  // the stored learning rate too
    if (!given.contains("out")) effective.out = options.resume.parent_path();
  }
  const Dataset data = effective.data.empty() ? drawn_digits() : read_dataset(effective.data);
  Training training(effective, data);
  if (options.resume.empty()) {
    training.begin();
  } else {
    training.resume(stored);
  }
  training.run();
}

}  // namespace unfold::program
