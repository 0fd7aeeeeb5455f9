// SPDX-License-Identifier: MIT
#include <unfold/nn/activation.hpp>

#include "support/catch.hpp"

#include <unsupported/Eigen/AutoDiff>

#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <vector>

using namespace unfold;
using Catch::Matchers::Message;

namespace {

std::vector<Activation> all_activations() {
  std::vector<Activation> all;
  all.reserve(16);
  for (int i = 0; i < 16; ++i) all.push_back(static_cast<Activation>(i));
  return all;
}

std::string name(Activation f) { return std::string(activation_name(f)); }

/// What activation_slope reads: z for silu and gelu, else y.
template <class T>
T slope_argument(Activation f, T z) {
  return slope_from_input(f) ? z : activation_value(f, z);
}

/// Points in (-6, 6) that lie at least 0.03 from every integer: no activation has a kink elsewhere.
std::vector<double> points_off_the_kinks() {
  std::vector<double> points;
  for (int i = 0; i < 64; ++i) {
    const double z = -5.96 + 0.1875 * i;
    if (std::abs(z - std::round(z)) > 0.03) points.push_back(z);
  }
  return points;
}

}  // namespace

TEST_CASE("Slopes are those of central differences away from the kinks") {
  // Truncation h^2/6 * |f'''|, |f'''| <= 2: 1.3e-11 * 2; rounding: both values carry at most 4 epsilon, of |y| <= 7,
  // over 2h: 4 * 2.2e-16 * 7 / 7.6e-6 = 8.2e-10.
  const double h = 0x1p-17, bound = 1e-9;
  for (const auto f : all_activations()) {
    for (const double z : points_off_the_kinks()) {
      INFO(name(f) << " at " << z);
      const double numeric = (activation_value(f, z + h) - activation_value(f, z - h)) / (2 * h);
      CHECK(std::abs(activation_slope(f, slope_argument(f, z)) - numeric) <= bound);
    }
  }
}

TEST_CASE("Slopes are those that dual numbers carry through the value") {
  using Dual = Eigen::AutoDiffScalar<Eigen::Matrix<double, 1, 1>>;
  for (const auto f : all_activations()) {
    for (const double z : points_off_the_kinks()) {
      INFO(name(f) << " at " << z);
      const Dual y = activation_value(f, Dual(z, 1, 0));
      // Each is a product of at most three factors with at most two roundings each, and |z| <= 6 of silu and gelu.
      const double bound = 12 * std::numeric_limits<double>::epsilon() * (1 + std::abs(z));
      CHECK(std::abs(y.value() - activation_value(f, z)) <= bound);
      CHECK(std::abs(y.derivatives()(0) - activation_slope(f, slope_argument(f, z))) <= bound);
    }
  }
}

TEST_CASE("Silu and gelu are their formulas, also far out where gelu's factor is tiny") {
  for (const double z : {-30.0, -8.0, -2.5, -1e-3, 0.0, 0.5, 3.0, 40.0}) {
    INFO(z);
    const long double Z = z;
    const long double silu = Z / (1 + std::exp(-Z)), gelu = Z * std::erfc(-Z / std::numbers::sqrt2_v<long double>) / 2;
    // exp(-z) and erfc(z/sqrt(2)) pass on the rounding of their argument times |z| and z^2.
    const double eps = std::numeric_limits<double>::epsilon();
    CHECK(std::abs(activation_value(Activation::silu, z) - silu) <= (4 + std::abs(z)) * eps * std::abs(silu));
    CHECK(std::abs(activation_value(Activation::gelu, z) - gelu) <= (8 + 2 * z * z) * eps * std::abs(gelu));
  }
  CHECK(activation_slope(Activation::silu, 0.0) == 0.5);
  CHECK(activation_slope(Activation::gelu, 0.0) == 0.5);
}

TEST_CASE("Values are the limits where the listing overflows") {
  const float inf = std::numeric_limits<float>::infinity();
  for (const float z : {355.0f, 1e10f, 1e30f, inf}) {
    CHECK(activation_value(Activation::tanh, z) == 1);
    CHECK(activation_value(Activation::loggy, z) == 1);
    CHECK(activation_value(Activation::logistic, z) == 1);
    CHECK(activation_value(Activation::elu, z) == z);
    CHECK(activation_value(Activation::selu, z) == 1.0507f * z);
    CHECK(activation_value(Activation::stair, z) == (z == 355 ? 177 : z / 2));
    CHECK(activation_value(Activation::tanh, -z) == -1);
    CHECK(activation_value(Activation::logistic, -z) == 0);
    CHECK(activation_value(Activation::elu, -z) == -1);
    CHECK(activation_value(Activation::relu, -z) == 0);
    CHECK(activation_value(Activation::ramp, -z) == 0.1f * -z);
  }
}

