// SPDX-License-Identifier: MIT
// The command line: what each command takes, and the exit statuses. 0 good, 1 failure (a failed check too),
// 2 wrong use; every error is one line on stderr.
#include "gradcheck.hpp"
#include "info.hpp"
#include "training.hpp"
#include "usage.hpp"

#include <unfold/core/threads.hpp>
#include <unfold/nn/activation.hpp>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <concepts>
#include <cstdio>
#include <iostream>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace unfold::program {
namespace {

constexpr const char* main_examples = R"(Examples:
  unfold train                                     train LeNet on digits the program draws
  unfold train --data mnist --model resnet-mini    train on the IDX files in the folder mnist
  unfold gradcheck --layer conv --stride 2         check a layer's gradients
  unfold info unfold-run/checkpoint.safetensors    say what a file holds
Exit status: 0 good, 1 failure, 2 wrong use.)";

constexpr const char* train_examples = R"(Examples:
  unfold train
  unfold train --model mobile-mini --epochs 12 --batch 64 --learning-rate 0.05
  unfold train --data mnist --precision double --schedule step --seed 7 --out run7
  unfold train --resume run7/checkpoint.safetensors
Ctrl-C ends the training after the current batch and saves it; --resume goes on from there, with the
same result to the last bit as if it had not been stopped. A second Ctrl-C ends it at once.)";

constexpr const char* gradcheck_examples = R"(Examples:
  unfold gradcheck
  unfold gradcheck --in-channels 4 --out-channels 6 --groups 2 --kernel 3x2 --stride 2x1 --padding 1,0,2,1
  unfold gradcheck --batch-norm standard --activation leaky --size 9x8
  unfold gradcheck --layer maxpool --kernel 2 --stride 2
  unfold gradcheck --activation gelu --engine dual --json
Engines: auto is integers where the layer is linear, else differences. integers and adjoint are for linear layers;
dual and complex run the layer over such numbers and see all digits.
Exit status: 0 if the gradients agree, 1 if they do not.)";

constexpr const char* info_examples = R"(Examples:
  unfold info weights.npy
  unfold info t10k-images-idx3-ubyte.gz
  unfold info --json unfold-run/checkpoint.safetensors)";

/// The whole of `text` as a number in [least, most], as from_chars reads it; else none.
template <class Number>
std::optional<Number> number_of(std::string_view text, Number least = std::numeric_limits<Number>::lowest(),
                                Number most = std::numeric_limits<Number>::max()) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  const bool allowed = value >= least && value <= most;
  return whole && allowed ? std::optional(value) : std::nullopt;
}

/// "3x5" (separator 'x') or "1,0,2,1" (','); empty if the text is anything else.
std::vector<Index> integers_of(std::string_view text, char separator) {
  std::vector<Index> integers;
  while (true) {
    const std::size_t end = std::min(text.find(separator), text.size());
    const std::optional<Index> integer = number_of<Index>(text.substr(0, end));
    if (!integer) return {};
    integers.push_back(*integer);
    if (end == text.size()) return integers;
    text.remove_prefix(end + 1);
  }
}

std::optional<Extent2D> extent_of(std::string_view text) {
  const std::vector<Index> n = integers_of(text, 'x');
  if (n.empty() || n.size() > 2) return std::nullopt;
  return Extent2D{n.front(), n.back()};
}

std::optional<Padding2D> padding_of(std::string_view text) {
  const std::vector<Index> n = integers_of(text, ',');
  if (n.size() == 1) return Padding2D{n[0], n[0], n[0], n[0]};
  if (n.size() == 4) return Padding2D{n[0], n[1], n[2], n[3]};
  return std::nullopt;
}

