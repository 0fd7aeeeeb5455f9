// SPDX-License-Identifier: MIT
// Training steps of the program's three models, and an epoch of lenet; beside libtorch's lenet where it is found, which
// begins with the same parameters, sees the same batches, and must come to the same losses before it is timed.
#include "measure.hpp"
#include "network.hpp"
#include "pass.hpp"
#include "torch_lenet.hpp"

#include <unfold/core/threads.hpp>

#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>
#include <stdexcept>

namespace unfold::bench {
namespace {

namespace fs = std::filesystem;
using program::Model;

struct Options {
  std::string data, csv;
  std::vector<std::string> models{"lenet", "resnet-mini", "mobile-mini"}, precisions{"float", "double"};
  std::vector<int> threads{1};
  Index batch = 32;
  double seconds = 1, epoch_seconds = 20;
};

/// One training in steps: the images in their order, again and again, whole batches only.
class Training {
 public:
  Training(Step step, Index images, Index batch) : step_(std::move(step)), batch_(batch), batches_(images / batch) {}

  double step() { return step_(next_++ % batches_ * batch_, batch_); }
  void epoch() {
    for (Index i = 0; i < batches_; ++i) step();
  }

 private:
  Step step_;
  Index batch_, batches_, next_ = 0;
};

struct Contender {
  std::string name;
  std::shared_ptr<Training> training;
};

template <class T>
std::vector<Contender> contenders(Model model, const program::LabelledImages& images, const Options& options,
                                  int threads) {
  set_threads(threads);
  const SgdArgs args{.learning_rate = 0.01, .momentum = 0.9, .decay = 0.0005};
  const program::PixelScale scale(images);
  const auto precision = std::is_same_v<T, float> ? program::Precision::single : program::Precision::twofold;
  const std::shared_ptr<program::Network> network =
      make_network(model, precision, {images.pixels.shape(1), images.pixels.shape(2)}, scale);
  network->initialize(1);
  const auto pass = std::make_shared<program::Pass>(images.size());
  std::vector<Contender> all;
#if defined(UNFOLD_BENCH_TORCH)
  if (model == Model::lenet) {
    const fs::path checkpoint = fs::temp_directory_path() / fmt::format("unfold-bench-{}.safetensors", getpid());
    network->save(checkpoint, {});
    const auto x = std::make_shared<Tensor<T, 4>>();
    const auto labels = std::make_shared<Tensor<Index, 1>>();
    scale.gather(images, pass->batch(0, images.size()), *x, *labels);
    const Step step = torch_lenet<T>(checkpoint, *x, *labels, args, threads);
    fs::remove(checkpoint);
    const auto owning = [x, labels, step](Index begin, Index count) { return step(begin, count); };
    all.push_back({"torch", std::make_shared<Training>(owning, images.size(), options.batch)});
  }
#endif
  const auto step = [network, pass, &images, args](Index begin, Index count) {
    return network->train(images, pass->batch(begin, count), args).loss;
  };
  all.insert(all.begin(), {"ours", std::make_shared<Training>(step, images.size(), options.batch)});
  return all;
}

/// Twenty steps of each; throws unless the losses are those of the first one, but for rounding, which training
/// amplifies.
template <class T>
void check_losses(const std::vector<Contender>& contenders) {
  std::vector<double> expected;
  for (const Contender& c : contenders) {
    for (std::size_t i = 0; i < 20; ++i) {
      const double loss = c.training->step();
      if (&c == contenders.data()) expected.push_back(loss);
      const double allowed = std::sqrt(std::numeric_limits<T>::epsilon()) * std::max(1.0, expected[i]);
      if (std::abs(loss - expected[i]) <= allowed) continue;
      throw std::runtime_error(fmt::format("step {}: the loss of {} is {}, that of {} {}", i, c.name, loss,
                                           contenders[0].name, expected[i]));
    }
  }
}

class Table {
 public:
  explicit Table(const std::string& csv) {
    if (csv.empty()) return;
    csv_.open(csv);
    if (!csv_) throw std::runtime_error(csv + ": cannot be written");
    csv_ << "what,model,precision,threads,batch,contender,seconds,rounds\n";
  }

