// SPDX-License-Identifier: MIT
#include <unfold/core/shape.hpp>

#include "support/catch.hpp"

#include <cstdint>
#include <numeric>  // std::accumulate

using namespace unfold;
using Catch::Matchers::Message;

namespace {

constexpr Index largest = std::numeric_limits<Index>::max();

}  // namespace

TEST_CASE("A shape holds its sizes, outermost first, whatever integers they are written as") {
  constexpr Shape<4> shape{8, std::int8_t{3}, 32u, std::size_t{5}};
  STATIC_REQUIRE(shape[0] == 8);
  STATIC_REQUIRE(shape[1] == 3);
  STATIC_REQUIRE(shape[2] == 32);
  STATIC_REQUIRE(shape[3] == 5);
  STATIC_REQUIRE(Shape<4>::size() == 4);
  STATIC_REQUIRE(std::is_same_v<decltype(Shape{1, 2L, 3u}), Shape<3>>);
  STATIC_REQUIRE(shape == Shape<4>(std::array<Index, 4>{8, 3, 32, 5}));
  STATIC_REQUIRE(shape != Shape{8, 3, 5, 32});
  STATIC_REQUIRE(Shape<2>() == Shape{0, 0});
  CHECK(std::accumulate(shape.begin(), shape.end(), Index{0}) == 48);
  CHECK(std::distance(shape.begin(), shape.end()) == shape.size());
}

TEST_CASE("A shape is made of its number of integers and of nothing else") {
  STATIC_REQUIRE(std::is_constructible_v<Shape<2>, int, long>);
  STATIC_REQUIRE(!std::is_constructible_v<Shape<2>, int>);
  STATIC_REQUIRE(!std::is_constructible_v<Shape<2>, int, int, int>);
  STATIC_REQUIRE(!std::is_constructible_v<Shape<2>, int, double>);
  STATIC_REQUIRE(!std::is_constructible_v<Shape<2>, Shape<3>>);
}

TEST_CASE("A size of a shape can be set") {
  Shape<3> shape{1, 2, 3};
  shape[1] = 7;
  for (Index& extent : shape) ++extent;
  CHECK(shape == Shape{2, 8, 4});
}

TEST_CASE("A shape is written as a list") {
  CHECK(to_string(Shape{8, 3, 32, 5}) == "[8, 3, 32, 5]");
  CHECK(to_string(Shape{-1}) == "[-1]");
}

TEST_CASE("A product past 63 bits is told, and passed on") {
  using detail::product_or_overflow;
  STATIC_REQUIRE(product_or_overflow(3, 5) == 15);
  STATIC_REQUIRE(product_or_overflow(0, largest) == 0);
  STATIC_REQUIRE(product_or_overflow(largest, 0) == 0);
  STATIC_REQUIRE(product_or_overflow(largest, 1) == largest);
  STATIC_REQUIRE(product_or_overflow(largest / 2, 2) == largest - 1);
  STATIC_REQUIRE(product_or_overflow(largest / 2 + 1, 2) == -1);
  STATIC_REQUIRE(product_or_overflow(Index{1} << 32, Index{1} << 31) == -1);
  STATIC_REQUIRE(product_or_overflow(Index{1} << 31, Index{1} << 31) == Index{1} << 62);
  STATIC_REQUIRE(product_or_overflow(-1, 0) == -1);
  STATIC_REQUIRE(product_or_overflow(0, -1) == -1);
}

TEST_CASE("An element count is the product of the sizes, also past 31 bits") {
  using detail::checked_size;
  STATIC_REQUIRE(checked_size("f", Shape{2, 3, 5}, 8) == 30);
  STATIC_REQUIRE(checked_size("f", Shape{1 << 20, 1 << 20}, 8) == Index{1} << 40);
  STATIC_REQUIRE(checked_size("f", Shape{largest}, 1) == largest);
  STATIC_REQUIRE(checked_size("f", Shape{largest / 8}, 8) == largest / 8);
  STATIC_REQUIRE(checked_size("f", Shape{3, 0, 5}, 4) == 0);
  STATIC_REQUIRE(checked_size("f", Shape{0, Index{1} << 30, Index{1} << 30}, 4) == 0);
}

TEST_CASE("A negative size, or a count of bytes past 63 bits, is refused with the shape") {
  using detail::checked_size;
  CHECK_THROWS_MATCHES(checked_size("f", Shape{2, -3}, 1), ShapeError,
                       Message("unfold::f: every extent must be >= 0, got [2, -3]"));
  CHECK_THROWS_MATCHES(checked_size("f", Shape{0, -1}, 1), ShapeError,
                       Message("unfold::f: every extent must be >= 0, got [0, -1]"));
  CHECK_THROWS_MATCHES(checked_size("f", Shape{largest / 8 + 1}, 8), ShapeError,
                       Message("unfold::f: the size in bytes must fit 63 bits, got [1152921504606846976]"));
  // Each of these products is small or 0 modulo 2^64.
  CHECK_THROWS_AS(checked_size("f", Shape{Index{1} << 32, Index{1} << 32}, 1), ShapeError);
  CHECK_THROWS_AS(checked_size("f", Shape{Index{1} << 32, Index{1} << 32, 3}, 1), ShapeError);
  CHECK_THROWS_AS(checked_size("f", Shape{Index{1} << 62, 4}, 1), ShapeError);
  CHECK_THROWS_AS(checked_size("f", Shape{Index{1} << 62, 4, 3}, 1), ShapeError);
  // The strides of an empty tensor count too: they are multiplied when it is walked.
  CHECK_THROWS_AS(checked_size("f", Shape{0, Index{1} << 40, Index{1} << 40}, 1), ShapeError);
}
