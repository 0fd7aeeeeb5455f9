// SPDX-License-Identifier: MIT
// How the learning rate changes from the first batch of a training to its last.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace unfold::program {

enum class Schedule : std::uint8_t { constant, step, poly, cosine };
constexpr std::array<std::string_view, 4> names(Schedule) { return {"constant", "step", "poly", "cosine"}; }

/// What the base rate is multiplied by once the part p in [0, 1) of all batches is done.
///
///   constant  1
///   step      1, from 1/2 on 0.1, from 3/4 on 0.01
///   poly      (1 - p)^2
///   cosine    (1 + cos(pi*p)) / 2
double schedule_factor(Schedule schedule, double p);

}  // namespace unfold::program
