// SPDX-License-Identifier: MIT
#include "statistics.hpp"

#include "support/catch.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

namespace unfold::program {
namespace {

TEST_CASE("statistics are those of the elements, little-endian and big-endian") {
  const std::array<std::int16_t, 4> little{1, -3, 5, 1};
  const auto s = statistics_of(std::as_bytes(std::span(little)), "i2", false);
  REQUIRE(s);
  CHECK(s->count == 4);
  CHECK(s->not_finite == 0);
  CHECK(s->least == -3);
  CHECK(s->largest == 5);
  CHECK(s->mean == 1);
  CHECK(s->deviation == std::sqrt(8.0));  // (0 + 16 + 16 + 0) / 4
  const std::array<std::uint8_t, 4> big{0x01, 0x02, 0xff, 0xfe};
  const auto b = statistics_of(std::as_bytes(std::span(big)), "i2", true);
  REQUIRE(b);
  CHECK(b->least == -2);
  CHECK(b->largest == 258);
}

TEST_CASE("statistics leave out what is not finite, and count it") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  const std::array<float, 5> values{nan, 2, -infinity, 4, infinity};
  const auto s = statistics_of(std::as_bytes(std::span(values)), "f4", false);
  REQUIRE(s);
  CHECK(s->count == 5);
  CHECK(s->not_finite == 3);
  CHECK(s->least == 2);
  CHECK(s->largest == 4);
  CHECK(s->mean == 3);
  CHECK(s->deviation == 1);
  const auto none = statistics_of(std::as_bytes(std::span(values).first(1)), "f4", false);
  REQUIRE(none);
  CHECK((none->count == 1 && none->not_finite == 1 && none->least == 0 && none->largest == 0 && none->mean == 0));
}

TEST_CASE("every element type that is known is read in its size, others not at all") {
  const std::array<std::byte, 24> zeros{};
  for (const auto* type : {"f8", "f4", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1"}) {
    CAPTURE(type);
    const auto s = statistics_of(zeros, type, false);
    REQUIRE(s);
    CHECK(s->count == 24 / (type[1] - '0'));
  }
  CHECK_FALSE(statistics_of(zeros, "f2", false));
  CHECK_FALSE(statistics_of(zeros, "", false));
}

}  // namespace
}  // namespace unfold::program
