// SPDX-License-Identifier: MIT
// The three products of a convolution: ours and each peer's, interleaved, as fractions of the peak of the same moment.
#include "contender.hpp"
#include "measure.hpp"
#include "peak.hpp"

#include <unfold/core/eigen_map.hpp>
#include <unfold/core/random.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <stdexcept>

namespace unfold::bench {
namespace {

struct Options {
  std::vector<std::string> shapes, directions, precisions{"float"};
  std::vector<std::string> contenders{"ours", "onednn", "torch", "openblas", "eigen"};
  std::vector<int> threads{1};
  double seconds = 1;
  std::string set, public_shapes, csv;
  bool list = false;
};

/// Whether one of the parts stands in the name; true if there is none.
bool named(const std::vector<std::string>& parts, std::string_view name) {
  return parts.empty() ||
         std::ranges::any_of(parts, [&](const std::string& part) { return name.find(part) != std::string_view::npos; });
}

/// Whether the contender, or the library of which it is one way ("onednn" of "onednn-any"), was asked for.
bool wanted(const Options& options, std::string_view name) {
  return std::ranges::any_of(options.contenders,
                             [&](const std::string& asked) { return name == asked || name.starts_with(asked + "-"); });
}

/// Those that are asked for and that can: Eigen's first in any case, as what the others' results are compared with.
template <class T>
std::vector<Contender> contenders_of(Operands<T>& o, Direction d, int threads, const Options& options) {
  std::vector<Contender> all;
  add_eigen(all, o, d, threads);
  if (wanted(options, "ours")) add_ours(all, o, d, threads);
  if (wanted(options, "native")) add_native(all, o, d, threads);
#if defined(UNFOLD_BENCH_ONEDNN)
  if constexpr (std::is_same_v<T, float>) {
    if (wanted(options, "onednn")) add_onednn(all, o, d, threads);
  }
#endif
#if defined(UNFOLD_BENCH_TORCH)
  if (wanted(options, "torch")) add_torch(all, o, d, threads);
#endif
#if defined(UNFOLD_BENCH_OPENBLAS)
  if (wanted(options, "openblas")) add_openblas(all, o, d, threads);
#endif
  return all;
}

/// Integers small enough that every sum of every direction is exact, in whatever order it is taken.
template <class T>
void fill_with_integers(Operands<T>& o) {
  const Conv2DGeometry& g = o.g;
  const Index longest = std::max({g.K(), g.P(), g.OC / g.G * g.KH * g.KW});  // terms of a sum
  const auto exact = static_cast<double>(Index{1} << std::numeric_limits<T>::digits);
  const auto most = static_cast<Index>(std::min(8.0, std::sqrt(exact / static_cast<double>(longest))));
  if (most < 1) throw std::runtime_error("its sums are too long to be checked exactly");
  Random random(1);
  for (Tensor<T, 4>* t : {&o.x, &o.w, &o.y}) {
    for (T& value : t->array()) value = static_cast<T>(random.below(2 * most + 1) - most);
  }
}

template <class T>
void fill_with_reals(Operands<T>& o) {
  Random random(2);
  for (Tensor<T, 4>* t : {&o.x, &o.w, &o.y}) {
    for (T& value : t->array()) value = static_cast<T>(random.uniform() - 0.5);
  }
}

/// Takes out each contender whose result is not, to the last bit, the first one's; returns their names.
template <class T>
std::vector<std::string> remove_wrong(std::vector<Contender>& contenders, Operands<T>& o, Direction d) {
  Tensor<T, 4>& result = o.result(d);
  const Tensor<T, 4> before = result;
  Tensor<T, 4> expected;
  std::vector<std::string> wrong;
  std::erase_if(contenders, [&](const Contender& c) {
    result.fill(std::numeric_limits<T>::quiet_NaN());
    c.run();
    if (c.fetch) c.fetch();
    if (expected.size() == 0) expected = result;
    const bool right = (result.array() == expected.array()).all();
    if (!right) wrong.push_back(c.name);
    return !right;
  });
  result = before;
  return wrong;
}

struct Row {
  Problem problem;
  Direction direction;
  std::string precision;
  int threads;
};

class Table {
 public:
  explicit Table(const std::string& csv) {
    if (csv.empty()) return;
    csv_.open(csv);
    if (!csv_) throw std::runtime_error(csv + ": cannot be written");
    csv_ << "set,shape,direction,precision,threads,gflop,contender,seconds,gflops,fraction_of_peak,workspace_bytes,"
            "rounds\n";
  }

  /// One line: fractions of peak, and how many times our time the best peer takes.
  void add(const Row& row, const Peak& peak, const std::vector<Contender>& contenders,
           const std::vector<Measured>& measured) {
    const double operations = row.problem.operations();
    const double peak_rate = row.threads * peak.operations / measured.back().seconds;
    std::string text;
    double ours = 0, best = 0;
    std::string_view best_name;
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      const Contender& c = contenders[i];
      const double rate = operations / measured[i].seconds;
      text += fmt::format("  {} {:.1f}%", c.name, 100 * rate / peak_rate);
      if (c.name == "ours") ours = rate;
      if (c.name != "ours" && c.name != "native" && rate > best) best = rate, best_name = c.name;
      write(row, c.name, measured[i], operations, peak_rate, c.workspace);
    }
    write(row, "peak", measured.back(), row.threads * peak.operations, peak_rate, -1);
    const std::string against = best > 0 ? fmt::format("{:.2f}x {}", ours / best, best_name) : "";
    fmt::print("{:<36} {:<16} {:<6} {} thr  peak {:5.1f}  ours {:5.1f} GF/s {:5.1f}%  {:<18} |{}\n", row.problem.name,
               directions[static_cast<std::size_t>(row.direction)], row.precision, row.threads, peak_rate * 1e-9,
               ours * 1e-9, 100 * ours / peak_rate, against, text);
    std::fflush(stdout);
  }

