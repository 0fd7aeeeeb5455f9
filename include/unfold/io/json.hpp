// SPDX-License-Identifier: MIT
// JSON objects, strings (UTF-8 checked, escapes decoded) and lists of sizes, read one after the other.
// Only what a safetensors header needs; why not a JSON library: docs/decisions/safetensors_header.md.
#pragma once

#include <unfold/core/json_text.hpp>
#include <unfold/io/cursor.hpp>

namespace unfold::detail {

/// The bytes of the UTF-8 character that starts `text`, or 0 if none does: no overlong form, no surrogate,
/// nothing above U+10FFFF.
inline std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto follows = [&](std::size_t i, unsigned least = 0x80, unsigned most = 0xbf) {
    return byte(i) >= least && byte(i) <= most;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return text.empty() ? 0 : 1;
  if (lead >= 0xc2 && lead <= 0xdf) return follows(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    return follows(1, lead == 0xe0 ? 0xa0 : 0x80, lead == 0xed ? 0x9f : 0xbf) && follows(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    return follows(1, lead == 0xf0 ? 0x90 : 0x80, lead == 0xf4 ? 0x8f : 0xbf) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

inline void append_utf8(std::string& text, unsigned code) {
  const auto tail = [](unsigned bits) { return static_cast<char>(0x80 | (bits & 0x3f)); };
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text.append({static_cast<char>(0xc0 | code >> 6), tail(code)});
  } else if (code < 0x10000) {
    text.append({static_cast<char>(0xe0 | code >> 12), tail(code >> 6), tail(code)});
  } else {
    text.append({static_cast<char>(0xf0 | code >> 18), tail(code >> 12), tail(code >> 6), tail(code)});
  }
}

/// The four hexadecimal digits behind "\u".
inline unsigned json_code_unit(Cursor& cursor) {
  unsigned value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = cursor.peek();
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) cursor.fail("four hexadecimal digits");
    value = value * 16 + static_cast<unsigned>(digit);
    cursor.step(1);
  }
  return value;
}

/// Appends what an escape stands for; its backslash is behind us.
inline void append_json_escape(Cursor& cursor, std::string& text) {
  constexpr std::string_view letters = "\"\\/bfnrt";
  constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
  const std::size_t start = cursor.position();
  const char c = cursor.peek();
  const std::size_t letter = letters.find(c);
  if (c != 'u' && letter == std::string_view::npos) cursor.fail("one of \"\\/bfnrtu");
  cursor.step(1);
  if (c != 'u') {
    text += meanings[letter];
    return;
  }
  unsigned code = json_code_unit(cursor);
  if (code >= 0xd800 && code <= 0xdfff) {  // half a surrogate pair
    const bool first = code < 0xdc00 && cursor.rest().starts_with("\\u");
    if (first) cursor.step(2);
    const unsigned second = first ? json_code_unit(cursor) : 0;
    if (second < 0xdc00 || second > 0xdfff) cursor.fail_at(start, "a whole surrogate pair");
    code = 0x10000 + (code - 0xd800) * 0x400 + (second - 0xdc00);
  }
  append_utf8(text, code);
}

inline std::string json_string(Cursor& cursor, std::string_view what) {
  if (!cursor.accept("\"")) cursor.fail(what);
  std::string text;
  while (!cursor.at_end() && cursor.peek() != '"') {
    if (cursor.peek() == '\\') {
      cursor.step(1);
      append_json_escape(cursor, text);
      continue;
    }
    const std::size_t length = utf8_length(cursor.rest());
    if (length == 0) cursor.fail("a UTF-8 character");
    if (static_cast<unsigned char>(cursor.peek()) < 0x20) cursor.fail("no control character in a string");
    text += cursor.rest().substr(0, length);
    cursor.step(length);
  }
  if (cursor.at_end()) cursor.fail("the closing '\"'");
  cursor.step(1);
  return text;
}

/// The numbers of "[2, 3]", at most axes_limit of them.
inline std::vector<Index> json_integers(Cursor& cursor) {
  std::vector<Index> values;
  cursor.expect("[");
  if (cursor.accept("]")) return values;
  for (bool more = true; more; more = cursor.accept(",")) {
    if (values.size() == axes_limit) cursor.fail("']' after " + std::to_string(axes_limit) + " numbers");
    values.push_back(cursor.integer());
  }
  if (!cursor.accept("]")) cursor.fail("',' or ']'");
  return values;
}

/// Calls f(name, position of the name) for each member of an object, with the cursor before the value.
template <class F>
void for_each_member(Cursor& cursor, F&& f) {
  cursor.expect("{");
  if (cursor.accept("}")) return;
  for (bool more = true; more; more = cursor.accept(",")) {
    cursor.skip_blanks();
    const std::size_t start = cursor.position();
    const std::string name = json_string(cursor, "a name in quotes");
    cursor.expect(":");
    f(name, start);
  }
  if (!cursor.accept("}")) cursor.fail("',' or '}'");
}

}  // namespace unfold::detail
