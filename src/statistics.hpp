// SPDX-License-Identifier: MIT
// Least, largest, mean and deviation of elements of any type that files hold, straight from the bytes.
#pragma once

#include <unfold/core/shape.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace unfold::program {

/// Of the finite elements; all but the counts are 0 where there are none.
struct Statistics {
  Index count = 0, not_finite = 0;  // elements in all; NaN and infinities among them
  double least = 0, largest = 0, mean = 0, deviation = 0;
};

/// The statistics of elements that lie one behind another, or none for a type unknown here. `type` is NumPy's code
/// without the byte order: "f8", "f4", "i8", "i4", "i2", "i1", "u1" and so on.
std::optional<Statistics> statistics_of(std::span<const std::byte> bytes, std::string_view type, bool big_endian);

}  // namespace unfold::program
