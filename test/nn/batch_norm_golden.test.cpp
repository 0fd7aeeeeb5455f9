// SPDX-License-Identifier: MIT
// Batch normalisation against conformance/golden_bn_public: PyTorch's numbers and the listing's.
#include "support/batch_norm_run.hpp"
#include "support/catch.hpp"
#include "support/conformance.hpp"
#include "support/shared_data.hpp"
#include "support/tensor_matcher.hpp"

using namespace unfold;
using test::within;

namespace {

constexpr auto set_name = "conformance/golden_bn_public";

test::NormData read(const test::GoldenCase& golden) {
  return {golden.read<double, 4>("x"), golden.read<double, 4>("dy"), golden.read<double, 1>("scale"),
          golden.read<double, 1>("bias")};
}

/// The file's sums and ours: one rounding a sample, and a few more.
test::NormResults bounds(BatchNorm kind, const test::NormData& data) {
  const Index samples = data.x.size() / data.x.shape(1);
  return test::batch_norm_bounds(kind, data, samples + 8, std::numeric_limits<double>::epsilon());
}

}  // namespace

TEST_CASE("Standard batch normalisation agrees with PyTorch") {
  const auto set = test::shared(set_name);
  if (set.empty()) SKIP(test::absent(set_name));
  const auto cases = test::golden_cases(set);
  REQUIRE(cases.size() == 14);
  for (const auto& golden : cases) {
    INFO(golden.name());
    const auto data = read(golden);
    const test::NormRun<double> run(BatchNorm::standard, data);
    const auto bound = bounds(BatchNorm::standard, data);
    CHECK_THAT(run.y, within(golden.read<double, 4>("y_torch"), bound.y));
    CHECK_THAT(run.dx, within(golden.read<double, 4>("dx_torch"), bound.dx));
    CHECK_THAT(run.dscales, within(golden.read<double, 1>("dscale_torch"), bound.dscales));
    CHECK_THAT(run.dbias, within(golden.read<double, 1>("dbias"), bound.dbias));
    CHECK_THAT(run.norm.mean(), within(golden.read<double, 1>("mean"), bound.mean));
  }
}

TEST_CASE("Darknet batch normalisation agrees with the listing, forward and backward") {
  const auto set = test::shared(set_name);
  if (set.empty()) SKIP(test::absent(set_name));
  const auto cases = test::golden_cases(set);
  REQUIRE(cases.size() == 14);
  for (const auto& golden : cases) {
    INFO(golden.name());
    const auto data = read(golden);
    const test::NormRun<double> run(BatchNorm::darknet, data);
    const auto bound = bounds(BatchNorm::darknet, data);
    CHECK_THAT(run.y, within(golden.read<double, 4>("y"), bound.y));
    CHECK_THAT(run.dx, within(golden.read<double, 4>("dx_darknet"), bound.dx));
    CHECK_THAT(run.dscales, within(golden.read<double, 1>("dscale"), bound.dscales));
    CHECK_THAT(run.dbias, within(golden.read<double, 1>("dbias"), bound.dbias));
    CHECK_THAT(run.norm.mean(), within(golden.read<double, 1>("mean"), bound.mean));
    CHECK_THAT(run.norm.variance(), within(golden.read<double, 1>("var"), bound.variance));
  }
}
