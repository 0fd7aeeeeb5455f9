// SPDX-License-Identifier: MIT
// Cursor: steps through the text of a file's header from left to right, once, without recursion or locale.
#pragma once

#include <unfold/io/file.hpp>

namespace unfold::detail {

class Cursor {
 public:
  /// `begin`: the byte of the file where `text` starts; `blanks`: the characters that may stand between others.
  Cursor(const Source& source, std::string_view text, Index begin, std::string_view blanks)
      : source_(source), text_(text), begin_(begin), blanks_(blanks) {}

  bool at_end() const { return next_ == text_.size(); }
  std::size_t position() const { return next_; }
  std::string_view rest() const { return text_.substr(next_); }
  char peek() const { return at_end() ? '\0' : text_[next_]; }  // at_end() tells the end from a zero byte
  void step(std::size_t characters) { next_ += characters; }

  void skip_blanks() {
    while (!at_end() && blanks_.find(text_[next_]) != std::string_view::npos) ++next_;
  }

  /// Skips blanks; true, with `text` behind us, if that is what follows.
  bool accept(std::string_view text) {
    skip_blanks();
    if (!rest().starts_with(text)) return false;
    next_ += text.size();
    return true;
  }
  void expect(std::string_view text) {
    if (!accept(text)) fail("'" + std::string(text) + "'");
  }

  /// A decimal number in [0, 2^63) without sign, leading zero, point or exponent.
  Index integer() {
    skip_blanks();
    const auto digit = [&] { return peek() >= '0' && peek() <= '9'; };
    if (!digit()) fail("a number >= 0");
    const std::size_t start = next_;
    Index value = 0;
    for (; digit(); ++next_) {
      if (next_ > start && text_[start] == '0') fail_at(start, "a number without leading zero");
      const Index tens = product_or_overflow(value, 10);
      const Index ones = peek() - '0';
      if (tens < 0 || tens > std::numeric_limits<Index>::max() - ones) fail_at(start, "a number below 2^63");
      value = tens + ones;
    }
    return value;
  }

  /// Throws FormatError "... byte <where>: expected <what>, got <the text there>".
  [[noreturn]] void fail(std::string_view what) const { fail_at(next_, what); }
  [[noreturn]] void fail_at(std::size_t position, std::string_view what) const {
    source_.fail("byte " + std::to_string(begin_ + static_cast<Index>(position)) + ": expected " + std::string(what),
                 position == text_.size() ? "the end of the header" : in_quotes(text_.substr(position)));
  }

 private:
  const Source& source_;
  std::string_view text_;
  Index begin_;
  std::string_view blanks_;
  std::size_t next_ = 0;
};

}  // namespace unfold::detail
