// SPDX-License-Identifier: MIT
// The fourteen activations of the listing against what it computes: conformance/golden_darknet/activation_table.csv.
#include <unfold/nn/activation.hpp>

#include "support/catch.hpp"
#include "support/shared_data.hpp"

#include <array>
#include <cmath>
#include <cstdlib>  // std::strtof
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <vector>

using namespace unfold;

namespace {

struct Row {
  Activation f;
  float z, y, slope_at_y;
};

std::vector<Row> read_table(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);  // activation,x,y,grad_at_y,x_hex,y_hex,grad_hex
  std::vector<Row> rows;
  while (std::getline(in, line)) {
    std::istringstream cells(line);
    std::array<std::string, 7> cell;
    for (auto& c : cell) std::getline(cells, c, ',');
    const auto number = [&](std::size_t i) { return std::strtof(cell[i].c_str(), nullptr); };
    rows.push_back({activation_from_name(cell[0]), number(4), number(5), number(6)});
  }
  return rows;
}

/// Those whose value is z, a constant, or a halving of z: one exact step.
bool value_is_exact(Activation f) {
  using enum Activation;
  return f == linear || f == relu || f == stair || f == hardtan;
}

/// Those whose slope is a number or another.
bool slope_is_exact(Activation f) {
  using enum Activation;
  return value_is_exact(f) || f == relie || f == ramp || f == leaky || f == plse || f == lhtan;
}

/// The sum of the magnitudes of the terms of f(z).
double magnitude(Activation f, double z, double y) {
  if (f == Activation::plse) return 0.01 * (std::abs(z) + 4) + 1;
  if (f == Activation::lhtan && z > 1) return 0.001 * (z + 1) + 1;
  return std::abs(y);
}

}  // namespace

TEST_CASE("Activations and slopes agree with the listing's table") {
  const auto path = test::shared("conformance/golden_darknet/activation_table.csv");
  if (path.empty()) SKIP(test::absent("conformance/golden_darknet/activation_table.csv"));
  const auto rows = read_table(path);
  REQUIRE(rows.size() == 13 * 84 + 80);
  const double eps = std::numeric_limits<float>::epsilon();
  std::set<Activation> overflowed;
  for (const auto& [f, z, y, slope_at_y] : rows) {
    INFO(activation_name(f) << " at " << z);
    const float value = activation_value(f, z);
    if (std::isnan(y)) {  // the listing's overflow; the true values are tested in activation.test.cpp
      CHECK(std::isfinite(value));
      overflowed.insert(f);
      continue;
    }
    if (value_is_exact(f)) {
      CHECK(value == y);
    } else {
      // Here at most five roundings and a function that is right to two units in the last place, all in float:
      // (5/2 + 2) eps; the listing's, in double, round once more to float, and lose up to 8 double epsilons where
      // they take 1 from e^z. Below the smallest normal number float has no relative precision.
      const double bound =
          5 * eps * magnitude(f, z, y) + 8 * std::numeric_limits<double>::epsilon() + std::numeric_limits<float>::min();
      CHECK(std::abs(static_cast<double>(value) - y) <= bound);
    }
    const float slope = activation_slope(f, y);
    if (slope_is_exact(f)) {
      CHECK(slope == slope_at_y);
    } else {
      CHECK(std::abs(static_cast<double>(slope) - slope_at_y) <= 3 * eps * 1.76);  // terms <= 1.0507*1.6732
    }
  }
  CHECK(overflowed == std::set{Activation::elu, Activation::selu, Activation::tanh});
}
