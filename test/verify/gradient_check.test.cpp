// SPDX-License-Identifier: MIT
#include <unfold/core/eigen_map.hpp>
#include <unfold/verify/gradient_check.hpp>

#include "support/catch.hpp"
#include "support/toy_layer.hpp"

using namespace unfold;
using Catch::Matchers::Message;
using test::linear_toy;
using test::normal_input;
using test::tanh_toy;
using test::Toy;

namespace {

using Matrix = Tensor<double, 2>;

/// "weights [1, 2]" for every entry that failed.
std::vector<std::string> failures(const GradientReport& report) {
  std::vector<std::string> places;
  for (const auto& tensor : report.tensors) {
    for (const auto& entry : tensor.entries) {
      if (entry.verdict == Verdict::fail) places.push_back(tensor.name + " " + tensor.index(entry.position));
    }
  }
  return places;
}

using Places = std::vector<std::string>;

}  // namespace

TEMPLATE_TEST_CASE("Every engine that takes code as it is passes layers of every floating-point type", "", float,
                   double, long double) {
  auto curved = tanh_toy<TestType>();
  auto linear = linear_toy<TestType>();
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    const auto x = normal_input<TestType>();
    CHECK(gradient_check(curved, x, {.seed = seed}));
    CHECK(gradient_check(curved, x, {.seed = seed, .engine = GradientEngine::taylor}));
    CHECK(gradient_check(linear, x, {.seed = seed, .engine = GradientEngine::integers}));
    CHECK(gradient_check(linear, x, {.seed = seed, .engine = GradientEngine::adjoint}));
  }
}

TEMPLATE_TEST_CASE("A layer with right gradients passes, every coordinate of every tensor", "", float, double) {
  auto toy = tanh_toy<TestType>();
  const auto report = gradient_check(toy, normal_input<TestType>());
  CHECK(report);
  REQUIRE(report.tensors.size() == 3);
  CHECK(report.tensors[0].name == "x");
  CHECK(report.tensors[0].entries.size() == 20);
  CHECK(report.tensors[1].name == "weights");
  CHECK(report.tensors[1].entries.size() == 12);
  CHECK(report.tensors[2].name == "bias");
  CHECK(report.tensors[2].entries.size() == 3);
}

TEST_CASE("The bounds are sharp: far below a millionth of the slopes in double") {
  auto toy = tanh_toy<double>();
  const auto report = gradient_check(toy, normal_input<double>());
  for (const auto& place : report.worst(100)) {
    CHECK(place.entry->bound() < 1e-8);
    CHECK(place.entry->bound() > 0);
  }
}

TEST_CASE("A right gradient passes whatever the seed") {
  auto toy = tanh_toy<double>();
  for (std::uint64_t seed = 1; seed <= 50; ++seed) CHECK(gradient_check(toy, normal_input<double>(), {.seed = seed}));
}

TEST_CASE("Each planted fault is reported at its index") {
  auto toy = tanh_toy<double>();
  const auto check = [&](auto plant) {
    toy.plant = plant;
    return failures(gradient_check(toy, normal_input<double>()));
  };
  const auto all = [](const std::string& name, Index rows, Index columns) {
    Places places;
    for (Index i = 0; i < rows; ++i) {
      for (Index o = 0; o < columns; ++o) {
        places.push_back(name + " [" + std::to_string(i) + (columns > 1 ? ", " + std::to_string(o) : "") + "]");
      }
    }
    return places;
  };

  SECTION("one entry") {
    CHECK(check([](auto& t) { t.dw(2, 1) += 0.1; }) == Places{"weights [2, 1]"});
    CHECK(check([](auto& t) { t.db(2) = 0; }) == Places{"bias [2]"});
    CHECK(check([](auto& t) { t.dx()(4, 3) *= 2; }) == Places{"x [4, 3]"});
  }
  SECTION("one entry by a millionth of itself") {
    CHECK(check([](auto& t) { t.dw(3, 0) *= 1 + 1e-6; }) == Places{"weights [3, 0]"});
    CHECK(check([](auto& t) { t.dx()(0, 1) *= 1 - 1e-6; }) == Places{"x [0, 1]"});
  }
  SECTION("sign") {
    CHECK(check([](auto& t) { t.dw.array() *= -1; }) == all("weights", 4, 3));
    CHECK(check([](auto& t) { t.db.array() *= -1; }) == all("bias", 3, 1));
  }
  SECTION("scale: a mean for a sum") {
    CHECK(check([](auto& t) { t.dw.array() /= 5; }) == all("weights", 4, 3));
  }
  SECTION("transposed axes") {
    const auto report = check([](auto& t) {
      const Matrix dx(t.dx());
      for (Index i = 0; i < dx.size(); ++i) t.dx()(i % 5, i / 5) = dx.data()[i];
    });
    CHECK(report.size() == 18);  // all but the first and the last, which stay where they are
    CHECK(std::count(report.begin(), report.end(), "x [0, 0]") == 0);
    CHECK(std::count(report.begin(), report.end(), "x [4, 3]") == 0);
  }
  SECTION("a missing term: the last row of the batch") {
    const auto x = normal_input<double>();
    const auto forget_last_row = [&](auto& t) {
      for (Index o = 0; o < 3; ++o) t.dw(1, o) -= t.last_dz(o) * x(4, 1);
    };
    CHECK(check(forget_last_row) == Places{"weights [1, 0]", "weights [1, 1]", "weights [1, 2]"});
  }
  SECTION("not a number") {
    CHECK(check([](auto& t) { t.dw(1, 1) = std::nan(""); }) == Places{"weights [1, 1]"});
    CHECK(check([](auto& t) { t.dw(1, 1) = HUGE_VAL; }) == Places{"weights [1, 1]"});
  }
}

