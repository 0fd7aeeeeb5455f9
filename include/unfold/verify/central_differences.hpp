// SPDX-License-Identifier: MIT
// CentralDifferences: the derivative of a function by one number, measured with an estimate of its error,
// and the verdict on a claimed one. It knows no layer: it moves a number and reads outputs.
// See docs/06_gradient_checks.md.
#pragma once

#include <unfold/verify/claim.hpp>

namespace unfold::detail {

/// Measures derivatives of the loss sum_i c_i*y_i, for given outputs y of the function under check.
/// The outputs are subtracted before they are weighted and summed, so those that a coordinate does not
/// reach cancel exactly, and only those that moved carry rounding.
template <class T, class Outputs>
class CentralDifferences {
 public:
  /// `outputs(y)` writes the outputs at the current point; `weights` are the c_i.
  CentralDifferences(Outputs outputs, std::vector<T> weights, const GradientCheckOptions& options)
      : outputs_(std::move(outputs)), weights_(std::move(weights)), options_(options) {
    outputs_(here_);
    for (const T y : here_) largest_ = std::max(largest_, std::abs(static_cast<double>(y)));
  }

  /// The verdict on the claim that the loss has derivative `analytic` by q. Leaves q as it was.
  GradientEntry judge(T& q, T analytic) {
    GradientEntry entry = integers() ? unit_step(q) : extrapolated(q);
    entry.analytic = static_cast<double>(analytic);
    // Where no step makes the quotients agree, their bound means nothing: only one-sided slopes can tell.
    const bool settled = entry.truncation <= std::max(entry.rounding, std::cbrt(epsilon) * std::abs(entry.numeric));
    if (settled && entry.within_bound()) {
      entry.verdict = kink_ ? Verdict::kink : Verdict::pass;
    } else if (!integers() && between_slopes(q, entry.analytic, settled)) {
      entry.verdict = Verdict::kink;
    }
    return entry;
  }

  /// Whether every step of 1 so far moved the outputs upwards as much as a step of -1 downwards.
  bool linear() const { return linear_; }

 private:
  static constexpr double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());

  struct Quotient {
    double slope, low, high;  // low, high: between the slopes on either side of q, output by output
    double magnitude;         // sum of |c_i| * |y_i| over the outputs that moved, y_i at least the largest output
    double gap() const { return high - low; }
  };

  static double difference(T a, T b) {
    using Wide = decltype(a + 0.0);
    return static_cast<double>(Wide(a) - Wide(b));
  }

  Quotient quotient(T& q, double h) {
    const T middle = q;
    q = middle + static_cast<T>(h);
    const auto right = static_cast<double>(q - middle);  // the step that was taken: q is rounded
    outputs_(right_);
    q = middle - static_cast<T>(h);
    const auto left = static_cast<double>(middle - q);
    outputs_(left_);
    q = middle;
    Quotient sum{0, 0, 0, 0};
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      const auto c = static_cast<double>(weights_[i]);
      const double up = c * difference(right_[i], here_[i]), down = c * difference(here_[i], left_[i]);
      sum.slope += c * difference(right_[i], left_[i]) / (right + left);
      sum.low += std::min(up / right, down / left);
      sum.high += std::max(up / right, down / left);
      if (right_[i] != left_[i] || right_[i] != here_[i]) {
        const auto y = static_cast<double>(std::max(std::abs(right_[i]), std::abs(left_[i])));
        sum.magnitude += std::abs(c) * std::max(y, largest_);
      }
    }
    return sum;
  }

  /// Richardson's extrapolation from the steps h, h/2, h/4, at the h that gives the smallest bound.
  ///
  ///   D(h) = q' + a*h^2 + b*h^4 + ... ;   R(h) = (4*D(h/2) - D(h)) / 3 ;   numeric = (16*R(h/2) - R(h)) / 15
  ///
  /// truncation: |R(h/2) - R(h)|, fifteen times the estimated error of R(h/2), itself worse than numeric.
  /// kink: the slopes on both sides stay apart, where their gap falls to a fourth from h to h/4 if q' exists. The mean
  /// of the two, which all quotients give at a kink, is no derivative then. rounding: each y is off by at most
  /// roundings/2 * epsilon * magnitude, D(h/4) by twice that over h/2, and the weights 64/45, 20/45, 1/45 of the
  /// quotients less than double it.
  GradientEntry extrapolated(T& q) {
    GradientEntry best{.numeric = NAN, .truncation = HUGE_VAL};
    kink_ = false;
    for (double h = first_step(q); h / 4 >= last_step(q); h /= 8) {
      const Quotient d1 = quotient(q, h), d2 = quotient(q, h / 2), d4 = quotient(q, h / 4);
      const double r1 = d2.slope + (d2.slope - d1.slope) / 3, r2 = d4.slope + (d4.slope - d2.slope) / 3;
      const GradientEntry entry{.numeric = r2 + (r2 - r1) / 15,
                                .truncation = std::abs(r2 - r1),
                                .rounding = options_.roundings * epsilon * d1.magnitude / (h / 4)};
      if (entry.bound() < best.bound()) {
        best = entry;
        kink_ = d4.gap() > d1.gap() / 2 && d4.gap() > 4 * entry.rounding;
      }
      if (entry.truncation <= entry.rounding) break;
    }
    return best;
  }

  /// The quotient with step 1: exact where the loss is linear in q and all numbers are small integers.
  GradientEntry unit_step(T& q) {
    const Quotient unit = quotient(q, 1);
    linear_ = linear_ && unit.low == unit.high;
    return {.numeric = unit.slope};
  }

  /// Whether `analytic` lies between the one-sided slopes, and these differ because of a kink: from one step to
  /// the next the gap between them stays, where it shrinks for a smooth function and grows at a jump.
  bool between_slopes(T& q, double analytic, bool settled) {
    const double h = last_step(q);
    const Quotient wide = quotient(q, 4 * h), narrow = quotient(q, h);
    const double rounding = options_.roundings * epsilon * narrow.magnitude / h;
    const double gap = narrow.gap(), wide_gap = wide.gap();
    const bool kink = !settled || (gap > wide_gap / 2 && gap > 4 * rounding);
    const bool jump = gap > 2 * wide_gap + 4 * rounding;
    return kink && !jump && narrow.low - rounding <= analytic && analytic <= narrow.high + rounding;
  }

  /// Steps are powers of two in the scale of max(1, |q|): epsilon^(1/7), where the errors of the
  /// extrapolation balance, down to epsilon^(2/5).
  static double scale(T q) { return std::exp2(std::floor(std::log2(std::max(1.0, std::abs(static_cast<double>(q)))))); }
  static double first_step(T q) { return scale(q) * std::exp2(std::floor(std::log2(epsilon) / 7)); }
  static double last_step(T q) { return scale(q) * std::exp2(std::floor(std::log2(epsilon) * 2 / 5)); }

  bool integers() const { return options_.engine == GradientEngine::integers; }

  Outputs outputs_;
  std::vector<T> weights_;
  GradientCheckOptions options_;
  bool linear_ = true;
  bool kink_ = false;  // at the step that gave the last entry
  std::vector<T> here_, right_, left_;
  double largest_ = 0;
};

}  // namespace unfold::detail
