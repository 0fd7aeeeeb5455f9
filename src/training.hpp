// SPDX-License-Identifier: MIT
// `unfold train`: the loop over epochs and batches, with its table, its checkpoints, and its end on Ctrl-C.
#pragma once

#include "train_options.hpp"

#include <set>
#include <string>

namespace unfold::program {

/// Trains, printing a row an epoch, and leaves metrics.csv and checkpoint.safetensors in options.out: after each epoch
/// and when interrupted. With options.resume it goes on where that checkpoint was written, bit for bit as if it had
/// never stopped. `given` names the options that the caller set, without dashes.
///
/// Errors  UsageError if a given option contradicts the checkpoint; std::system_error and FormatError for files;
///         std::runtime_error if the loss is no longer finite
void train(const TrainOptions& options, const std::set<std::string>& given);

}  // namespace unfold::program
