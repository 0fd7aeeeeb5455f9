// SPDX-License-Identifier: MIT
// Whole files in memory, unpacked where they are gzip: by their first two bytes, not by their name.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace unfold::program {

inline constexpr std::size_t largest_file = std::size_t{1} << 30;  // bytes, packed or not: a guard, not a format's rule

/// True if the bytes begin as every gzip file does.
bool is_gzip(std::span<const std::byte> bytes);

/// What a gzip file holds; members behind one another are joined. `name` is for the messages.
///
/// Errors  FormatError if the data is damaged or ends early (the byte is named), or holds more than `limit` bytes
std::vector<std::byte> unpack_gzip(std::span<const std::byte> packed, std::string_view name,
                                   std::size_t limit = largest_file);

struct File {
  std::vector<std::byte> bytes;
  bool packed;  // on disk
};

/// The bytes of a file, unpacked if it is gzip.
///
/// Errors  std::system_error if it cannot be read; FormatError as above, or if the file itself is larger than `limit`
File read_file(const std::filesystem::path& path, std::size_t limit = largest_file);

}  // namespace unfold::program
