// SPDX-License-Identifier: MIT
// save_checkpoint, load_checkpoint: everything that a network says is its state, in one safetensors file.
// takes any net with visit_state(visitor), which calls visitor(name, TensorView<T, Rank>) for each part.
#pragma once

#include <unfold/io/safetensors.hpp>

namespace unfold {

/// Saves the state of a network, and strings beside it: epoch, generator state (integers as decimal text).
///
/// Errors  std::system_error; strong guarantee: the old file, if there was one, is then still there
template <class Net>
void save_checkpoint(const std::filesystem::path& path, Net& net, const Metadata& metadata = {}) {
  std::vector<SafetensorsEntry> entries;
  net.visit_state([&](std::string_view name, const FileTensor auto& view) { entries.emplace_back(name, view); });
  save_safetensors(path, entries, metadata);
}

/// Restores what save_checkpoint saved into a network of the same layers; gives back the strings.
///
/// Errors  FormatError if the file is malformed, lacks a part of the state, has one of another type or shape, or
///         holds anything else; std::system_error if it cannot be read; strong guarantee: nothing changed on throw
template <class Net>
Metadata load_checkpoint(const std::filesystem::path& path, Net& net) {
  Safetensors file(path);
  net.visit_state([&](std::string_view name, const FileTensor auto& view) {
    file.check<ValueOf<decltype(view)>>(name, view.shape());
  });
  if (const std::vector<std::string> unused = file.unused(); !unused.empty()) {
    detail::fail_format("load_checkpoint", path.string(), "every tensor must be part of the network",
                        detail::in_quotes(unused.front(), 200));
  }
  net.visit_state([&](std::string_view name, const FileTensor auto& view) { file.read(name, view); });
  return file.metadata();
}

}  // namespace unfold
