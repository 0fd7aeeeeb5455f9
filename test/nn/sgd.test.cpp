// SPDX-License-Identifier: MIT
// Steps computed by hand, in numbers that are exact in binary.
#include <unfold/nn/sgd.hpp>

#include "support/catch.hpp"

#include <Eigen/Core>
#include <unsupported/Eigen/AutoDiff>

#include <complex>
#include <limits>

using namespace unfold;
using Catch::Matchers::Message;

namespace {

template <class T>
Parameter<T, 1> parameter(double value) {
  Parameter<T, 1> q(Shape<1>(3));
  q.value.fill(T(value));
  return q;
}

constexpr SgdArgs args{.learning_rate = 0.5, .momentum = 0.5, .decay = 0.125, .batch = 2};

}  // namespace

TEMPLATE_TEST_CASE("Three steps with momentum and decay follow the table", "", float, double, long double,
                   std::complex<double>, Eigen::half) {
  using T = TestType;
  //          dq   v = 0.5*v + dq + 0.125*2*q           q -= 0.5/2 * v
  const double table[][3] = {{1, 1 + 0.25 * 4, 4 - 0.25 * 2},
                             {-1, 0.5 * 2 - 1 + 0.25 * 3.5, 3.5 - 0.25 * 0.875},
                             {2, 0.5 * 0.875 + 2 + 0.25 * 3.28125, 3.28125 - 0.25 * 3.2578125}};
  CHECK(table[2][2] == 2.466796875);
  auto q = parameter<T>(4);
  for (const auto& [dq, v, value] : table) {
    q.gradient.fill(T(dq));
    sgd_step(q, args);
    for (Index i = 0; i < 3; ++i) {
      CHECK(q.velocity(i) == T(v));
      CHECK(q.value(i) == T(value));
      CHECK(q.gradient(i) == T(dq));
    }
  }
}

TEST_CASE("Without decay, as a bias, the same gradients make other steps") {
  const double table[][3] = {{1, 1, 3.75}, {-1, -0.5, 3.875}, {2, 1.75, 3.4375}};
  auto q = parameter<float>(4);
  for (const auto& [dq, v, value] : table) {
    q.gradient.fill(static_cast<float>(dq));
    sgd_step(q, args, 1, WeightDecay::skip);
    CHECK(q.velocity(2) == v);
    CHECK(q.value(2) == value);
  }
}

TEST_CASE("The learning rate is scaled and divided by the batch; momentum is not") {
  auto q = parameter<double>(1);
  q.gradient.fill(8);
  sgd_step(q, {.learning_rate = 0.5, .batch = 4}, 2);
  CHECK(q.velocity(0) == 8);
  CHECK(q.value(0) == 1 - 0.5 * 2 / 4 * 8);
  q = parameter<double>(1);
  q.gradient.fill(8);
  sgd_step(q, {.learning_rate = 0.5}, 0);  // a layer that does not learn
  CHECK(q.value(0) == 1);
  CHECK(q.velocity(0) == 8);
}

TEST_CASE("Each element has its own velocity") {
  Parameter<float, 2> q({2, 2});
  for (Index i = 0; i < 4; ++i) q.gradient.data()[i] = static_cast<float>(i);
  sgd_step(q, {.learning_rate = 1, .momentum = 1});
  sgd_step(q, {.learning_rate = 1, .momentum = 1});
  for (Index i = 0; i < 4; ++i) CHECK(q.value.data()[i] == static_cast<float>(-3 * i));
}

TEST_CASE("A step spends the gradient: it can be read, and the next backward starts again from zero") {
  auto q = parameter<float>(0);
  q.begin_gradient();
  q.gradient.fill(3);
  q.begin_gradient();
  CHECK(q.gradient(0) == 3);
  sgd_step(q, {.learning_rate = 1});
  CHECK(q.gradient(0) == 3);
  q.begin_gradient();
  CHECK(q.gradient(0) == 0);
}

TEST_CASE("Derivatives of a dual gradient pass through the step") {
  using Dual = Eigen::AutoDiffScalar<Eigen::Vector2d>;
  Parameter<Dual, 1> q(Shape<1>(1));
  q.value(0) = Dual(1, Eigen::Vector2d(1, 0));
  q.gradient(0) = Dual(2, Eigen::Vector2d(0, 1));
  sgd_step(q, {.learning_rate = 0.5}, 1, WeightDecay::skip);
  CHECK(q.value(0).value() == 0);
  CHECK(q.value(0).derivatives() == Eigen::Vector2d(1, -0.5));
}

TEST_CASE("Each wrong argument of an update is named with what was given") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  const auto message = [](const SgdArgs& wrong) {
    try {
      check_sgd_args("Conv2D::update", wrong);
    } catch (const ShapeError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  const std::string update = "unfold::Conv2D::update: ";
  CHECK(message({.learning_rate = nan}) == update + "learning_rate must be finite, got nan");
  CHECK(message({.learning_rate = -infinity}) == update + "learning_rate must be finite, got -inf");
  CHECK(message({.learning_rate = 1, .momentum = -0.5}) == update + "momentum must be finite and >= 0, got -0.500000");
  CHECK(message({.learning_rate = 1, .momentum = infinity}) == update + "momentum must be finite and >= 0, got inf");
  CHECK(message({.learning_rate = 1, .decay = -1}) == update + "decay must be finite and >= 0, got -1.000000");
  CHECK(message({.learning_rate = 1, .decay = nan}) == update + "decay must be finite and >= 0, got nan");
  CHECK(message({.learning_rate = 1, .batch = 0}) == update + "batch must be >= 1, got 0");
  CHECK(message({.learning_rate = -1, .momentum = 2, .decay = 3, .batch = 1}) == "no error");
}

TEST_CASE("A step with a wrong argument changes nothing") {
  auto q = parameter<float>(4);
  q.gradient.fill(3);
  q.velocity.fill(2);
  CHECK_THROWS_MATCHES(sgd_step(q, {.learning_rate = 1, .momentum = 0.5, .batch = 0}), ShapeError,
                       Message("unfold::sgd_step: batch must be >= 1, got 0"));
  CHECK(q.value(0) == 4);
  CHECK(q.velocity(0) == 2);
  q.begin_gradient();
  CHECK(q.gradient(0) == 3);  // not spent
}
