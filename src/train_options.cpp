// SPDX-License-Identifier: MIT
#include "train_options.hpp"

#include "usage.hpp"

namespace unfold::program {
namespace {

/// Calls visit(name, option) for each option that the course of a training depends on.
template <class Options, class Visit>
void for_each_option(Options& options, const Visit& visit) {
  visit("model", options.model);
  visit("precision", options.precision);
  visit("epochs", options.epochs);
  visit("batch", options.batch);
  visit("learning-rate", options.learning_rate);
  visit("momentum", options.momentum);
  visit("decay", options.decay);
  visit("schedule", options.schedule);
  visit("shift", options.shift);
  visit("seed", options.seed);
}

}  // namespace

void write_options(const TrainOptions& options, Metadata& metadata) {
  for_each_option(options, [&](const char* name, const auto& value) { metadata[name] = text_of(value); });
  metadata["data"] = options.data.string();
}

TrainOptions resumed_options(const TrainOptions& caller, const std::set<std::string>& given, const Metadata& stored) {
  const std::string file = caller.resume.string();
  const auto refuse = [&](std::string_view name, const auto& asked, const auto& value) {
    throw UsageError(fmt::format("--{} {} differs from the {} that {} was trained with; leave it out, or begin anew",
                                 name, text_of(asked), text_of(value), file));
  };
  TrainOptions options = caller;
  for_each_option(options, [&](std::string_view name, auto& value) {
    const auto asked = value;
    read_value(stored, file, std::string(name), value);
    if (given.contains(std::string(name)) && asked != value && name != "epochs") refuse(name, asked, value);
  });
  if (given.contains("epochs") && caller.epochs != options.epochs) {
    const bool only_longer = options.schedule == Schedule::constant && caller.epochs > options.epochs;
    if (!only_longer) refuse("epochs", caller.epochs, options.epochs);
    options.epochs = caller.epochs;
  }
  if (!given.contains("data") && stored.contains("data")) options.data = stored.at("data");
  return options;
}

}  // namespace unfold::program
