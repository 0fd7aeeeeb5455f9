// SPDX-License-Identifier: MIT
// GradientReport: what a gradient check found, entry by entry, with every term of the bound it applied.
// It is true where the check passed: CHECK(gradient_check(layer, x)) is a test in Catch2, EXPECT_TRUE in GoogleTest.
// See docs/06_gradient_checks.md.
#pragma once

#include <unfold/core/shape.hpp>

#include <algorithm>  // std::max, std::sort
#include <cmath>      // std::abs
#include <concepts>   // std::convertible_to
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace unfold {

/// What a check says of one entry, one tensor, or the whole; the worst of the parts is the whole's.
///   pass              the claimed derivative lies within the bound of the measured one
///   kink              there is no derivative here, but the claim lies between the slopes on either side
///   vacuous           nothing was tested: no claimed or measured derivative differs from zero by more than its bound;
///                     of one entry: both are smaller than it, and not the same
///   convention        every claim of the tensor is the same multiple of the derivative: a sign, or a scale
///   fail              the claim is wrong
///   nondeterministic  the same call gave two results, so that no measurement means anything
enum class Verdict : std::uint8_t { pass, kink, vacuous, convention, fail, nondeterministic };

inline std::string to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass: return "pass";
    case Verdict::kink: return "kink";
    case Verdict::vacuous: return "vacuous";
    case Verdict::convention: return "WRONG CONVENTION";
    case Verdict::nondeterministic: return "NON-DETERMINISTIC";
    case Verdict::fail: break;
  }
  return "FAIL";
}

/// One coordinate, or one direction: the claimed derivative, the measured one, and how far apart they may be.
struct GradientEntry {
  Index position = 0;  // in its tensor, counted in row-major order; or the number of the direction
  double analytic = 0, numeric = 0;
  double truncation = 0;  // the estimated error of the difference quotient
  double rounding = 0;    // what the rounding of the numbers computed may add
  double order = NAN;     // of the Taylor remainder, where that engine measured it
  Verdict verdict = Verdict::fail;

  double error() const { return std::abs(analytic - numeric); }
  double bound() const { return truncation + rounding; }
  bool within_bound() const { return error() <= bound() && bound() < HUGE_VAL; }
  bool zero() const { return std::abs(analytic) <= bound() && std::abs(numeric) <= bound(); }

  /// Of a claim within the bound: pass; or vacuous, where the numbers are lost in it, and not the same.
  Verdict verdict_within_bound() const { return zero() && error() > 0 ? Verdict::vacuous : Verdict::pass; }

  /// error / bound: above 1, up to infinity, where the claim lies outside.
  double excess() const {
    if (error() == 0) return 0;
    const double ratio = error() / bound();
    return std::isnan(ratio) ? HUGE_VAL : ratio;
  }
};

/// The checked coordinates, or directions, of one tensor: the input, or a parameter under its name.
struct TensorReport {
  std::string name;
  std::vector<Index> shape;
  std::vector<GradientEntry> entries;
  bool directions = false;                                  // the entries are directions, not coordinates
  double epsilon = std::numeric_limits<double>::epsilon();  // of the numbers that the claims were computed in

  Index count(Verdict verdict) const {
    return std::count_if(entries.begin(), entries.end(), [&](const auto& e) { return e.verdict == verdict; });
  }

  Verdict verdict() const {
    if (count(Verdict::fail) > 0) return ratio() ? Verdict::convention : Verdict::fail;
    if (std::all_of(entries.begin(), entries.end(), [](const auto& e) { return e.zero(); })) return Verdict::vacuous;
    return count(Verdict::pass) > 0 ? Verdict::pass : count(Verdict::kink) > 0 ? Verdict::kink : Verdict::vacuous;
  }

