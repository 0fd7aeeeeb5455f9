// SPDX-License-Identifier: MIT
// What `unfold train` is asked to do, and the part of it that a checkpoint carries.
#pragma once

#include "metadata.hpp"
#include "network.hpp"
#include "schedule.hpp"

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

namespace unfold::program {

struct TrainOptions {
  std::filesystem::path data;  // empty: the drawn digits
  Model model = Model::lenet;
  Precision precision = Precision::single;
  Index epochs = 6, batch = 32;
  double learning_rate = default_learning_rate(Model::lenet), momentum = 0.9, decay = 0.0005;
  Schedule schedule = Schedule::cosine;
  Index shift = 1;  // pixels
  std::uint64_t seed = 1;
  std::filesystem::path out = "unfold-run";
  std::filesystem::path resume;  // empty: from the beginning
};

/// Writes the options that the course of a training depends on, and where its data is.
void write_options(const TrainOptions& options, Metadata& metadata);

/// The options of a training resumed: those stored in its checkpoint, but for `out`, `resume` and, where it was given,
/// `data`, which are the caller's. `given` names the options that the caller set, without dashes.
///
/// Errors  UsageError if a given option differs from the stored one, unless it is a larger --epochs under the constant
///         schedule, whose course does not depend on the end; FormatError if a stored one is missing or unreadable
TrainOptions resumed_options(const TrainOptions& caller, const std::set<std::string>& given, const Metadata& stored);

}  // namespace unfold::program
