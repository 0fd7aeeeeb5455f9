// SPDX-License-Identifier: MIT
// A text as a JSON string. The floors that write JSON (verify/, io/) both need it.
#pragma once

#include <unfold/core/error.hpp>  // what it refuses

#include <string>
#include <string_view>

namespace unfold::detail {

/// The string in quotes; `text` is UTF-8.
inline std::string to_json(std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      json.append({'\\', c});
    } else if (static_cast<unsigned char>(c) < 0x20) {
      json.append("\\u00").append({hex[static_cast<unsigned char>(c) / 16], hex[static_cast<unsigned char>(c) % 16]});
    } else {
      json += c;
    }
  }
  return json + '"';
}

}  // namespace unfold::detail
