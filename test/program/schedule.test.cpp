// SPDX-License-Identifier: MIT
#include "schedule.hpp"

#include "names.hpp"
#include "support/catch.hpp"

#include <cmath>
#include <limits>

namespace unfold::program {
namespace {

TEST_CASE("the constant schedule never changes") {
  for (const double p : {0.0, 0.3, 0.999}) CHECK(schedule_factor(Schedule::constant, p) == 1);
}

TEST_CASE("the step schedule falls to a tenth at one half and again at three quarters") {
  CHECK(schedule_factor(Schedule::step, 0) == 1);
  CHECK(schedule_factor(Schedule::step, std::nextafter(0.5, 0)) == 1);
  CHECK(schedule_factor(Schedule::step, 0.5) == 0.1);
  CHECK(schedule_factor(Schedule::step, std::nextafter(0.75, 0)) == 0.1);
  CHECK(schedule_factor(Schedule::step, 0.75) == 0.01);
  CHECK(schedule_factor(Schedule::step, 0.999) == 0.01);
}

TEST_CASE("the poly schedule is a parabola down to zero") {
  CHECK(schedule_factor(Schedule::poly, 0) == 1);
  CHECK(schedule_factor(Schedule::poly, 0.25) == 0.5625);
  CHECK(schedule_factor(Schedule::poly, 0.75) == 0.0625);
}

TEST_CASE("the cosine schedule is half a wave down to zero") {
  // One rounding of pi*p (at most 2.2 here, its ulp 4.4e-16), one of the cosine, two of the sum and product.
  const double bound = 4 * std::numeric_limits<double>::epsilon();
  CHECK(schedule_factor(Schedule::cosine, 0) == 1);
  CHECK(std::abs(schedule_factor(Schedule::cosine, 0.5) - 0.5) <= bound);
  CHECK(std::abs(schedule_factor(Schedule::cosine, 1.0 / 3) - 0.75) <= bound);
  CHECK(std::abs(schedule_factor(Schedule::cosine, 2.0 / 3) - 0.25) <= bound);
}

TEST_CASE("an enumerator has the name that people type, and is found by it") {
  CHECK(name_of(Schedule::poly) == "poly");
  CHECK(from_name<Schedule>("cosine") == Schedule::cosine);
  CHECK_FALSE(from_name<Schedule>("Cosine"));
  CHECK_FALSE(from_name<Schedule>(""));
  CHECK(name_of(BatchNorm::darknet) == "darknet");
  CHECK(from_name<Activation>("gelu") == Activation::gelu);
}

}  // namespace
}  // namespace unfold::program
