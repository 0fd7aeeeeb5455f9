// SPDX-License-Identifier: MIT
// A save of a text, and the error that it ends with.
#pragma once

#include "support/files.hpp"

#include <unfold/io/file.hpp>

namespace unfold::test {

inline void save(const std::filesystem::path& path, std::string_view text) {
  detail::write_file_atomically("save", path, [&](detail::OutputFile& file) { file.write(text); });
}

inline std::string save_error(const std::filesystem::path& path, std::string_view text = "new") {
  return error_of<std::system_error>([&] { save(path, text); });
}

}  // namespace unfold::test
