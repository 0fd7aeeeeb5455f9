// SPDX-License-Identifier: MIT
// Batch normalisation on dual numbers, which certify its hand-written backward, and on complex steps.
#include "support/batch_norm_run.hpp"
#include "support/catch.hpp"
#include "support/tensor_matcher.hpp"

#include <unsupported/Eigen/AutoDiff>

#include <cmath>
#include <complex>

using namespace unfold;
using test::norm_shapes;
using test::NormRun;
using test::within;

namespace {

/// The loss sum dy*y by dual numbers, whose derivatives are by x, then by the scales, then by the bias.
Eigen::VectorXd dual_gradient(BatchNorm kind, const test::NormData& data) {
  using Dual = Eigen::AutoDiffScalar<Eigen::VectorXd>;
  const Index C = data.bias.size();
  const int variables = static_cast<int>(data.x.size() + 2 * C);
  int next = 0;
  const auto variable = [&](double value) { return Dual(value, variables, next++); };
  Tensor<Dual, 4> y(data.x.shape());
  Tensor<Dual, 1> scales({C}), bias({C});
  for (Index i = 0; i < y.size(); ++i) y.data()[i] = variable(data.x.data()[i]);
  for (Index c = 0; c < C; ++c) scales(c) = variable(data.scales(c));
  for (Index c = 0; c < C; ++c) bias(c) = variable(data.bias(c));
  BatchNormalization<Dual> norm(kind, C);
  norm.forward(y, scales, bias, Mode::training);
  Eigen::VectorXd gradient = Eigen::VectorXd::Zero(variables);
  for (Index i = 0; i < y.size(); ++i) gradient += data.dy.data()[i] * y.data()[i].derivatives();

  // Backward takes dual numbers too: their values are those of double.
  Tensor<Dual, 4> dx(data.x.shape());
  Tensor<Dual, 1> dscales({C}), dbias({C});
  for (Index i = 0; i < dx.size(); ++i) dx.data()[i] = Dual(data.dy.data()[i]);
  norm.backward(dx, scales, dscales, dbias);
  const NormRun<double> run(kind, data);
  for (Index i = 0; i < dx.size(); ++i) CHECK(dx.data()[i].value() == run.dx.data()[i]);
  return gradient;
}

}  // namespace

TEST_CASE("The backward of standard is what dual numbers carry through its forward") {
  for (const auto& shape : norm_shapes) {
    INFO(to_string(shape));
    const auto data = test::norm_data(shape, 12);
    const NormRun<double> run(BatchNorm::standard, data);
    const Eigen::VectorXd gradient = dual_gradient(BatchNorm::standard, data);
    const Index C = shape[1], samples = data.x.size() / C;
    // The derivative of the variance alone is a sum of `samples` terms, and each of the loss another.
    const auto bound =
        test::batch_norm_bounds(BatchNorm::standard, data, 2 * samples + 16, std::numeric_limits<double>::epsilon());
    CHECK_THAT(run.dx, within(TensorView<const double, 4>(gradient.data(), shape), bound.dx));
    const double* const parameters = gradient.data() + data.x.size();
    CHECK_THAT(run.dscales, within(TensorView<const double, 1>(parameters, Shape<1>(C)), bound.dscales));
    CHECK_THAT(run.dbias, within(TensorView<const double, 1>(parameters + C, Shape<1>(C)), bound.dbias));
  }
}

TEST_CASE("The backward of darknet is not the gradient of its forward, as in the listing") {
  const auto data = test::norm_data({2, 1, 2, 2}, 13);  // 8 samples a channel
  const NormRun<double> run(BatchNorm::darknet, data);
  const Eigen::VectorXd gradient = dual_gradient(BatchNorm::darknet, data);
  double difference = 0, size = 0;
  for (Index i = 0; i < 8; ++i) {
    difference = std::max(difference, std::abs(gradient(i) - run.dx.data()[i]));
    size = std::max(size, std::abs(gradient(i)));
  }
  CHECK(difference > 0.001 * size);
  CHECK(std::abs(gradient(8) - run.dscales(0)) < 1e-12);  // these two agree
  CHECK(std::abs(gradient(9) - run.dbias(0)) < 1e-12);
}

TEST_CASE("Complex steps and long doubles go through batch normalisation") {
  const auto data = test::norm_data({2, 1, 3, 2}, 16);
  const NormRun<long double> precise(BatchNorm::standard, data);
  using C = std::complex<double>;
  Tensor<C, 4> y = test::converted<C>(data.x);
  const double step = 1e-100;
  y.data()[4] += C(0, step);
  BatchNormalization<C> norm(BatchNorm::standard, 1);
  norm.forward(y, test::converted<C>(data.scales), test::converted<C>(data.bias), Mode::training);
  double slope = 0;
  for (Index i = 0; i < y.size(); ++i) slope += data.dy.data()[i] * y.data()[i].imag() / step;
  const auto bound = test::batch_norm_bounds(BatchNorm::standard, data, 32, std::numeric_limits<double>::epsilon());
  CHECK(std::abs(slope - static_cast<double>(precise.dx.data()[4])) <= bound.dx.data()[4]);
}
