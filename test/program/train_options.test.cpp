// SPDX-License-Identifier: MIT
#include "train_options.hpp"

#include "support/catch.hpp"
#include "support/files.hpp"
#include "training_state.hpp"
#include "usage.hpp"

#include <limits>
#include <string>

namespace unfold::program {
namespace {

using test::error_of;

TrainOptions unusual() {
  TrainOptions options;
  options.data = "images";
  options.model = Model::mobile_mini;
  options.precision = Precision::twofold;
  options.epochs = 17;
  options.batch = 5;
  options.learning_rate = 0.1 + 0.2;  // 0.30000000000000004: every digit counts
  options.momentum = 1e-300;
  options.decay = 0;
  options.schedule = Schedule::constant;
  options.shift = 3;
  options.seed = std::numeric_limits<std::uint64_t>::max();
  options.out = "out";
  options.resume = "old/checkpoint.safetensors";
  return options;
}

Metadata stored(const TrainOptions& options) {
  Metadata metadata;
  write_options(options, metadata);
  return metadata;
}

/// Defaults, but to be resumed.
TrainOptions resuming() {
  TrainOptions options;
  options.resume = "c.safetensors";
  return options;
}

TEST_CASE("options come back from a checkpoint as they were stored, but for where to write") {
  const TrainOptions back = resumed_options(resuming(), {}, stored(unusual()));
  CHECK(back.data == "images");
  CHECK(back.model == Model::mobile_mini);
  CHECK(back.precision == Precision::twofold);
  CHECK(back.epochs == 17);
  CHECK(back.batch == 5);
  CHECK(back.learning_rate == 0.1 + 0.2);
  CHECK(back.momentum == 1e-300);
  CHECK(back.decay == 0);
  CHECK(back.schedule == Schedule::constant);
  CHECK(back.shift == 3);
  CHECK(back.seed == std::numeric_limits<std::uint64_t>::max());
  CHECK(back.out == resuming().out);
  CHECK(back.resume == "c.safetensors");
}

TEST_CASE("an option given again must be what it was") {
  TrainOptions caller = resuming();
  caller.batch = 5;
  CHECK(resumed_options(caller, {"batch"}, stored(unusual())).batch == 5);
  caller.batch = 6;
  CHECK(error_of<UsageError>([&] { resumed_options(caller, {"batch"}, stored(unusual())); }) ==
        "--batch 6 differs from the 5 that c.safetensors was trained with; leave it out, or begin anew");
  caller.model = Model::lenet;
  CHECK(error_of<UsageError>([&] { resumed_options(caller, {"model"}, stored(unusual())); }) ==
        "--model lenet differs from the mobile-mini that c.safetensors was trained with; leave it out, or begin anew");
}

TEST_CASE("the data may have moved") {
  TrainOptions caller = resuming();
  caller.data = "elsewhere";
  CHECK(resumed_options(caller, {"data"}, stored(unusual())).data == "elsewhere");
}

TEST_CASE("more epochs are allowed under the constant schedule alone, fewer never") {
  TrainOptions caller = resuming();
  caller.epochs = 18;
  CHECK(resumed_options(caller, {"epochs"}, stored(unusual())).epochs == 18);
  TrainOptions cosine = unusual();
  cosine.schedule = Schedule::cosine;
  CHECK(error_of<UsageError>([&] { resumed_options(caller, {"epochs"}, stored(cosine)); }) ==
        "--epochs 18 differs from the 17 that c.safetensors was trained with; leave it out, or begin anew");
  caller.epochs = 16;
  CHECK(error_of<UsageError>([&] { resumed_options(caller, {"epochs"}, stored(unusual())); }) ==
        "--epochs 16 differs from the 17 that c.safetensors was trained with; leave it out, or begin anew");
}

TEST_CASE("metadata that is missing or makes no sense is refused by key and file") {
  Metadata metadata = stored(unusual());
  const auto refused = [&] { return error_of<FormatError>([&] { resumed_options(resuming(), {}, metadata); }); };
  metadata["seed"] = "12x";
  CHECK(refused() == "c.safetensors: metadata \"seed\" cannot be read, got \"12x\"");
  metadata["schedule"] = "sometimes";
  CHECK(refused() == "c.safetensors: metadata \"schedule\" cannot be read, got \"sometimes\"");
  metadata.erase("model");
  CHECK(refused() == "c.safetensors: metadata \"model\" must be there, got none");
}

TEST_CASE("the state of a training comes back as it was stored") {
  const TrainingState state{
      .epoch = 3, .batch = 7, .score = {0.1 + 0.2, 99}, .generator = ~std::uint64_t{5}, .data = 42};
  Metadata metadata;
  write_state(state, metadata);
  const TrainingState back = read_state(metadata, "c");
  CHECK(back.epoch == 3);
  CHECK(back.batch == 7);
  CHECK(back.score.loss == 0.1 + 0.2);
  CHECK(back.score.correct == 99);
  CHECK(back.generator == ~std::uint64_t{5});
  CHECK(back.data == 42);
  metadata["state.batch"] = "-1";
  CHECK(error_of<FormatError>([&] { read_state(metadata, "c"); }) ==
        "c: metadata \"state.batch\" must be >= 0, got -1");
}

}  // namespace
}  // namespace unfold::program
