// SPDX-License-Identifier: MIT
// Values as the text metadata of a file, so written that they are read back as the same values.
#pragma once

#include "names.hpp"

#include <unfold/io/safetensors.hpp>

#include <fmt/format.h>

#include <charconv>
#include <string>

namespace unfold::program {

/// An enumerator's name; the shortest text that names a number.
template <class Value>
std::string text_of(const Value& value) {
  if constexpr (NamedEnumeration<Value>) {
    return std::string(name_of(value));
  } else {
    return fmt::format("{}", value);
  }
}

/// Reads what text_of wrote under `key`. `file` is for the messages.
///
/// Errors  FormatError if there is no such key, or its text names no Value
template <class Value>
void read_value(const Metadata& metadata, const std::string& file, const std::string& key, Value& value) {
  const auto entry = metadata.find(key);
  if (entry == metadata.end())
    throw FormatError(fmt::format(R"({}: metadata "{}" must be there, got none)", file, key));
  const std::string& text = entry->second;
  bool understood = false;
  if constexpr (NamedEnumeration<Value>) {
    const std::optional<Value> named = from_name<Value>(text);
    understood = named.has_value();
    if (named) value = *named;
  } else {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    understood = error == std::errc() && end == text.data() + text.size();
  }
  if (!understood) throw FormatError(fmt::format(R"({}: metadata "{}" cannot be read, got "{}")", file, key, text));
}

}  // namespace unfold::program