 private:
  void write(const Row& row, const std::string& name, const Measured& m, double operations, double peak_rate,
             Index workspace) {
    if (!csv_.is_open()) return;
    const double rate = operations / m.seconds;
    csv_ << fmt::format("{},\"{}\",{},{},{},{:.6g},{},{:.6g},{:.5g},{:.4f},{},{}\n", row.problem.set, row.problem.name,
                        directions[static_cast<std::size_t>(row.direction)], row.precision, row.threads,
                        row.problem.operations() * 1e-9, name, m.seconds, rate * 1e-9, rate / peak_rate,
                        workspace < 0 ? "" : std::to_string(workspace), m.rounds)
         << std::flush;
  }

  std::ofstream csv_;
};

/// Returns whether all results were right.
template <class T>
bool measure(const Row& row, const Options& options, Table& table) {
  Operands<T> o(row.problem);
  fill_with_integers(o);
  std::vector<Contender> contenders = contenders_of(o, row.direction, row.threads, options);
  const std::vector<std::string> wrong = remove_wrong(contenders, o, row.direction);
  fill_with_reals(o);
  if (!wanted(options, "eigen")) contenders.erase(contenders.begin());
  std::vector<std::function<void()>> runs;
  for (const Contender& c : contenders) runs.push_back(c.run);
  const Peak peak = fma_peak<T>();
  runs.push_back(peak.run);
  table.add(row, peak, contenders, least_times(runs, row.threads, options.seconds));
  if (!wrong.empty()) fmt::print("  not timed, as their results are wrong: {}\n", fmt::join(wrong, ", "));
  return wrong.empty();
}

/// A result that a peer allocates in each call is then warm memory again, not new pages from the system: else it would
/// depend on what was freed before whether it is.
void keep_freed_memory() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
#endif
}

std::vector<Problem> problems(const Options& options) {
  std::vector<Problem> all = table_of_shapes();
  if (!options.public_shapes.empty()) {
    if (std::filesystem::exists(options.public_shapes)) {
      const std::vector<Problem> more = read_shapes(options.public_shapes);
      all.insert(all.end(), more.begin(), more.end());
    } else {
      fmt::print("there is no {}: only the table's shapes are measured\n", options.public_shapes);
    }
  }
  std::erase_if(all, [&](const Problem& p) {
    return !named(options.shapes, p.name) || (!options.set.empty() && p.set != options.set);
  });
  return all;
}

bool run(const Options& options) {
  bool right = true;
  Table table(options.csv);
  keep_freed_memory();
  const std::vector<Problem> all = problems(options);
  if (options.list) {
    for (const Problem& p : all) fmt::print("{:<6} {:<56} {:8.4f} GFLOP\n", p.set, p.name, p.operations() * 1e-9);
    return true;
  }
  // Threads outside: a row on one thread is not run beside the waiting threads of a row on two.
  for (const int threads : options.threads) {
    for (const Problem& problem : all) {
      for (const std::string& precision : options.precisions) {
        for (std::size_t d = 0; d < directions.size(); ++d) {
          if (!named(options.directions, directions[d])) continue;
          const Row row{problem, static_cast<Direction>(d), precision, threads};
          const bool single = precision == "float";
          right = (single ? measure<float>(row, options, table) : measure<double>(row, options, table)) && right;
        }
      }
    }
  }
  return right;
}

}  // namespace
}  // namespace unfold::bench

int main(int argc, char** argv) {
  unfold::bench::Options options;
  CLI::App app("The three products of a convolution, ours and each peer's, interleaved.");
  app.add_option("--shape", options.shapes, "parts of names, any of them: \"64->64\" 32\\ groups");
  app.add_option("--direction", options.directions, "forward, backward_input, backward_weights, or parts of them");
  app.add_option("--precision", options.precisions, "float, double")->check(CLI::IsMember({"float", "double"}));
  app.add_option("--threads", options.threads, "counts of threads")->check(CLI::Range(1, 1024));
  app.add_option("--contender", options.contenders,
                 "ours, native (ours at -O3 -march=native), onednn, torch, openblas, eigen");
  app.add_option("--seconds", options.seconds, "of each row");
  app.add_option("--set", options.set, "only these shapes: table, public")->check(CLI::IsMember({"table", "public"}));
  app.add_option("--public-shapes", options.public_shapes, "a CSV file of more shapes");
  app.add_option("--csv", options.csv, "the file to write all figures to");
  app.add_flag("--list", options.list, "the names of the shapes");
  CLI11_PARSE(app, argc, argv);
  try {
    return unfold::bench::run(options) ? 0 : 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench-conv: {}\n", error.what());
    return 2;
  }
}