/// An option whose text `parse` turns into a Value, or into none; `rule` then says what it must be.
template <class Value, class Parse>
void add(CLI::App& command, const std::string& flag, Value& value, const std::string& form, const std::string& rule,
         const std::string& description, const Parse& parse) {
  const auto read = [&value, flag, rule, parse](const CLI::results_t& texts) {  // one, as an option takes one
    const std::optional<Value> parsed = parse(texts.front());
    if (!parsed) throw UsageError(fmt::format("{} must be {}, got {}", flag, rule, texts.front()));
    value = *parsed;
    return true;
  };
  command.add_option(flag, read, description)->option_text(form);
}

/// An integer in [least, most]; a billion is more than anything here can be.
template <std::integral Count>
void add_count(CLI::App& command, const std::string& flag, Count& value, const std::string& description,
               Count least = 1, Count most = 1'000'000'000) {
  add(command, flag, value, fmt::format("N [{}]", value), fmt::format("an integer in [{}, {}]", least, most),
      description, [=](std::string_view text) { return number_of(text, least, most); });
}

void add_amount(CLI::App& command, const std::string& flag, double& value, const std::string& description) {
  add(command, flag, value, fmt::format("X [{}]", value), "a finite number >= 0", description,
      [](std::string_view text) { return number_of(text, 0.0); });
}

template <NamedEnumeration E>
void add_choice(CLI::App& command, const std::string& flag, E& value, const std::string& description) {
  const auto all = names(value);
  std::string choices, lines;  // the latter six to a line
  for (std::size_t i = 0; i < all.size(); ++i) {
    choices.append(i == 0 ? "" : "|").append(all[i]);
    lines.append(i % 6 == 0 ? "\n" : "|").append(all[i]);
  }
  const bool is_short = choices.size() <= 40;
  add(command, flag, value, fmt::format("{} [{}]", is_short ? choices : "NAME", name_of(value)), choices,
      is_short ? description : description + lines, from_name<E>);
}

void add_extent(CLI::App& command, const std::string& flag, Extent2D& value, const std::string& description) {
  add(command, flag, value, fmt::format("HxW [{}x{}]", value.height, value.width), "N or HxW", description, extent_of);
}

void add_padding(CLI::App& command, const std::string& flag, Padding2D& value, const std::string& description) {
  add(command, flag, value, "T,B,L,R [0]", "N or T,B,L,R", description, padding_of);
}

CLI::App& add_train(CLI::App& app, TrainOptions& options, int& thread_count) {
  CLI::App& command = *app.add_subcommand("train", "train a network on images of digits")->footer(train_examples);
  command.add_option("--data", options.data, "MNIST-format IDX files, plain or .gz [digits drawn here]")
      ->option_text("DIR");
  add_choice(command, "--model", options.model, "the network");
  add_count(command, "--epochs", options.epochs, "passes over the training images");
  add_count(command, "--batch", options.batch, "images an update");
  add_choice(command, "--precision", options.precision, "the scalar of all arithmetic");
  add_amount(command, "--learning-rate", options.learning_rate,
             "of the first update (resnet-mini and mobile-mini: 0.05)");
  add_amount(command, "--momentum", options.momentum, "of the velocity");
  add_amount(command, "--decay", options.decay, "of the weights");
  add_choice(command, "--schedule", options.schedule, "how the learning rate falls");
  add_count(command, "--shift", options.shift, "pixels by which training images are moved at random, at most",
            Index{0});
  add_count(command, "--seed", options.seed, "of the first weights and the order of images", std::uint64_t{0},
            std::numeric_limits<std::uint64_t>::max());
  add_count(command, "--threads", thread_count, "threads to use [UNFOLD_NUM_THREADS, else the cores]", 1,
            detail::most_threads);
  command.add_option("--out", options.out, "for metrics.csv and checkpoint.safetensors [unfold-run]")
      ->option_text("DIR");
  command
      .add_option("--resume", options.resume, "a checkpoint to go on from, with its options; --out is then its folder")
      ->option_text("FILE");
  return command;
}

