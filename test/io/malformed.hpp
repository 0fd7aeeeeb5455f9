// SPDX-License-Identifier: MIT
// The malformed files of the tables beside this header: what the tests expect of them, and what fuzzing begins with.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace unfold::test {

using namespace std::string_literals;
using namespace std::string_view_literals;

/// A line of a table: `text` is a file or the part of one that is wrong, `message` what the reader says of it.
struct MalformedRow {
  std::string_view what;
  std::string_view text;
  std::string_view message;
  std::optional<std::string_view> data = {};
};

struct MalformedFile {
  std::string what;
  std::string bytes;
  std::string message;
};

inline MalformedFile malformed(const MalformedRow& row, std::string bytes) {
  return {std::string(row.what), std::move(bytes), std::string(row.message)};
}

/// A number in `count` bytes, the low one first.
inline std::string low_bytes(std::size_t number, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(number >> 8 * i & 0xff);
  return bytes;
}

}  // namespace unfold::test