  void add(const std::string& what, std::string_view model, const std::string& precision, int threads, Index batch,
           const std::vector<Contender>& contenders, const std::vector<Measured>& measured) {
    std::string text;
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      const double seconds = measured[i].seconds;
      text += fmt::format("  {} {:.4g} ms", contenders[i].name, 1e3 * seconds);
      if (i > 0) text += fmt::format(" ({:.2f}x ours)", seconds / measured[0].seconds);
      if (csv_.is_open()) {
        csv_ << fmt::format("{},{},{},{},{},{},{:.6g},{}\n", what, model, precision, threads, batch, contenders[i].name,
                            seconds, measured[i].rounds)
             << std::flush;
      }
    }
    fmt::print("{:<12} {:<6} {:<6} {} thr  batch {} |{}\n", model, what, precision, threads, batch, text);
    std::fflush(stdout);
  }

 private:
  std::ofstream csv_;
};

template <class T>
void measure(Model model, const program::LabelledImages& images, const Options& options, int threads, Table& table) {
  const std::string precision = std::is_same_v<T, float> ? "float" : "double";
  const std::vector<Contender> all = contenders<T>(model, images, options, threads);
  check_losses<T>(all);
  std::vector<std::function<void()>> steps, epochs;
  for (const Contender& c : all) {
    steps.emplace_back([&c] { c.training->step(); });
    epochs.emplace_back([&c] { c.training->epoch(); });
  }
  const std::string_view name = names(model)[static_cast<std::size_t>(model)];
  table.add("step", name, precision, threads, options.batch, all, least_times(steps, threads, options.seconds));
  if (model != Model::lenet) return;
  table.add("epoch", name, precision, threads, options.batch, all, least_times(epochs, threads, options.epoch_seconds));
}

void run(const Options& options) {
  const program::Dataset data = options.data.empty() ? program::drawn_digits() : program::read_dataset(options.data);
  fmt::print("{} images of {}\n", data.training.size(), options.data.empty() ? "digits drawn here" : options.data);
  Table table(options.csv);
  const auto asked = [](const std::vector<std::string>& of, std::string_view name) {
    return std::ranges::find(of, name) != of.end();
  };
  for (const int threads : options.threads) {
    for (const Model model : {Model::lenet, Model::resnet_mini, Model::mobile_mini}) {
      if (!asked(options.models, names(model)[static_cast<std::size_t>(model)])) continue;
      if (asked(options.precisions, "float")) measure<float>(model, data.training, options, threads, table);
      if (asked(options.precisions, "double")) measure<double>(model, data.training, options, threads, table);
    }
  }
}

}  // namespace
}  // namespace unfold::bench

int main(int argc, char** argv) {
  unfold::bench::Options options;
  CLI::App app("Training steps of the three models, and an epoch of lenet beside libtorch's.");
  app.add_option("--data", options.data, "a folder with MNIST's files; without it digits are drawn");
  app.add_option("--model", options.models, "lenet, resnet-mini, mobile-mini")
      ->check(CLI::IsMember({"lenet", "resnet-mini", "mobile-mini"}));
  app.add_option("--precision", options.precisions, "float, double")->check(CLI::IsMember({"float", "double"}));
  app.add_option("--threads", options.threads, "counts of threads")->check(CLI::Range(1, 1024));
  app.add_option("--batch", options.batch, "images a step")->check(CLI::PositiveNumber);
  app.add_option("--seconds", options.seconds, "of each row of steps");
  app.add_option("--epoch-seconds", options.epoch_seconds, "of each row of epochs");
  app.add_option("--csv", options.csv, "the file to write all figures to");
  CLI11_PARSE(app, argc, argv);
  try {
    unfold::bench::run(options);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench-train: {}\n", error.what());
    return 2;
  }
}
