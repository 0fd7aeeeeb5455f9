// SPDX-License-Identifier: MIT
#include "metrics.hpp"

#include <unfold/io/file.hpp>

#include <fmt/format.h>

#include <charconv>
#include <fstream>

namespace unfold::program {
namespace {

constexpr std::string_view head = "epoch,learning_rate,loss,training_accuracy,held_out_accuracy,seconds";

void write_text(const std::filesystem::path& path, std::string_view text) {
  detail::write_file_atomically("write_metrics", path, [&](detail::OutputFile& file) { file.write(text); });
}

}  // namespace

std::string table_head() {
  return fmt::format("{:>5}  {:>8}  {:>9}  {:>9}  {:>7}", "epoch", "loss", "training", "held out", "seconds");
}

std::string table_row(const EpochRow& row) {
  return fmt::format("{:>5}  {:>8.4f}  {:>7.2f} %  {:>7.2f} %  {:>7.1f}", row.epoch, row.loss,
                     100 * row.training_accuracy, 100 * row.held_out_accuracy, row.seconds);
}

MetricsFile::MetricsFile(const std::filesystem::path& path, Index epochs) : path_(path), text_(head) {
  text_ += '\n';
  std::ifstream old(path);
  for (std::string line; epochs > 0 && std::getline(old, line);) {
    Index epoch = 0;
    std::from_chars(line.data(), line.data() + line.size(), epoch);  // the head reads as 0
    if (epoch >= 1 && epoch <= epochs) text_ += line + '\n';
  }
  old.close();
  write_text(path_, text_);
}

void MetricsFile::add(const EpochRow& row) {
  text_ += fmt::format("{},{},{},{},{},{:.3f}\n", row.epoch, row.learning_rate, row.loss, row.training_accuracy,
                       row.held_out_accuracy, row.seconds);
  write_text(path_, text_);
}

}  // namespace unfold::program
