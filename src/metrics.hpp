// SPDX-License-Identifier: MIT
// The table of a training, one row an epoch: on the screen and as metrics.csv.
#pragma once

#include <unfold/core/shape.hpp>

#include <filesystem>
#include <string>

namespace unfold::program {

struct EpochRow {
  Index epoch;                                  // from 1
  double learning_rate;                         // of its last batch
  double loss;                                  // mean over the training images, each before its batch's update
  double training_accuracy, held_out_accuracy;  // parts of 1
  double seconds;                               // of the epoch in this run
};

std::string table_head();
std::string table_row(const EpochRow& row);

/// A CSV file that grows by a row an epoch.
class MetricsFile {
 public:
  /// Begins the file anew, but keeps the rows of the first `epochs` epochs if it is there: those of a resumed training.
  /// Errors  std::system_error if it cannot be written
  MetricsFile(const std::filesystem::path& path, Index epochs);

  void add(const EpochRow& row);

 private:
  std::filesystem::path path_;
  std::string text_;
};

}  // namespace unfold::program
