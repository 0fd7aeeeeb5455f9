// SPDX-License-Identifier: MIT
#include "training_state.hpp"

namespace unfold::program {
namespace {

template <class State, class Visit>
void for_each_value(State& state, const Visit& visit) {
  visit("state.epoch", state.epoch);
  visit("state.batch", state.batch);
  visit("state.loss", state.score.loss);
  visit("state.correct", state.score.correct);
  visit("state.generator", state.generator);
  visit("state.data", state.data);
}

}  // namespace

void write_state(const TrainingState& state, Metadata& metadata) {
  for_each_value(state, [&](const char* key, const auto& value) { metadata[key] = text_of(value); });
}

TrainingState read_state(const Metadata& metadata, const std::string& file) {
  TrainingState state;
  for_each_value(state, [&](const char* key, auto& value) {
    read_value(metadata, file, key, value);
    if (value < 0) throw FormatError(fmt::format("{}: metadata \"{}\" must be >= 0, got {}", file, key, value));
  });
  return state;
}

}  // namespace unfold::program
