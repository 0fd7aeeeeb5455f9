// SPDX-License-Identifier: MIT
// GradientReport: what a gradient check found, entry by entry, with every term of the bound it applied.
// It is true where the check passed, and prints as a table: CHECK(gradient_check(layer, x)) is a test.
// See docs/06_gradient_checks.md.
#pragma once

#include <unfold/core/shape.hpp>

#include <algorithm>  // std::max, std::sort
#include <cmath>      // std::abs
#include <cstdint>
#include <cstdio>  // std::snprintf
#include <ostream>
#include <string>
#include <vector>

namespace unfold {

/// What a check says of one entry, one tensor, or the whole; the worst of the parts is the whole's.
///   pass     the claimed derivative lies within the bound of the measured one
///   kink     there is no derivative here, but the claim lies between the slopes on either side
///   vacuous  nothing was tested: no claimed or measured derivative differs from zero by more than its bound
///   fail     the claim is wrong
enum class Verdict : std::uint8_t { pass, kink, vacuous, fail };

inline std::string to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass: return "pass";
    case Verdict::kink: return "kink";
    case Verdict::vacuous: return "vacuous";
    case Verdict::fail: break;
  }
  return "FAIL";
}

/// One coordinate: the claimed derivative, the measured one, and how far apart they may be.
struct GradientEntry {
  Index position = 0;  // in its tensor, counted in row-major order
  double analytic = 0, numeric = 0;
  double truncation = 0;  // the estimated error of the difference quotient
  double rounding = 0;    // what the rounding of the outputs may add
  Verdict verdict = Verdict::fail;

  double error() const { return std::abs(analytic - numeric); }
  double bound() const { return truncation + rounding; }
  bool within_bound() const { return error() <= bound() && bound() < HUGE_VAL; }
  bool zero() const { return std::abs(analytic) <= bound() && std::abs(numeric) <= bound(); }

  /// error / bound: above 1, up to infinity, where the claim lies outside.
  double excess() const {
    if (error() == 0) return 0;
    const double ratio = error() / bound();
    return std::isnan(ratio) ? HUGE_VAL : ratio;
  }
};

/// The checked coordinates of one tensor: the input, or a parameter under its name.
struct TensorReport {
  std::string name;
  std::vector<Index> shape;
  std::vector<GradientEntry> entries;

  Index count(Verdict verdict) const {
    return std::count_if(entries.begin(), entries.end(), [&](const auto& e) { return e.verdict == verdict; });
  }

  Verdict verdict() const {
    if (count(Verdict::fail) > 0) return Verdict::fail;
    if (std::all_of(entries.begin(), entries.end(), [](const auto& e) { return e.zero(); })) return Verdict::vacuous;
    return count(Verdict::pass) > 0 ? Verdict::pass : Verdict::kink;
  }

  double worst_excess() const {
    double worst = 0;
    for (const auto& e : entries) worst = std::max(worst, e.excess());
    return worst;
  }

  /// "[1, 0, 2]": the index of the element at `position`.
  std::string index(Index position) const {
    std::string text = "]";
    for (std::size_t d = shape.size(); d-- > 0; position /= shape[d]) {
      text.insert(0, (d == 0 ? "[" : ", ") + std::to_string(position % shape[d]));
    }
    return text;
  }
};

/// The outcome of one gradient check.
struct GradientReport {
  std::string engine;  // how the derivatives were measured
  std::uint64_t seed;  // of all that was drawn: the same seed repeats the check
  std::vector<TensorReport> tensors;

  struct Place {
    const TensorReport* tensor;
    const GradientEntry* entry;
    std::string index() const { return tensor->index(entry->position); }
  };

  Verdict verdict() const {
    if (tensors.empty()) return Verdict::vacuous;
    Verdict worst = Verdict::pass;
    for (const auto& tensor : tensors) worst = std::max(worst, tensor.verdict());
    return worst;
  }

  /// True if every tensor passed. A check that tested nothing, or found kinks alone, has not passed.
  explicit operator bool() const { return verdict() == Verdict::pass; }

  /// The `count` worst entries of all tensors: failures first, then by error / bound. They point into the report.
  std::vector<Place> worst(std::size_t count) const&& = delete;
  std::vector<Place> worst(std::size_t count) const& {
    std::vector<Place> places;
    for (const auto& tensor : tensors) {
      for (const auto& entry : tensor.entries) places.push_back({&tensor, &entry});
    }
    std::stable_sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
      if (a.entry->verdict != b.entry->verdict) return a.entry->verdict > b.entry->verdict;
      return a.entry->excess() > b.entry->excess();
    });
    if (places.size() > count) places.resize(count);
    return places;
  }
};

namespace detail {

inline std::string number_text(const char* format, double value) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// Rows of cells as lines of columns: the first two flush left, the others flush right.
inline std::string table_text(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string gap(widths[c] - row[c].size(), ' ');
      text += "  " + (c < 2 ? row[c] + gap : gap + row[c]);
    }
    text += '\n';
  }
  return text;
}

}  // namespace detail

/// The report as two tables: its tensors, and its worst entries with every term of their bound.
inline std::string to_string(const GradientReport& report, std::size_t worst_entries = 10) {
  const auto brief = [](double value) { return detail::number_text("%.2e", value); };
  std::vector<std::vector<std::string>> rows{
      {"tensor", "shape", "checked", "failed", "kinks", "error/bound", "verdict"}};
  for (const auto& t : report.tensors) {
    std::string shape;
    for (const Index extent : t.shape) shape += (shape.empty() ? "[" : ", ") + std::to_string(extent);
    rows.push_back({t.name, shape + "]", std::to_string(t.entries.size()), std::to_string(t.count(Verdict::fail)),
                    std::to_string(t.count(Verdict::kink)), brief(t.worst_excess()), to_string(t.verdict())});
  }
  const std::string text = "gradient check: " + to_string(report.verdict()) + " (" + report.engine + ", seed " +
                           std::to_string(report.seed) + ")\n" + detail::table_text(rows);
  rows = {{"tensor", "index", "analytic", "numeric", "error", "truncation", "rounding", "error/bound", "verdict"}};
  for (const auto& place : report.worst(worst_entries)) {
    const auto& e = *place.entry;
    rows.push_back({place.tensor->name, place.index(), detail::number_text("%.12g", e.analytic),
                    detail::number_text("%.12g", e.numeric), brief(e.error()), brief(e.truncation), brief(e.rounding),
                    brief(e.excess()), to_string(e.verdict)});
  }
  return text + "worst entries (bound = truncation + rounding):\n" + detail::table_text(rows);
}

inline std::ostream& operator<<(std::ostream& out, const GradientReport& report) { return out << to_string(report); }

}  // namespace unfold
