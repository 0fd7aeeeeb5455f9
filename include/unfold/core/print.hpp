// SPDX-License-Identifier: MIT
// fmt::print("{}", tensor) for Tensor and TensorView of any rank, as NumPy prints them, and for Shape.
// "{:.3}" limits the digits after the point to 3. Not in the umbrella header: this one needs {fmt}, 9.1 or newer.
#pragma once

#include <unfold/core/text.hpp>

#include <fmt/core.h>

// A Shape has begin() and end(), but prints itself: fmt/ranges.h, if the user includes it, must leave it alone.
FMT_BEGIN_NAMESPACE
template <typename T, typename Char>
struct is_range;
template <int Rank>
struct is_range<unfold::Shape<Rank>, char> {
  static constexpr bool value = false;
};
FMT_END_NAMESPACE

namespace unfold::detail {

template <class Iterator>
Iterator copy_text(const std::string& text, Iterator out) {
  for (const char c : text) *out++ = c;
  return out;
}

}  // namespace unfold::detail

template <int Rank>
struct fmt::formatter<unfold::Shape<Rank>, char> {
  constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }

  auto format(const unfold::Shape<Rank>& shape, fmt::format_context& context) const {
    return unfold::detail::copy_text(to_string(shape), context.out());
  }
};

template <unfold::PrintableTensor X>
struct fmt::formatter<X, char> {
  constexpr auto parse(fmt::format_parse_context& context) {
    const char* next = context.begin();
    const auto digit = [&] { return next != context.end() && *next >= '0' && *next <= '9'; };
    if (next != context.end() && *next == '.') {
      ++next;
      for (precision_ = 0; digit() && precision_ < 100; ++next) precision_ = 10 * precision_ + (*next - '0');
    }
    return next;  // anything else before the brace is refused by fmt
  }

  auto format(const X& tensor, fmt::format_context& context) const {
    return unfold::detail::copy_text(to_string(tensor, precision_), context.out());
  }

 private:
  int precision_ = unfold::detail::print_precision;
};
