// SPDX-License-Identifier: MIT
// The typed errors of the library. Every message reads
//   unfold::Conv2D::forward: x must be [N, 6, IH, IW], got [2, 3, 7, 11]
// that is: function, argument, rule, what was given. All checks run before the first write.
// Every other header includes this one, so here too is said which compilers and options the library refuses.
#pragma once

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 12
#error "unfold needs g++ 12 or clang++ 14, or a newer one"
#endif

// The library relies on NaN differing from itself (checks of arguments, maxima, the NaN that a gradient check puts into
// outputs) and on (q + h) - q being the step that was taken (difference quotients). A compiler that may assume there is
// no NaN, or that sums may be regrouped, removes these lines without a word, and only those of some translation units.
// Of -fassociative-math without the rest of -ffast-math only g++ tells the preprocessor: clang++ cannot refuse it.
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || \
    (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ > 0)
#error "unfold needs IEEE arithmetic: compile without -ffast-math, -Ofast, -ffinite-math-only, -fassociative-math"
#endif

#include <stdexcept>  // std::invalid_argument, std::logic_error, std::runtime_error
#include <string>
#include <string_view>

namespace unfold {

/// A size, shape, index or other argument breaks the rule that the message states.
struct ShapeError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// Calls came in the wrong order, e.g. `backward` before `forward`.
struct StateError : std::logic_error {
  using std::logic_error::logic_error;
};

/// A file is not what its format says; the message names the file, the place and the rule.
struct FormatError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

namespace detail {

/// Throws ShapeError "unfold::<function>: <rule>, got <got>". Callers test first, so that no text is
/// built on the way that succeeds.
[[noreturn]] inline void fail(std::string_view function, std::string_view rule, std::string_view got) {
  std::string message = "unfold::";
  throw ShapeError(message.append(function).append(": ").append(rule).append(", got ").append(got));
}

/// `fail` unless `holds`; `got` is turned into text only then.
template <class Got>
constexpr void require(bool holds, std::string_view function, std::string_view rule, const Got& got) {
  if (holds) return;
  using std::to_string;  // to_string(Shape) is found beside Shape
  fail(function, rule, to_string(got));
}

}  // namespace detail
}  // namespace unfold
