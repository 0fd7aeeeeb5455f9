// SPDX-License-Identifier: MIT
#include <unfold/core/error.hpp>

#include "support/catch.hpp"

#include <type_traits>

using namespace unfold;
using Catch::Matchers::Message;

namespace {

int texts = 0;
struct Text {};
std::string to_string(Text) { return std::to_string(++texts); }

}  // namespace

TEST_CASE("Each error is the standard's error of its kind") {
  STATIC_REQUIRE(std::is_base_of_v<std::invalid_argument, ShapeError>);
  STATIC_REQUIRE(std::is_base_of_v<std::logic_error, StateError>);
  STATIC_REQUIRE(std::is_base_of_v<std::runtime_error, FormatError>);
  STATIC_REQUIRE(!std::is_base_of_v<std::invalid_argument, StateError>);
}

TEST_CASE("A message names the function, the rule and what was given") {
  CHECK_THROWS_MATCHES(detail::fail("f", "n must be even", "3"), ShapeError,
                       Message("unfold::f: n must be even, got 3"));
  CHECK_THROWS_MATCHES(detail::require(false, "f", "n must be even", 3), ShapeError,
                       Message("unfold::f: n must be even, got 3"));
}

TEST_CASE("What was given is turned into text only where the rule is broken") {
  detail::require(true, "f", "rule", Text());
  CHECK(texts == 0);
  CHECK_THROWS_MATCHES(detail::require(false, "f", "rule", Text()), ShapeError, Message("unfold::f: rule, got 1"));
}
