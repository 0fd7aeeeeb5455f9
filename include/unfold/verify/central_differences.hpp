// SPDX-License-Identifier: MIT
// CentralDifferences: the derivative of a function by one number, measured with an estimate of its error,
// and the verdict on a claimed one. It knows no layer: it moves a number and reads outputs.
// See docs/06_gradient_checks.md.
#pragma once

#include <unfold/verify/claim.hpp>

#include <numeric>  // std::adjacent_difference

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
    for (std::size_t i = 0; i < here_.size(); ++i) {
      const double y = std::abs(static_cast<double>(here_[i]));
      largest_ = std::max(largest_, y);
      unmoved_ += std::abs(static_cast<double>(weights_[i])) * y;
    }
  }

  /// The verdict on the claim that the loss has derivative `analytic` by q. Leaves q as it was.
  GradientEntry judge(T& q, T analytic) {
    const auto claim = static_cast<double>(analytic);
    GradientEntry entry = integers() ? unit_step(q, claim) : extrapolated(q, claim, 0);
    if (integers() || entry.verdict == Verdict::pass || entry.verdict == Verdict::vacuous) return entry;
    // The outputs may carry more roundings than they were allowed, where large numbers cancel inside the function.
    if (std::isfinite(entry.numeric)) {
      const GradientEntry noisy = extrapolated(q, claim, noise_at(q));
      if (noisy.verdict != Verdict::fail) return noisy;
    }
    // Where no step makes the quotients agree, their bound means nothing: only one-sided slopes can tell.
    if (entry.verdict == Verdict::fail && between_slopes(q, claim, settled(entry))) entry.verdict = Verdict::kink;
    return entry;
  }

  /// Whether every step of 1 so far moved the outputs upwards as much as a step of -1 downwards; but for roundings.
  bool exact() const { return exact_; }
  bool linear() const { return linear_; }

 private:
  static constexpr double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());

  struct Quotient {
    double slope, low, high;  // low, high: between the slopes on either side of q, output by output
    double magnitude;         // sum of |c_i| * |y_i| over the outputs that moved, y_i at least the largest output
    bool moved;               // whether any did
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
    Quotient sum{0, 0, 0, 0, false};
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      const auto c = static_cast<double>(weights_[i]);
      const double up = c * difference(right_[i], here_[i]), down = c * difference(here_[i], left_[i]);
      sum.slope += c * difference(right_[i], left_[i]) / (right + left);
      sum.low += std::min(up / right, down / left);
      sum.high += std::max(up / right, down / left);
      if (right_[i] != left_[i] || right_[i] != here_[i]) {
        const auto y = static_cast<double>(std::max(std::abs(right_[i]), std::abs(left_[i])));
        sum.magnitude += std::abs(c) * std::max(y, largest_);
        sum.moved = true;
      }
    }
    return sum;
  }

  /// Whether the quotients of the steps that gave an entry agree.
  static bool settled(const GradientEntry& entry) {
    return entry.truncation <= std::max(entry.rounding, std::cbrt(epsilon) * std::abs(entry.numeric));
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
  /// Outputs of which none moved may each have moved by half a rounding of their own on either side.
  /// `noise`, where it was measured, is the error of the loss: D(h/4) is off by twice that over h/2, and it is doubled.
  ///
  /// Steps go down to the scale of |q| itself, where those in the scale of 1 leave the domain or meet a kink.
  GradientEntry extrapolated(T& q, double analytic, double noise) {
    GradientEntry best{.analytic = analytic, .numeric = NAN, .truncation = HUGE_VAL};
    bool kink = true;  // at the step that gave the best
    const double least = std::min(last_step(q), nearest_step(q));
    for (double h = first_step(q); h / 4 >= least; h /= 8) {
      smallest_ = h / 4;
      const Quotient d1 = quotient(q, h), d2 = quotient(q, h / 2), d4 = quotient(q, h / 4);
      const double r1 = d2.slope + (d2.slope - d1.slope) / 3, r2 = d4.slope + (d4.slope - d2.slope) / 3;
      const double roundings = d1.moved ? options_.roundings * epsilon * d1.magnitude : epsilon * unmoved_;
      const GradientEntry entry{.analytic = analytic,
                                .numeric = r2 + (r2 - r1) / 15,
                                .truncation = std::abs(r2 - r1),
                                .rounding = std::max(roundings, 2 * noise) / (h / 4)};
      const bool bent = d4.gap() > d1.gap() / 2 && d4.gap() > 4 * entry.rounding;
      if (entry.bound() < best.bound() || (kink && !bent && settled(entry))) {
        best = entry;
        best_ = h;
        kink = bent;
      }
      if (!kink && best.bound() <= 2 * entry.rounding) break;  // a smaller step has more rounding alone
    }
    if (settled(best) && best.within_bound()) best.verdict = kink ? Verdict::kink : best.verdict_within_bound();
    return best;
  }

  /// How far the loss is off by rounding, seen in its own values around q, as far out as the best step went: of a
  /// smooth function their sixth differences are nothing; of errors of size s they are some sqrt(924)*s, 924 being
  /// 12 over 6. Four times the s that they give, on the worse of two grids, since the roundings on one may be all the
  /// same by chance. Grids get coarser where a function moves in jumps, and does not move on a finer one.
  /// Source  J. J. More, S. M. Wild, Estimating computational noise, SIAM J. Sci. Comput. 33 (2011)
  double noise_at(T& q) {
    constexpr double median_of_normal = 0.6745;
    double largest = 0;
    for (const double fraction : {1. / 13, 1. / 17}) {
      double median = 0;
      for (double h = best_; h <= first_step(q) && median == 0; h *= 8) median = sixth_difference(q, fraction * h);
      largest = std::max(largest, median);
    }
    return 4 * largest / (median_of_normal * std::sqrt(924));
  }

  /// The median magnitude of 19 sixth differences of the loss on 25 points, of which a kink or jump at q spoils 7; 0
  /// where it is no number.
  double sixth_difference(T& q, double step) {
    constexpr int side = 12, order = 6;
    const T middle = q;
    std::vector<double> losses;
    for (int k = -side; k <= side; ++k) {
      q = middle + static_cast<T>(k * step);
      outputs_(right_);
      losses.push_back(0);
      for (std::size_t i = 0; i < weights_.size(); ++i) {
        losses.back() += static_cast<double>(weights_[i]) * difference(right_[i], here_[i]);
      }
    }
    q = middle;
    for (int k = 0; k < order; ++k) {
      std::adjacent_difference(losses.begin(), losses.end(), losses.begin());
      losses.erase(losses.begin());
    }
    for (double& loss : losses) loss = std::isfinite(loss) ? std::abs(loss) : 0;
    const auto median = losses.begin() + side - order / 2;
    std::nth_element(losses.begin(), median, losses.end());
    return *median;
  }

  /// The quotient with step 1: exact where the loss is linear in q and all numbers are small integers.
  GradientEntry unit_step(T& q, double analytic) {
    const Quotient unit = quotient(q, 1);
    exact_ = exact_ && unit.low == unit.high;
    linear_ = linear_ && unit.gap() <= options_.roundings * epsilon * unit.magnitude;
    GradientEntry entry{.analytic = analytic, .numeric = unit.slope};
    if (entry.within_bound()) entry.verdict = Verdict::pass;
    return entry;
  }

  /// Whether `analytic` lies between the one-sided slopes, and these differ because of a kink: from one step to a
  /// fourth of it the gap between them stays, where it falls to a fourth for a smooth function and grows at a jump.
  bool between_slopes(T& q, double analytic, bool settled) {
    const double h = std::min(smallest_, last_step(q));
    const Quotient wide = quotient(q, 4 * h), narrow = quotient(q, h);
    const double rounding = options_.roundings * epsilon * narrow.magnitude / h;
    const double gap = narrow.gap(), wide_gap = wide.gap();
    const bool smooth = std::abs(wide_gap - 4 * gap) <= wide_gap / 4 + 16 * rounding;
    const bool kink = (!settled && !smooth) || (gap > wide_gap / 2 && gap > 4 * rounding);
    const bool jump = gap > 2 * wide_gap + 4 * rounding;
    return kink && !jump && narrow.low - rounding <= analytic && analytic <= narrow.high + rounding;
  }

  /// Steps are halved from 11/16 * epsilon^(1/7), where the errors of the extrapolation balance, down to epsilon^(2/5),
  /// in the scale of max(1, |q|), or of |q|. Eleven: no period of a function is a power of two of it.
  static double power_of_two(double x) { return std::exp2(std::floor(std::log2(x))); }
  static double magnitude(T q) { return std::abs(static_cast<double>(q)); }
  static double scale(T q) { return power_of_two(std::max(1.0, magnitude(q))); }
  static double first_step(T q) { return 11. / 16 * scale(q) * power_of_two(std::pow(epsilon, 1. / 7)); }
  static double last_step(T q) { return scale(q) * power_of_two(std::pow(epsilon, 2. / 5)); }
  static double nearest_step(T q) {
    return q == T(0) ? HUGE_VAL : power_of_two(magnitude(q)) * power_of_two(std::pow(epsilon, 2. / 5));
  }

  bool integers() const { return options_.engine == GradientEngine::integers; }

  Outputs outputs_;
  std::vector<T> weights_;
  GradientCheckOptions options_;
  bool exact_ = true, linear_ = true;
  double best_ = 0, smallest_ = 0;  // steps of the last extrapolation
  std::vector<T> here_, right_, left_;
  double largest_ = 0, unmoved_ = 0;  // output, and sum of |c_i| * |y_i|, at the point
};

}  // namespace unfold::detail
