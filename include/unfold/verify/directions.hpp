// SPDX-License-Identifier: MIT
// Directions: derivatives of outputs along drawn directions u of a tensor q, against the product <g, u> of the
// claimed gradient g. A few forward passes judge all elements of q at once; none is named.
// See docs/06_gradient_checks.md.
#pragma once

#include <unfold/verify/claim.hpp>

#include <array>

namespace unfold::detail {

/// Measures along directions in the tensor of one claim, for the loss sum c_i*y_i. `outputs(y)` writes the outputs at
/// the current point. The elements of a direction are drawn with either sign, so that errors of opposite signs do not
/// hide one another.
template <class T, class Outputs>
class Directions {
 public:
  Directions(Claim<T>& claim, Outputs& outputs, const std::vector<T>& weights, const GradientCheckOptions& options)
      : claim_(claim), outputs_(outputs), weights_(weights), roundings_(options.roundings) {
    for (const T* q : claim.at) point_.push_back(*q);
    outputs_(here_);
    for (const T y : here_) largest_ = std::max(largest_, std::abs(static_cast<double>(y)));
  }
  Directions(const Directions&) = delete;
  Directions& operator=(const Directions&) = delete;
  ~Directions() { move(0, {}); }

  /// For outputs affine in q, y = J q + y0:  <J u, c> = <u, J^T c>, with J u = y(u) - y(0).
  ///
  /// rounding: each output is off by roundings/2 * epsilon * |y_i|, so the left side by that times |c_i|, of y(u) and
  /// of y(0). Where outputs cancel inside, what cancels is as large as the terms u_j*g_j of the right side, whose sum
  /// is off by roundings/2 * epsilon * sum |u_j*g_j|.
  GradientEntry adjoint(Random& random) {
    const std::vector<T> u = direction(random, [](T) { return 1.0; });
    const std::vector<T>&zero = at(0, u, 0), &once = at(1, u, 1), &twice = at(2, u, 2), &back = at(-1, u, 3);
    GradientEntry entry;
    double size = 0;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      const auto c = static_cast<double>(weights_[i]);
      const auto y0 = static_cast<double>(zero[i]), y1 = static_cast<double>(once[i]);
      const auto y2 = static_cast<double>(twice[i]), y3 = static_cast<double>(back[i]);
      entry.numeric += c * (y1 - y0);
      size += std::abs(c) * (std::abs(y1) + std::abs(y0));
      // Four outputs, each off by roundings/2 * epsilon * the largest output.
      const double largest = std::max({largest_, std::abs(y0), std::abs(y1), std::abs(y2), std::abs(y3)});
      const double bend = std::max(std::abs(y1 - 2 * y0 + y3), std::abs(y2 - 2 * y1 + y0));
      linear_ = linear_ && bend <= 2 * roundings_ * epsilon * largest;
    }
    for (std::size_t j = 0; j < u.size(); ++j) {
      const double term = static_cast<double>(u[j]) * static_cast<double>(claim_.gradient[j]);
      entry.analytic += term;
      size += std::abs(term);
    }
    entry.rounding = roundings_ / 2 * epsilon * size;
    if (entry.within_bound()) entry.verdict = entry.verdict_within_bound();
    return entry;
  }

  /// Whether outputs at 0, u, 2u and -u lay on a line in every direction of `adjoint` so far.
  bool linear() const { return linear_; }

  /// The remainder of Taylor's formula on both sides, split into what the sides share and what they do not:
  ///
  ///   r(t)    = f(q + t*u) - f(q) - t*<g, u>
  ///   even(t) = (r(t) + r(-t)) / 2 = a*t^2 + ...     or |k|*t at a kink
  ///   odd(t)  = (r(t) - r(-t)) / 2 = b*t^3 + ...     or e*t where the claim is wrong by e
  ///
  /// numeric = <g, u> + odd(t)/t, at the t = 2^-3 / 4^k that gives the smallest bound.
  /// truncation: how far odd(t)/t still moves from 4t to t, fifteen times the true error where odd falls as t^3; or a
  /// sixteenth of the move before it, since the last may be small by chance. The bound holds just where odd falls
  /// faster than t^1.5. Of smooth functions the best is some 50 * epsilon^(2/3) of the slopes: where it is above
  /// epsilon^(1/4), the steps do not agree and it means nothing.
  /// order: the exponent of the slower of the two parts; of even, at the smallest t where it is more than rounding.
  /// Kink: at the smallest t of all even still falls slower than t^1.5, the middle between kink and smooth; or kinks
  /// lie so near that they spoil the best bound. The claim must lie between the slopes on both sides then.
  GradientEntry taylor(Random& random) {
    const std::vector<T> u = direction(random, [](T q) { return std::max(1.0, std::abs(static_cast<double>(q))); });
    GradientEntry best{.numeric = NAN, .truncation = HUGE_VAL};
    double order_of_even = HUGE_VAL, last_move = HUGE_VAL, size = 0;
    bool kink_near_best = false, kink = false;
    Remainder last = remainder(u, 0.125);
    for (int k = 1; std::ldexp(0.125, -2 * k) > std::sqrt(epsilon); ++k) {
      const double t = std::ldexp(0.125, -2 * k);
      const Remainder now = remainder(u, t);
      const double move = std::abs(last.odd / (4 * t) - now.odd / t);
      const GradientEntry entry{.analytic = now.claimed,
                                .numeric = now.claimed + now.odd / t,
                                .truncation = std::max(move, last_move / 16),
                                .rounding = now.rounding / t,
                                .order = order(last.odd, now.odd, now.rounding)};
      const double order_now = order(last.even, now.even, now.rounding);
      kink = order_now < 1.5;
      if (entry.bound() < best.bound()) {
        best = entry;
        size = now.size;
        kink_near_best = now.gap() > last.gap() / 2 && now.between();
      }
      if (order_now != HUGE_VAL) order_of_even = order_now;
      last = now;
      last_move = move;
      if (order_now == HUGE_VAL && entry.truncation <= entry.rounding) break;
    }
    best.order = std::min(best.order, order_of_even);
    const bool settled = best.truncation <= std::max(best.rounding, std::sqrt(std::sqrt(epsilon)) * size);
    if (!kink && settled && best.within_bound()) {
      best.verdict = best.verdict_within_bound();
    } else if (kink ? last.between() : kink_near_best) {
      best.verdict = Verdict::kink;
    }
    return best;
  }

