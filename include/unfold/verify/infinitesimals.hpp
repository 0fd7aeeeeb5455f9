// SPDX-License-Identifier: MIT
// Derivatives from code that runs on numbers with an infinitesimal part: dual numbers, and complex numbers whose
// imaginary part is tiny. Nothing is subtracted, so that all digits are right.
// See docs/06_gradient_checks.md.
#pragma once

#include <unfold/nn/scalar.hpp>
#include <unfold/verify/claim.hpp>
#include <unfold/verify/gradient_text.hpp>

#include <unsupported/Eigen/AutoDiff>

#include <complex>

namespace unfold {

/// A number with one derivative: DualNumber(2.0) is a constant, DualNumber(2.0, 1, 0) the variable itself.
/// Its value() and derivatives()(0) go through arithmetic and the functions of <cmath> by their own rules.
using DualNumber = Eigen::AutoDiffScalar<Eigen::Matrix<double, 1, 1>>;

namespace detail {

template <class S>
concept ComplexNumber = std::same_as<S, std::complex<typename S::value_type>>;

}  // namespace detail

/// The scalars of a twin: std::complex, or dual numbers such as DualNumber.
template <class S>
concept Infinitesimal = detail::ComplexNumber<S> || detail::CarriesDerivatives<S>;

namespace detail {

/// The numbers S as a value and an infinitesimal part in units of `unit`.
///   dual      f(q + d) = f(q) + f'(q)*d       exactly; unit 1
///   complex   Im f(q + i*h) / h = f'(q) - h^2/6*f'''(q) + ...   h is the fourth root of the smallest normal number:
///             h^2 is far below epsilon, and h^3 is still a normal number
template <Infinitesimal S>
struct InfinitesimalPart;

template <class T>
struct InfinitesimalPart<std::complex<T>> {
  static constexpr int exponent = std::numeric_limits<T>::min_exponent / 4;
  static inline const T unit = std::exp2(static_cast<T>(exponent));
  static std::complex<T> variable(double value) { return {static_cast<T>(value), unit}; }
  static double value(const std::complex<T>& s) { return static_cast<double>(s.real()); }
  static double derivative(const std::complex<T>& s) { return static_cast<double>(s.imag() / unit); }
  static std::string engine() { return "complex step"; }
};

template <CarriesDerivatives S>
struct InfinitesimalPart<S> {
  static S variable(double value) {
    std::remove_cvref_t<decltype(S(value).derivatives())> d = S(value).derivatives();
    d.setZero();
    d(0) = 1;
    return S(value, d);
  }
  static double value(const S& s) { return static_cast<double>(s.value()); }
  static double derivative(const S& s) { return static_cast<double>(s.derivatives()(0)); }
  static std::string engine() { return "dual numbers"; }
};

/// Compares a twin's outputs with those of the layer: one that computes something else judges nothing. Each is off by
/// roundings/2 * epsilon * the largest output.
template <class T, class S>
std::vector<Finding> compare_outputs(const std::vector<S>& twins, const std::vector<T>& ours, double roundings) {
  if (twins.size() != ours.size()) {
    const auto counts = std::to_string(twins.size()) + " outputs for " + std::to_string(ours.size());
    return {{Verdict::fail, "the twin gives " + counts}};
  }
  double largest = 0;
  for (const T y : ours) largest = std::max(largest, std::abs(static_cast<double>(y)));
  const double allowed = roundings * rounding_unit<T> * largest;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const double a = InfinitesimalPart<S>::value(twins[i]), b = static_cast<double>(ours[i]);
    if (a == b || std::abs(a - b) <= allowed || (std::isnan(a) && std::isnan(b))) continue;
    return {{Verdict::fail, "the twin gives " + number_text("%.12g", a) + " as element " + std::to_string(i) +
                                " of y, the layer " + number_text("%.12g", b)}};
  }
  return {};
}

/// Derivatives of the loss sum c_i*y_i by the elements of one claim, from a twin whose elements are `twins`.
template <class T, class S, class Outputs>
class Infinitesimals {
 public:
  /// `outputs(y)` writes the twin's outputs at the current point.
  Infinitesimals(const Claim<T>& claim, const std::vector<S*>& twins, Outputs& outputs, const std::vector<T>& weights,
                 const GradientCheckOptions& options)
      : claim_(claim), twins_(twins), outputs_(outputs), weights_(weights), options_(options) {}

  /// Some coordinates: numeric = sum c_i * dy_i/dq_j, one pass of the twin each.
  ///
  /// rounding: both sides are sums of products that a formula gives without truncation. Each is off by roundings/2 *
  /// epsilon of its terms; a term that cancels inside a layer (a saturated slope, a mean taken off) is as large there
  /// as the terms of other elements of the tensor are at the end. So the scale is the largest sum |c_i * dy_i/dq|.
  TensorReport check(Random& random) {
    TensorReport report = claim_.report(false);
    double largest = 0;
    for_each_chosen(random, claim_.size(), options_.coordinates, [&](std::size_t j) {
      const std::vector<double> terms = slopes(j, 0);
      GradientEntry entry{.position = static_cast<Index>(j), .analytic = static_cast<double>(claim_.gradient[j])};
      double size = 0;
      for (const double term : terms) {
        entry.numeric += term;
        size += std::abs(term);
      }
      largest = std::max(largest, size);
      report.entries.push_back(entry);
    });
    for (GradientEntry& entry : report.entries) {
      entry.rounding = options_.roundings * epsilon * largest;
      entry.verdict = entry.within_bound() ? entry.verdict_within_bound()
                      : at_kink(entry)     ? Verdict::kink
                                           : Verdict::fail;
    }
    return report;
  }

 private:
  using Part = InfinitesimalPart<S>;
  static constexpr double epsilon = rounding_unit<T>;

  /// c_i * dy_i/dq_j at q_j + step.
  std::vector<double> slopes(std::size_t j, double step) {
    const S kept = *twins_[j];
    *twins_[j] = Part::variable(static_cast<double>(*claim_.at[j]) + step);
    outputs_(y_);
    *twins_[j] = kept;
    std::vector<double> terms;
    terms.reserve(weights_.size());
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      terms.push_back(static_cast<double>(weights_[i]) * Part::derivative(y_[i]));
    }
    return terms;
  }

  /// Whether there is a kink so near that rounding decides on which side the layer stands and on which its twin, and
  /// the claim lies between the slopes on both sides. Sums in a layer are off by roundings/2 * epsilon of their size.
  bool at_kink(const GradientEntry& entry) {
    const auto j = static_cast<std::size_t>(entry.position);
    const double step = options_.roundings * epsilon * std::max(1.0, std::abs(static_cast<double>(*claim_.at[j])));
    const std::vector<double> here = slopes(j, 0), left = slopes(j, -step), right = slopes(j, step);
    double low = 0, high = 0;
    for (std::size_t i = 0; i < here.size(); ++i) {
      low += std::min({here[i], left[i], right[i]});
      high += std::max({here[i], left[i], right[i]});
    }
    const double bound = entry.bound();
    return high - low > bound && low - bound <= entry.analytic && entry.analytic <= high + bound;
  }

  const Claim<T>& claim_;
  const std::vector<S*>& twins_;
  Outputs& outputs_;
  const std::vector<T>& weights_;
  const GradientCheckOptions& options_;
  std::vector<S> y_;
};

}  // namespace detail
}  // namespace unfold
