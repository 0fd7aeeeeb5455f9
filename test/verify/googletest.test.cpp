// SPDX-License-Identifier: MIT
// A gradient check as one line of GoogleTest: it passes, or the failure shows the whole report. Built where GoogleTest
// is.
#include <unfold/nn/dense.hpp>
#include <unfold/verify/gradient_check.hpp>

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <cstdio>

using namespace unfold;

namespace {

Dense<double> layer() {
  Dense<double> dense({.inputs = 4, .outputs = 3, .activation = Activation::tanh});
  dense.initialize(1);
  return dense;
}

/// For the macros of failures, which are written in a function of their own.
GradientReport failed() {
  const auto square = [](TensorView<const double, 1> x) { return x(0) * x(0); };
  return gradient_check(square, Tensor<double, 1>({1}, 3), Tensor<double, 1>({1}, 5));
}

TEST(GradientCheck, PassesInOneLine) {
  auto dense = layer();
  EXPECT_TRUE(gradient_check(dense, Tensor<double, 2>({5, 4}, 0.5)));
  ASSERT_TRUE(gradient_check(dense, Tensor<double, 2>({5, 4}, 0.5), Dense<DualNumber>(dense.options())));
}

TEST(GradientCheck, ShowsTheReportWhereItFails) {
  EXPECT_NONFATAL_FAILURE(EXPECT_TRUE(failed()), "gradient check: FAIL (central differences, seed 1)");
  EXPECT_NONFATAL_FAILURE(EXPECT_TRUE(failed()), "worst entries (bound = truncation + rounding):");
  EXPECT_FALSE(failed());
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const int status = RUN_ALL_TESTS();
  const auto& all = *testing::UnitTest::GetInstance();
  std::printf("cases: %d passed, %d failed, %d skipped\n", all.successful_test_count(), all.failed_test_count(),
              all.skipped_test_count());
  return status;
}
