// SPDX-License-Identifier: MIT
// Catch2 matchers for tensors and views: CHECK_THAT(y, equals(expected)) and
// CHECK_THAT(y, within(expected, bound)), the bound a tensor too. A failure names the first wrong
// index with both values, the worst error, and how many are wrong. NaN is always wrong.
#pragma once

#include "support/catch.hpp"

#include <unfold/core/tensor.hpp>

#include <sstream>

namespace unfold::test {

/// Compares element by element; one instance is used for one comparison.
template <class T, int Rank>
class TensorMatcher {
 public:
  /// No `bound`: the elements must be equal.
  explicit TensorMatcher(TensorView<const T, Rank> expected) : expected_(expected), exact_(true) {}
  TensorMatcher(TensorView<const T, Rank> expected, TensorView<const T, Rank> bound)
      : expected_(expected), bound_(bound), exact_(false) {}

  template <TensorOfRank<Rank> A>
  bool match(const A& actual_in) const {
    const ReadableView<A> actual = actual_in;
    shape_ = actual.shape();
    if (shape_ != expected_.shape() || (!exact_ && shape_ != bound_.shape())) return false;
    Shape<Rank> index;
    for (Index left = expected_.size(); left > 0; --left) {
      compare(index, actual);
      for (int d = Rank - 1; d >= 0 && ++index[d] == shape_[d]; --d) index[d] = 0;
    }
    return wrong_ == 0;
  }

  std::string toString() const {
    std::ostringstream out;
    out.precision(17);
    if (shape_ != expected_.shape()) {
      out << "must have shape " << to_string(expected_.shape()) << ", got " << to_string(shape_);
    } else if (wrong_ == 0) {
      out << (exact_ ? "equals" : "is within the bound of") << " the expected tensor";
    } else {
      out << "has " << wrong_ << " wrong of " << expected_.size() << "; first at " << to_string(first_index_) << ": "
          << first_actual_ << " instead of " << first_expected_;
      if (!exact_) out << " +- " << first_bound_;
      out << "; worst at " << to_string(worst_index_) << ": off by " << worst_error_;
      if (!exact_) out << ", " << worst_ << " times the bound";
    }
    return out.str();
  }

 private:
  template <class View>
  static auto element(const View& view, const Shape<Rank>& index) {
    Index offset = 0;
    for (int d = 0; d < Rank; ++d) offset += index[d] * view.stride(d);
    return static_cast<long double>(view.data()[offset]);
  }

  template <class View>
  void compare(const Shape<Rank>& index, const View& actual) const {
    const long double a = element(actual, index), e = element(expected_, index);
    const long double bound = exact_ ? 0.0L : element(bound_, index);
    const long double error = a < e ? e - a : a - e;
    if (error <= bound) return;
    if (wrong_++ == 0) {
      first_index_ = index, first_actual_ = a, first_expected_ = e, first_bound_ = bound;
    }
    const long double badness = exact_ ? error : error / bound;
    if (wrong_ == 1 || badness > worst_ || badness != badness) {
      worst_index_ = index, worst_error_ = error, worst_ = badness;
    }
  }

  TensorView<const T, Rank> expected_, bound_;
  bool exact_;
  mutable Shape<Rank> shape_, first_index_, worst_index_;
  mutable long double first_actual_ = 0, first_expected_ = 0, first_bound_ = 0, worst_error_ = 0, worst_ = 0;
  mutable Index wrong_ = 0;
};

/// Equal shapes, and equal numbers; the element types may differ.
template <class E>
auto equals(const E& expected) {
  return TensorMatcher(ReadableView<E>(expected));
}

/// Equal shapes, and |actual - expected| <= bound element by element.
template <class E, class B>
auto within(const E& expected, const B& bound) {
  return TensorMatcher(ReadableView<E>(expected), ReadableView<B>(bound));
}

template <class X>
concept TensorOrView = requires { unfold::detail::AsTensor<X>::rank; };

}  // namespace unfold::test

namespace Catch {

/// A tensor prints as its shape; the matcher prints what is wrong with it.
template <unfold::test::TensorOrView X>
struct StringMaker<X> {
  static std::string convert(const X& x) { return "tensor " + to_string(x.shape()); }
};

}  // namespace Catch
