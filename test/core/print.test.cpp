// SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <unfold/core/print.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>  // must not take Shape for a range

using unfold::Shape;
using unfold::Tensor;
using unfold::TensorView;

namespace {

Tensor<float, 2> thirds() {
  Tensor<float, 2> t({1, 2});
  t(0, 0) = 1.F / 3;
  t(0, 1) = 2.F / 3;
  return t;
}

}  // namespace

TEST_CASE("fmt prints tensors and views as to_string does") {
  const Tensor<float, 2> t = thirds();
  CHECK(fmt::format("{}", t) == "[[0.33333334 0.6666667 ]]");
  CHECK(fmt::format("x = {};", t[0]) == "x = [0.33333334 0.6666667 ];");
  CHECK(fmt::format("{}", t.view()) == to_string(t));
  CHECK(fmt::format("{}", Tensor<int, 4>({1, 1, 1, 1})) == "[[[[0]]]]");
}

TEST_CASE("fmt prints a shape as messages do, fmt/ranges.h or not") {
  CHECK(fmt::format("{}", Shape<3>(8, 3, 32)) == "[8, 3, 32]");
  CHECK(fmt::format("{}", Shape<1>(0)) == "[0]");
}

TEST_CASE("a format of .N limits the digits after the point") {
  CHECK(fmt::format("{:.3}", thirds()) == "[[0.333 0.667]]");
  CHECK(fmt::format("{:.12}", thirds()) == to_string(thirds(), 12));
}

TEST_CASE("any other format is refused") {
  CHECK_THROWS_AS(fmt::format(fmt::runtime("{:x}"), thirds()), fmt::format_error);
  CHECK_THROWS_AS(fmt::format(fmt::runtime("{:.3f}"), thirds()), fmt::format_error);
  CHECK_THROWS_AS(fmt::format(fmt::runtime("{:.1000}"), thirds()), fmt::format_error);
  CHECK_THROWS_AS(fmt::format(fmt::runtime("{:.3"), thirds()), fmt::format_error);
  CHECK_THROWS_AS(fmt::format(fmt::runtime("{:>9}"), Shape<1>(5)), fmt::format_error);
}