  /// The number r for which analytic = r * numeric at every entry, where none that differs from zero is right.
  ///
  /// Two entries at least must say so. numeric is off by its bound, r * numeric by r times that; the claim, r and the
  /// product are rounded, r from two rounded numbers: four half units, 2*epsilon, where a claim is computed once.
  /// Twice that is allowed, for claims that were rounded before they were multiplied.
  std::optional<double> ratio() const {
    const bool one_element = std::all_of(shape.begin(), shape.end(), [](Index extent) { return extent == 1; });
    if (one_element) return std::nullopt;  // all directions are the same coordinate
    const GradientEntry* largest = nullptr;
    Index count = 0;
    for (const auto& e : entries) {
      if (e.verdict == Verdict::kink || !(std::abs(e.numeric) > e.bound())) continue;
      if (e.verdict == Verdict::pass) return std::nullopt;
      if (e.within_bound()) continue;  // differences that did not settle: it agrees with any ratio near 1
      if (largest == nullptr || std::abs(e.numeric) > std::abs(largest->numeric)) largest = &e;
      ++count;
    }
    if (count < 2) return std::nullopt;
    const double r = largest->analytic / largest->numeric;
    const auto agrees = [&](const GradientEntry& e) {
      return e.verdict == Verdict::kink ||
             std::abs(e.analytic - r * e.numeric) <=
                 std::max(1.0, std::abs(r)) * e.bound() + 4 * epsilon * std::abs(e.analytic);
    };
    const bool constant = r != 0 && std::isfinite(r) && std::all_of(entries.begin(), entries.end(), agrees);
    return constant ? std::optional(r) : std::nullopt;
  }

  double worst_excess() const {
    double worst = 0;
    for (const auto& e : entries) worst = std::max(worst, e.excess());
    return worst;
  }

  /// "[1, 0, 2]": the index of the element at `position`; or "direction 2".
  std::string index(Index position) const {
    if (directions) return "direction " + std::to_string(position);
    std::string text = "]";
    for (std::size_t d = shape.size(); d-- > 0; position /= shape[d]) {
      text.insert(0, (d == 0 ? "[" : ", ") + std::to_string(position % shape[d]));
    }
    return text;
  }
};

/// What a check says beside the entries, in a sentence: that a layer wrote to its input, for one.
struct Finding {
  Verdict verdict;
  std::string text;
};

struct GradientReport;
std::string to_string(const GradientReport& report, std::size_t worst_entries = 10);

namespace detail {

/// testing::AssertionResult of GoogleTest, which is not included: made of a bool, and text is streamed into it.
template <class R>
concept AssertionResult = requires(R result) {
  { result.failure_message() } -> std::convertible_to<const char*>;
  R(true) << std::string();
};

}  // namespace detail

/// The outcome of one gradient check.
struct GradientReport {
  std::string engine;  // how the derivatives were measured
  std::uint64_t seed;  // of all that was drawn: the same seed repeats the check
  std::vector<TensorReport> tensors;
  std::vector<Finding> findings = {};  // NOLINT(readability-redundant-member-init): g++ wants it in every list

  struct Place {
    const TensorReport* tensor;
    const GradientEntry* entry;
    std::string index() const { return tensor->index(entry->position); }
  };

  Verdict verdict() const {
    const auto is_empty = [](const TensorReport& tensor) { return tensor.entries.empty(); };
    Verdict worst = std::all_of(tensors.begin(), tensors.end(), is_empty) ? Verdict::vacuous : Verdict::pass;
    for (const auto& tensor : tensors) {
      if (!is_empty(tensor)) worst = std::max(worst, tensor.verdict());
    }
    for (const auto& finding : findings) worst = std::max(worst, finding.verdict);
    return worst;
  }

  /// True if every tensor passed. A check that tested nothing, or found kinks alone, has not passed.
  explicit operator bool() const { return verdict() == Verdict::pass; }

  /// For EXPECT_TRUE(gradient_check(layer, x)), which prints the report then.
  template <detail::AssertionResult R>
  operator R() const {
    return R(verdict() == Verdict::pass) << to_string(*this);
  }

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

}  // namespace unfold
