// SPDX-License-Identifier: MIT
#include "schedule.hpp"

#include <cmath>
#include <numbers>

namespace unfold::program {

double schedule_factor(Schedule schedule, double p) {
  switch (schedule) {
    case Schedule::constant: return 1;
    case Schedule::step: return p < 0.5 ? 1 : p < 0.75 ? 0.1 : 0.01;
    case Schedule::poly: return (1 - p) * (1 - p);
    case Schedule::cosine: return 0.5 * (1 + std::cos(std::numbers::pi * p));
  }
  return 1;
}

}  // namespace unfold::program
