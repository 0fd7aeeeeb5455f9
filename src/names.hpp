// SPDX-License-Identifier: MIT
// Enumerators by the names that people type. An enumeration takes part by a function names(E), declared beside it,
// that gives the names in the order of the enumerators, which count from 0.
#pragma once

#include <unfold/nn/activation.hpp>

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace unfold::program {

// The library's own enumerations.
constexpr std::array<std::string_view, 3> names(BatchNorm) { return {"none", "standard", "darknet"}; }
constexpr auto names(Activation) { return detail::activation_names; }

template <class E>
concept NamedEnumeration = requires(E e) { names(e).size(); };

template <NamedEnumeration E>
constexpr std::string_view name_of(E e) {
  return names(e)[static_cast<std::size_t>(e)];
}

/// The enumerator of that name, or none.
template <NamedEnumeration E>
constexpr std::optional<E> from_name(std::string_view name) {
  for (std::size_t i = 0; i < names(E{}).size(); ++i) {
    if (names(E{})[i] == name) return static_cast<E>(i);
  }
  return std::nullopt;
}

}  // namespace unfold::program