 private:
  static constexpr double epsilon = rounding_unit<T>;

  struct Remainder {
    double even, odd;
    double rounding;   // of even and odd
    double claimed;    // <g, u>
    double low, high;  // between the slopes on both sides, output by output, and their rounding beyond
    double size;       // sum of the outputs' slopes in magnitude
    bool between() const { return low <= claimed && claimed <= high; }
    double gap() const { return high - low; }
  };

  template <class Scale>
  std::vector<T> direction(Random& random, Scale scale) {
    std::vector<T> u;
    u.reserve(point_.size());
    for (const T q : point_) u.push_back(static_cast<T>(random.normal() * scale(q)));
    return u;
  }

  /// q = t*u, from zero.
  const std::vector<T>& at(int t, const std::vector<T>& u, std::size_t slot) {
    for (std::size_t j = 0; j < u.size(); ++j) *claim_.at[j] = static_cast<T>(t) * u[j];
    outputs_(outputs_of_[slot]);
    return outputs_of_[slot];
  }

  /// q = point + t*u; the point itself for t = 0.
  void move(double t, const std::vector<T>& u) {
    for (std::size_t j = 0; j < point_.size(); ++j) {
      *claim_.at[j] = t == 0 ? point_[j] : point_[j] + static_cast<T>(t) * u[j];
    }
  }

  /// r on both sides. q is rounded, so the claim is multiplied with the steps that were taken. rounding: two outputs
  /// each, off by roundings/2 * epsilon * the largest output, where they moved; and the claim, as in `adjoint`.
  Remainder remainder(const std::vector<T>& u, double t) {
    Remainder r{};
    for (const double side : {1.0, -1.0}) {
      move(side * t, u);
      for (std::size_t j = 0; j < u.size(); ++j) {
        const double term = static_cast<double>(claim_.gradient[j]) * static_cast<double>(*claim_.at[j] - point_[j]);
        r.even -= term / 2;
        r.odd -= side * term / 2;
        r.rounding += roundings_ / 4 * epsilon * std::abs(term);
        r.claimed += side * term / (2 * t);
      }
      outputs_(outputs_of_[side > 0 ? 0 : 1]);
    }
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      const auto c = static_cast<double>(weights_[i]), here = static_cast<double>(here_[i]);
      const auto right = static_cast<double>(outputs_of_[0][i]), left = static_cast<double>(outputs_of_[1][i]);
      const double up = c * (right - here), down = c * (here - left);
      r.even += (up - down) / 2;
      r.odd += (up + down) / 2;
      r.low += std::min(up, down) / t;
      r.high += std::max(up, down) / t;
      r.size += std::abs(up + down) / (2 * t);
      const double largest = std::max({largest_, std::abs(right), std::abs(left)});
      if (right != here || left != here) r.rounding += roundings_ * epsilon * std::abs(c) * largest;
    }
    r.low -= r.rounding / t;
    r.high += r.rounding / t;
    return r;
  }

  /// The exponent with which a part falls from 4t to t; infinite where it is lost in rounding. Above four times the
  /// rounding the exponent is off by log2((1 + 1/4) / (1 - 1/16)) / 2 < 1/4 at most, where it is 1 or more.
  static double order(double at_4t, double at_t, double rounding) {
    if (std::abs(at_t) <= 4 * rounding) return HUGE_VAL;
    return std::log2(std::abs(at_4t) / std::abs(at_t)) / 2;
  }

  Claim<T>& claim_;
  Outputs& outputs_;
  const std::vector<T>& weights_;
  double roundings_;
  bool linear_ = true;
  std::vector<T> point_, here_;
  std::array<std::vector<T>, 4> outputs_of_;
  double largest_ = 0;
};

}  // namespace unfold::detail