CLI::App& add_gradcheck(CLI::App& app, GradcheckOptions& options) {
  CLI::App& command = *app.add_subcommand("gradcheck", "check a layer's gradients")->footer(gradcheck_examples);
  Conv2DOptions& conv = options.conv;
  add_choice(command, "--layer", options.layer, "the layer");
  add_choice(command, "--engine", options.engine, "how derivatives are measured");
  add_count(command, "--in-channels", conv.in_channels, "of the input");
  add_count(command, "--out-channels", conv.out_channels, "of the output: conv, dense");
  add_extent(command, "--kernel", conv.kernel, "of conv and pools");
  add_extent(command, "--stride", conv.stride, "of conv and pools");
  add_padding(command, "--padding", conv.padding, "of conv and pools");
  add_extent(command, "--dilation", conv.dilation, "of conv; 1 is dense");
  add_count(command, "--groups", conv.groups, "of conv");
  add_choice(command, "--batch-norm", conv.batch_norm, "of conv, batchnorm");
  add_choice(command, "--activation", conv.activation, "of conv, dense");
  add_extent(command, "--size", options.size, "of the images");
  add_count(command, "--batch", options.batch, "number of images");
  add_count(command, "--seed", options.seed, "of the numbers", std::uint64_t{0},
            std::numeric_limits<std::uint64_t>::max());
  command.add_flag("--json", options.json, "the report as one JSON object, every entry of it");
  return command;
}

/// The names of the options that were given, without dashes.
std::set<std::string> given_options(const CLI::App& command) {
  std::set<std::string> given;
  for (const CLI::Option* option : command.get_options()) {
    if (option->count() > 0) given.insert(option->get_single_name());
  }
  return given;
}

int run(int argc, char** argv) {
  CLI::App app("unfold trains small convolutional networks, checks gradients, and looks into files.", "unfold");
  app.footer(main_examples)->require_subcommand(0, 1);
  app.set_version_flag("--version", "unfold " UNFOLD_VERSION)->description("print the version");
  app.set_help_flag("--help,-h", "print this help");
  app.get_formatter()->column_width(40);

  TrainOptions train_options;
  int thread_count = 0;  // 0: not given
  const CLI::App& train_command = add_train(app, train_options, thread_count);

  GradcheckOptions gradcheck_options;
  const CLI::App& gradcheck_command = add_gradcheck(app, gradcheck_options);

  std::filesystem::path info_path;
  bool info_json = false;
  CLI::App& info_command =
      *app.add_subcommand("info", "say what a .npy, IDX or safetensors file holds")->footer(info_examples);
  info_command.add_option("FILE", info_path, "the file, plain or .gz")->required()->option_text(" ");
  info_command.add_flag("--json", info_json, "as one JSON object");

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what());
  }

  if (app.get_subcommands().empty())
    throw UsageError("a command is needed: train, gradcheck or info; see unfold --help");
  if (thread_count > 0) set_threads(thread_count);
  if (train_command.parsed()) train(train_options, given_options(train_command));
  if (info_command.parsed()) print_info(info_path, info_json);
  if (gradcheck_command.parsed()) return gradcheck(gradcheck_options) ? 0 : 1;
  return 0;
}

/// One line on stderr. The library's "unfold::function: " in front of a message is left out.
int complain(std::string_view what, int status) {
  if (what.starts_with("unfold::")) what.remove_prefix(std::min(what.find(": "), what.size() - 2) + 2);
  std::string line(what);
  std::replace(line.begin(), line.end(), '\n', ' ');
  fmt::print(stderr, "unfold: {}\n", line);
  return status;
}

}  // namespace
}  // namespace unfold::program

int main(int argc, char** argv) {
  using namespace unfold;
  try {
    const int status = program::run(argc, argv);
    if (std::fflush(stdout) != 0 || !std::cout.flush())
      throw std::system_error(errno, std::generic_category(), "cannot write the output");
    return status;
  } catch (const program::UsageError& error) {
    return program::complain(error.what(), 2);
  } catch (const std::bad_alloc&) {
    return program::complain("out of memory", 1);
  } catch (const std::exception& error) {
    return program::complain(error.what(), 1);
  }
}