TEST_CASE("With integers the gradients of a multilinear layer must be equal, to the last bit") {
  auto toy = linear_toy<float>();
  const Tensor<float, 2> w = toy.w, x = normal_input<float>();
  const auto report = gradient_check(toy, x, {.engine = GradientEngine::integers});
  CHECK(report);
  CHECK(report.worst(1).front().entry->bound() == 0);
  CHECK(toy.w == w);

  toy.plant = [](auto& t) { t.dw(2, 0) = std::nextafter(t.dw(2, 0), 1e9f); };
  CHECK(failures(gradient_check(toy, x, {.engine = GradientEngine::integers})) == Places{"weights [2, 0]"});
}

TEST_CASE("Integers show that a map is not multilinear") {
  auto toy = tanh_toy<double>();
  CHECK_FALSE(gradient_check(toy, normal_input<double>(), {.engine = GradientEngine::integers}));
}

TEST_CASE("The check leaves the layer as it was, without a gradient and without the check's input") {
  auto toy = tanh_toy<double>();
  const Matrix w = toy.w, x = normal_input<double>();
  toy.dw.fill(7);  // what an earlier backward left
  CHECK(gradient_check(toy, x));
  CHECK(toy.w == w);
  CHECK(toy.dw == Matrix({4, 3}));
  CHECK(toy.dx().size() == 20);
  CHECK(toy.input().size() == 0);

  toy.plant = [](auto&) { throw std::runtime_error("in backward"); };
  CHECK_THROWS_AS(gradient_check(toy, x, {.engine = GradientEngine::integers}), std::runtime_error);
  CHECK(toy.w == w);
}

TEST_CASE("A part of the coordinates is chosen by the seed") {
  auto toy = tanh_toy<double>();
  const auto x = normal_input<double>();
  const auto places = [&](std::uint64_t seed) {
    std::vector<Index> positions;
    const auto report = gradient_check(toy, x, {.seed = seed, .coordinates = 6});
    CHECK(report);
    CHECK(report.tensors[1].entries.size() == 6);
    CHECK(report.tensors[2].entries.size() == 3);
    for (const auto& entry : report.tensors[0].entries) positions.push_back(entry.position);
    return positions;
  };
  CHECK(places(1).size() == 6);
  CHECK(places(1) == places(1));
  CHECK(places(1) != places(2));
}

TEST_CASE("A layer that ignores its input, or claims and shows no slope, has not been tested") {
  auto toy = linear_toy<double>();
  toy.f = [](double) { return 2.0; };
  toy.slope = [](double) { return 0.0; };
  const auto report = gradient_check(toy, normal_input<double>());
  CHECK(report.verdict() == Verdict::vacuous);
  CHECK_FALSE(report);
  toy.slope = [](double) { return 1.0; };
  CHECK(gradient_check(toy, normal_input<double>()).verdict() == Verdict::fail);
}

TEST_CASE("Long sums do not fail for their rounding") {
  Random random(5);
  const auto check = [&](auto zero) {
    using T = decltype(zero);
    Toy<T> toy(700, 2);
    toy.f = [](T z) { return std::tanh(z / 30); };
    toy.slope = [](T y) { return (1 - y * y) / 30; };
    test::fill_normal(toy.w.view(), random);
    Tensor<T, 2> x({300, 700});
    test::fill_normal(x.view(), random);
    CHECK(gradient_check(toy, x, {.coordinates = 20}));
  };
  check(0.0);
  check(0.0f);
}

TEST_CASE("A gradient of another size is refused") {
  auto toy = linear_toy<double>();
  toy.db = Tensor<double, 1>({4});
  CHECK_THROWS_MATCHES(gradient_check(toy, normal_input<double>()), ShapeError,
                       Message("unfold::gradient_check: the gradient of bias must have 3 elements, got 4"));
}
