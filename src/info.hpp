// SPDX-License-Identifier: MIT
// `unfold info`: what a .npy, IDX or safetensors file holds. The kind is read from the bytes, not from the name.
#pragma once

#include <filesystem>

namespace unfold::program {

/// Prints kind, metadata, and for each array its element type, shape and statistics; as one JSON object if `json`.
///
/// Errors  std::system_error if the file cannot be read; FormatError if it is of no known kind, or damaged
void print_info(const std::filesystem::path& path, bool json);

}  // namespace unfold::program
