// SPDX-License-Identifier: MIT
#include <unfold/nn/loss.hpp>
#include <unfold/verify/gradient_check.hpp>

#include "support/catch.hpp"
#include "support/fill.hpp"
#include "support/largest_allocation.hpp"
#include "support/tensor_matcher.hpp"

#include <unsupported/Eigen/AutoDiff>

#include <algorithm>  // std::ranges::copy
#include <cmath>

using namespace unfold;
using Catch::Matchers::Message;

namespace {

Tensor<Index, 1> labels_of(std::initializer_list<Index> values) {
  Tensor<Index, 1> labels(Shape<1>(static_cast<Index>(values.size())));
  std::ranges::copy(values, labels.data());
  return labels;
}

Tensor<double, 2> normal_logits(Index N, Index classes) {
  Random random(3);
  Tensor<double, 2> logits({N, classes});
  test::fill_normal(logits.view(), random);
  return logits;
}

}  // namespace

TEMPLATE_TEST_CASE("Cross entropy and its gradient are their formulas, summed over the batch", "", float, double) {
  using T = TestType;
  const auto logits = test::converted<T>(normal_logits(4, 3));
  const auto labels = labels_of({2, 0, 1, 0});
  SoftmaxCrossEntropy<T> loss;
  const double total = loss.forward(logits, labels);
  const auto& dlogits = loss.backward();
  // |z| < 6: exp rounds by at most 6 epsilon of its argument's rounding and 2 of its own; sums of 3 and a division.
  const double bound = 16 * double{std::numeric_limits<T>::epsilon()};
  double expected = 0;
  for (Index n = 0; n < 4; ++n) {
    double sum = 0;
    for (Index k = 0; k < 3; ++k) sum += std::exp(double{logits(n, k)});
    expected += std::log(sum) - double{logits(n, labels(n))};
    for (Index k = 0; k < 3; ++k) {
      const double p = std::exp(double{logits(n, k)}) / sum;
      CHECK(std::abs(dlogits(n, k) - (p - (k == labels(n) ? 1 : 0))) <= bound);
    }
  }
  CHECK(std::abs(total - expected) <= 4 * bound * 6);
}

TEST_CASE("Huge logits neither overflow nor lose the loss") {
  Tensor<float, 2> logits({3, 2});
  logits(0, 0) = 1e30f, logits(0, 1) = -1e30f;
  logits(1, 0) = -1000, logits(1, 1) = -1000;
  logits(2, 0) = 300, logits(2, 1) = 100;
  SoftmaxCrossEntropy<float> loss;
  CHECK(loss.forward(logits.slice(0, 0, 1), labels_of({0})) == 0);
  CHECK(loss.forward(logits.slice(0, 0, 1), labels_of({1})) == 2e30f);
  CHECK(loss.forward(logits.slice(0, 1, 1), labels_of({1})) == static_cast<float>(std::log(2.0)));
  CHECK(loss.forward(logits.slice(0, 2, 1), labels_of({1})) == 200);
  CHECK(loss.backward()(0, 0) == 1);
  CHECK(loss.backward()(0, 1) == -1);
}

TEST_CASE("Right answers are counted, of equal logits the first class") {
  Tensor<double, 2> logits({4, 3});
  logits(0, 1) = 2;                    // class 1
  logits(1, 0) = 1, logits(1, 2) = 1;  // class 0, the first of equals
  logits(2, 2) = 5;                    // class 2
  SoftmaxCrossEntropy<double> loss;    // row 3: all equal, class 0
  loss.forward(logits, labels_of({1, 0, 2, 0}));
  CHECK(loss.correct() == 4);
  loss.forward(logits, labels_of({1, 2, 1, 2}));
  CHECK(loss.correct() == 1);
}

TEST_CASE("Central differences and dual numbers confirm the gradient of cross entropy") {
  const auto logits = normal_logits(3, 5);
  const auto labels = labels_of({4, 0, 2});
  SoftmaxCrossEntropy<double> loss;
  loss.forward(logits, labels);
  const Tensor<double, 2> dlogits = loss.backward();
  CHECK(gradient_check([&](TensorView<const double, 2> z) { return loss.forward(z, labels); }, logits, dlogits));

  using Dual = Eigen::AutoDiffScalar<Eigen::VectorXd>;
  Tensor<Dual, 2> duals(logits.shape());
  for (int i = 0; i < 15; ++i) duals.data()[i] = Dual(logits.data()[i], 15, i);
  SoftmaxCrossEntropy<Dual> dual_loss;
  const Dual total = dual_loss.forward(duals, labels);
  for (int i = 0; i < 15; ++i) CHECK(std::abs(total.derivatives()(i) - dlogits.data()[i]) <= 1e-15);
}

TEST_CASE("Logits may be strided and nothing is allocated after the first call with a shape") {
  const auto wide = normal_logits(4, 7);
  const auto labels = labels_of({1, 0, 2, 2});
  SoftmaxCrossEntropy<double> strided, dense;
  strided.forward(wide.slice(1, 3, 3), labels);
  const Tensor<double, 2> copy(wide.slice(1, 3, 3));
  CHECK(strided.forward(wide.slice(1, 3, 3), labels) == dense.forward(copy, labels));
  CHECK_THAT(strided.backward(), test::equals(dense.backward()));
  const test::LargestAllocation allocated;
  strided.forward(wide.slice(1, 3, 3), labels);
  strided.backward();
  CHECK(allocated.bytes() == 0);
}

TEST_CASE("Cross entropy refuses wrong arguments before it writes") {
  const auto logits = normal_logits(3, 4);
  SoftmaxCrossEntropy<double> loss;
  CHECK_THROWS_MATCHES(loss.backward(), StateError,
                       Message("unfold::SoftmaxCrossEntropy::backward: call forward first"));
  loss.forward(logits, labels_of({1, 2, 3}));
  const Tensor<double, 2> before = loss.backward();
  CHECK_THROWS_MATCHES(loss.forward(logits, labels_of({1, 4, 0})), ShapeError,
                       Message("unfold::SoftmaxCrossEntropy::forward: labels must be in [0, 4), got 4 at index 1"));
  CHECK_THROWS_MATCHES(loss.forward(logits, labels_of({1, 2, -1})), ShapeError,
                       Message("unfold::SoftmaxCrossEntropy::forward: labels must be in [0, 4), got -1 at index 2"));
  CHECK_THROWS_MATCHES(loss.forward(logits, labels_of({1, 2})), ShapeError,
                       Message("unfold::SoftmaxCrossEntropy::forward: labels must be [3], got [2]"));
  CHECK_THROWS_MATCHES(
      loss.forward(Tensor<double, 2>({3, 0}), labels_of({1, 2, 0})), ShapeError,
      Message("unfold::SoftmaxCrossEntropy::forward: logits must be [N, classes] with classes >= 1, got [3, 0]"));
  CHECK_THAT(loss.backward(), test::equals(before));
}