TEST_CASE("At a kink the slope is the listing's") {
  using enum Activation;
  const auto slope = [](Activation f, double z) { return activation_slope(f, activation_value(f, z)); };
  CHECK(slope(relu, 0) == 0);
  CHECK(slope(elu, 0) == 1);
  CHECK(slope(selu, 0) == 1.0507);
  CHECK(slope(relie, 0) == 0.01);
  CHECK(slope(ramp, 0) == 0.1);
  CHECK(slope(leaky, 0) == 0.1);
  CHECK(slope(plse, -4) == 0.125);
  CHECK(slope(plse, 4) == 0.125);
  CHECK(slope(stair, 1) == 0);
  CHECK(slope(stair, 2) == 0);
  CHECK(slope(hardtan, -1) == 0);
  CHECK(slope(hardtan, 1) == 0);
  CHECK(slope(lhtan, 0) == 0.001);
  CHECK(slope(lhtan, 1) == 0.001);
}

TEST_CASE("The value of a NaN is a NaN") {
  for (const auto f : all_activations()) {
    INFO(name(f));
    CHECK(std::isnan(activation_value(f, std::numeric_limits<float>::quiet_NaN())));
  }
}

TEMPLATE_TEST_CASE("Loops over memory give what single elements give, in place too", "", float, double) {
  using T = TestType;
  for (const auto f : all_activations()) {
    for (const Index n : {0, 1, 17}) {
      INFO(name(f) << ", " << n << " elements");
      const auto size = static_cast<std::size_t>(n);
      const T nan = std::numeric_limits<T>::quiet_NaN();
      std::vector<T> z(size), dy(size), y(size + 1, nan), dz(size + 1, nan);
      for (std::size_t i = 0; i < size; ++i) z[i] = T(0.75) * T(i) - T(6), dy[i] = T(i) - T(3);
      auto in_place = z, gradient_in_place = dy;
      activate(f, z.data(), y.data(), n);
      activate(f, in_place.data(), in_place.data(), n);
      const T* const argument = slope_from_input(f) ? z.data() : y.data();
      activation_gradient(f, argument, dy.data(), dz.data(), n);
      activation_gradient(f, argument, gradient_in_place.data(), gradient_in_place.data(), n);
      for (std::size_t i = 0; i < size; ++i) {
        CHECK(y[i] == activation_value(f, z[i]));
        CHECK(in_place[i] == y[i]);
        CHECK(dz[i] == dy[i] * activation_slope(f, argument[i]));
        CHECK(gradient_in_place[i] == dz[i]);
      }
      CHECK(std::isnan(y[size]));
      CHECK(std::isnan(dz[size]));
    }
  }
}

TEST_CASE("Constants have the digits of the scalar") {
  CHECK(activation_value(Activation::leaky, -1.0L) == -0.1L);
  CHECK(activation_value(Activation::leaky, -1.0) == -0.1);
  CHECK(activation_value(Activation::leaky, -1.0f) == -0.1f);
  CHECK(activation_value(Activation::gelu, 1.0L) == std::erfc(-std::sqrt(0.5L)) / 2);
}

TEST_CASE("Complex numbers have the activations that need no order") {
  using C = std::complex<double>;
  const C z(0.5, -0.25);
  CHECK(activation_value(Activation::linear, z) == z);
  CHECK(std::abs(activation_value(Activation::logistic, z) - 1.0 / (1.0 + std::exp(-z))) <= 1e-15);
  CHECK(std::abs(activation_value(Activation::silu, z) - z / (1.0 + std::exp(-z))) <= 1e-15);
  CHECK(activation_value(Activation::tanh, z) == std::tanh(z));
  CHECK_THROWS_MATCHES(activation_value(Activation::relu, z), ShapeError,
                       Message("unfold::activation_value: activation must be one that the scalar type has, got relu"));
  CHECK_THROWS_MATCHES(activation_slope(Activation::gelu, z), ShapeError,
                       Message("unfold::activation_slope: activation must be one that the scalar type has, got gelu"));
  std::vector<C> y{z};
  CHECK_THROWS_MATCHES(activate(Activation::leaky, y.data(), y.data(), 1), ShapeError,
                       Message("unfold::activate: activation must be one that the scalar type has, got leaky"));
  CHECK_THROWS_MATCHES(
      activation_gradient(Activation::elu, y.data(), y.data(), y.data(), 1), ShapeError,
      Message("unfold::activation_gradient: activation must be one that the scalar type has, got elu"));
  CHECK(y[0] == z);
}

TEST_CASE("An activation and its name lead to each other") {
  for (const auto f : all_activations()) CHECK(activation_from_name(activation_name(f)) == f);
  CHECK(activation_name(Activation::linear) == "linear");
  CHECK(activation_name(Activation::lhtan) == "lhtan");
  CHECK(activation_name(Activation::gelu) == "gelu");
  CHECK_THROWS_MATCHES(
      activation_from_name("Relu"), ShapeError,
      Message("unfold::activation_from_name: name must be one of linear, logistic, loggy, relu, elu, "
              "selu, relie, ramp, leaky, tanh, plse, stair, hardtan, lhtan, silu, gelu, got \"Relu\""));
  const auto none = static_cast<Activation>(16);  // NOLINT(clang-analyzer-optin.core.EnumCastOutOfRange)
  CHECK_THROWS_MATCHES(activation_name(none), ShapeError,
                       Message("unfold::activation_name: activation must be one of the 16, got 16"));
  CHECK_THROWS_MATCHES(activation_value(none, 1.0), ShapeError,
                       Message("unfold::activation_value: activation must be one of the 16, got 16"));
}
