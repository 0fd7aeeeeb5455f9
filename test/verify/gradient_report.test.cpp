// SPDX-License-Identifier: MIT
#include <unfold/core/eigen_map.hpp>
#include <unfold/verify/gradient_check.hpp>

#include "support/catch.hpp"
#include "support/toy_layer.hpp"

#include <nlohmann/json.hpp>

#include <sstream>

using namespace unfold;

namespace {

GradientEntry entry(double analytic, double numeric, double truncation, double rounding, Verdict verdict) {
  return {.analytic = analytic, .numeric = numeric, .truncation = truncation, .rounding = rounding, .verdict = verdict};
}

TensorReport tensor(std::vector<GradientEntry> entries) {
  return {"q", {static_cast<Index>(entries.size())}, std::move(entries)};
}

const GradientEntry right = entry(2, 2.5, 0.25, 0.75, Verdict::pass), wrong = entry(2, 3, 0.25, 0.25, Verdict::fail),
                    kink = entry(1, 0.5, 0, 0.1, Verdict::kink), zero = entry(0, 0.125, 0, 0.25, Verdict::pass);

}  // namespace

TEST_CASE("The bound of an entry is the sum of its terms, and the excess its error in bounds") {
  CHECK(right.bound() == 1);
  CHECK(right.error() == 0.5);
  CHECK(right.excess() == 0.5);
  CHECK(right.within_bound());
  CHECK(wrong.excess() == 2);
  CHECK_FALSE(wrong.within_bound());
  CHECK(entry(3, 3, 0, 0, Verdict::pass).excess() == 0);
  CHECK(entry(3, 4, 0, 0, Verdict::fail).excess() == HUGE_VAL);
  CHECK(entry(NAN, 4, 1, 1, Verdict::fail).excess() == HUGE_VAL);
  CHECK_FALSE(entry(NAN, 4, 1, 1, Verdict::fail).within_bound());
  CHECK_FALSE(entry(3, 4, HUGE_VAL, 1, Verdict::fail).within_bound());
}

TEST_CASE("A tensor is as good as its worst entry, and vacuous where no entry differs from zero") {
  CHECK(tensor({right, zero}).verdict() == Verdict::pass);
  CHECK(tensor({right, kink}).verdict() == Verdict::pass);
  CHECK(tensor({right, kink, wrong}).verdict() == Verdict::fail);
  CHECK(tensor({kink, kink}).verdict() == Verdict::kink);
  CHECK(tensor({zero, zero}).verdict() == Verdict::vacuous);
  CHECK(tensor({}).verdict() == Verdict::vacuous);
}

TEST_CASE("A report is true only if every tensor passed") {
  const auto report = [](std::vector<TensorReport> tensors) {
    return GradientReport{"by hand", 1, std::move(tensors)};
  };
  CHECK(report({tensor({right}), tensor({right, kink})}));
  CHECK_FALSE(report({tensor({right}), tensor({wrong})}));
  CHECK_FALSE(report({tensor({right}), tensor({kink})}));
  CHECK_FALSE(report({tensor({right}), tensor({zero})}));
  CHECK_FALSE(report({}));
  CHECK(report({tensor({zero}), tensor({wrong}), tensor({kink})}).verdict() == Verdict::fail);
}

TEST_CASE("A constant ratio of claim and derivative is a convention, where two entries say so and none is right") {
  const auto twice = [](double numeric) { return entry(2 * numeric, numeric, 0, 0.125, Verdict::fail); };
  const auto good = entry(5, 5, 0, 0.125, Verdict::pass);
  CHECK(tensor({twice(3), twice(-2), zero}).verdict() == Verdict::convention);
  CHECK(tensor({twice(3), twice(-2), zero}).ratio().value() == 2);
  CHECK(tensor({twice(3), twice(-2), kink}).verdict() == Verdict::convention);
  CHECK(tensor({twice(3)}).verdict() == Verdict::fail);
  CHECK(tensor({twice(3), zero}).verdict() == Verdict::fail);
  CHECK(tensor({twice(3), twice(-2), good}).verdict() == Verdict::fail);
  CHECK(tensor({twice(3), entry(-3.5, -2, 0, 0.125, Verdict::fail)}).verdict() == Verdict::fail);
  CHECK(tensor({twice(3), entry(1, 0, 0, 0.125, Verdict::fail)}).verdict() == Verdict::fail);
  CHECK(tensor({entry(0, 3, 0, 0, Verdict::fail), entry(0, 2, 0, 0, Verdict::fail)}).verdict() == Verdict::fail);
  CHECK(tensor({entry(NAN, 3, 0, 0, Verdict::fail), entry(NAN, 2, 0, 0, Verdict::fail)}).verdict() == Verdict::fail);
  CHECK(tensor({twice(3), entry(4, 2, 8, 0, Verdict::fail)}).verdict() == Verdict::fail);  // within its wide bound
  CHECK(tensor({twice(3), entry(4, 3, 2, 0, Verdict::fail)}).verdict() == Verdict::fail);
  const auto nearly = [](double numeric) { return entry(numeric * (1 + 1e-9), numeric, 0, 1e-12, Verdict::fail); };
  CHECK(tensor({nearly(3), nearly(2)}).verdict() == Verdict::convention);
  CHECK(tensor({nearly(3), nearly(2), good}).verdict() == Verdict::fail);
  // A claim is rounded: a third of 7 and of 5, with the ratio 1/3 rounded too.
  CHECK(tensor({entry(7 / 3.0, 7, 0, 0, Verdict::fail), entry(5 / 3.0, 5, 0, 0, Verdict::fail)}).ratio());
  const GradientReport report{"by hand", 1, {tensor({twice(3), twice(-2)}), tensor({twice(-3), twice(2)})}};
  CHECK(report.verdict() == Verdict::convention);
  CHECK(std::string(to_string(report)).find("q: analytic = 2 * numeric at every entry: a wrong scale\n") < 200);
}

TEST_CASE("A finding counts as much as an entry, and stands above the tables") {
  GradientReport report{"by hand", 1, {tensor({right})}, {{Verdict::fail, "the layer wrote to x"}}};
  CHECK_FALSE(report);
  CHECK(to_string(report).starts_with("gradient check: FAIL (by hand, seed 1)\nFAIL: the layer wrote to x\n  tensor"));
  report.findings[0].verdict = Verdict::nondeterministic;
  CHECK(report.verdict() == Verdict::nondeterministic);
}

TEST_CASE("The worst entries are the failures, then the nearest to their bounds") {
  const GradientReport report{"by hand", 1, {tensor({right, zero, kink}), tensor({wrong, right})}};
  const auto worst = report.worst(3);
  REQUIRE(worst.size() == 3);
  CHECK(worst[0].entry->verdict == Verdict::fail);
  CHECK(worst[0].tensor == &report.tensors[1]);
  CHECK(worst[1].entry->verdict == Verdict::kink);
  CHECK(worst[2].entry->excess() == 0.5);
  CHECK(report.worst(100).size() == 5);
}

TEST_CASE("A position prints as the index of its element") {
  const TensorReport t{"w", {2, 3, 4}, {}};
  CHECK(t.index(0) == "[0, 0, 0]");
  CHECK(t.index(1 * 12 + 2 * 4 + 3) == "[1, 2, 3]");
}

TEST_CASE("The report prints its tensors and its worst entries with every term of the bound") {
  auto toy = test::linear_toy<double>();
  toy.plant = [](auto& t) { t.dw(2, 1) += 133; };
  const auto report =
      gradient_check(toy, test::normal_input<double>(), {.seed = 9, .engine = GradientEngine::integers});
  const std::string text = R"(gradient check: FAIL (integers, step 1, seed 9)
  tensor   shape   checked  failed  kinks  error/bound  verdict
  x        [5, 4]       20       0      0     0.00e+00     pass
  weights  [4, 3]       12       1      0          inf     FAIL
  bias     [3]           3       0      0     0.00e+00     pass
worst entries (bound = truncation + rounding):
  tensor   index   analytic  numeric     error  truncation  rounding  error/bound  verdict
  weights  [2, 1]       100      -33  1.33e+02    0.00e+00  0.00e+00          inf     FAIL
  x        [0, 0]        -1       -1  0.00e+00    0.00e+00  0.00e+00     0.00e+00     pass
  x        [0, 1]        16       16  0.00e+00    0.00e+00  0.00e+00     0.00e+00     pass
)";
  CHECK(to_string(report, 3) == text);
  std::ostringstream out;
  out << report;
  CHECK(out.str() == to_string(report, 10));
}

TEST_CASE("Catch2 shows a failing report whole") {
  const GradientReport report{"by hand", 1, {tensor({right, wrong})}};
  CHECK(Catch::Detail::stringify(report) == to_string(report));
}

TEST_CASE("As JSON the report is complete") {
  auto toy = test::linear_toy<double>();
  toy.plant = [](auto& t) { t.dx()(4, 3) = NAN; };
  auto report = gradient_check(toy, test::normal_input<double>(), {.seed = 9});
  report.findings.push_back({Verdict::fail, "a \"quoted\" line\n"});
  report.findings.push_back({Verdict::nondeterministic, "another"});
  report.tensors[2].entries[1].order = 1.5;
  const auto json = nlohmann::json::parse(to_json(report));
  CHECK(json["verdict"] == "NON-DETERMINISTIC");
  CHECK(json["engine"] == "central differences");
  CHECK(json["seed"] == 9);
  CHECK(json["findings"][0]["text"] == "a \"quoted\" line\n");
  CHECK(json["findings"][0]["verdict"] == "FAIL");
  CHECK(json["findings"][1]["text"] == "another");
  REQUIRE(json["tensors"].size() == 3);
  const auto& x = json["tensors"][0];
  CHECK(x["name"] == "x");
  CHECK(x["shape"] == std::vector{5, 4});
  CHECK(x["entries_are"] == "coordinates");
  CHECK(x["verdict"] == "FAIL");
  REQUIRE(x["entries"].size() == 20);
  CHECK(x["entries"][19]["position"] == 19);
  CHECK(x["entries"][19]["analytic"].is_null());
  CHECK(x["entries"][19]["verdict"] == "FAIL");
  const GradientEntry& e = report.tensors[2].entries[1];
  const auto& bias = json["tensors"][2]["entries"][1];
  CHECK(bias["analytic"] == e.analytic);  // to the last bit
  CHECK(bias["numeric"] == e.numeric);
  CHECK(bias["error"] == e.error());
  CHECK(bias["truncation"] == e.truncation);
  CHECK(bias["rounding"] == e.rounding);
  CHECK(bias["order"] == 1.5);
  CHECK_FALSE(json["tensors"][2]["entries"][0].contains("order"));
}

TEST_CASE("As JSON a report of directions says so, and a convention has its ratio") {
  auto toy = test::linear_toy<double>();
  const auto x = test::normal_input<double>();
  const auto json = nlohmann::json::parse(to_json(gradient_check(toy, x, {.engine = GradientEngine::adjoint})));
  CHECK(json["verdict"] == "pass");
  CHECK(json["findings"].empty());
  CHECK(json["tensors"][1]["entries_are"] == "directions");
  toy.plant = [](auto& t) { t.dx().array() *= -1; };
  const auto turned = nlohmann::json::parse(to_json(gradient_check(toy, x, {.engine = GradientEngine::integers})));
  CHECK(turned["verdict"] == "WRONG CONVENTION");
  CHECK(turned["tensors"][0]["ratio"] == -1);
  CHECK_FALSE(turned["tensors"][1].contains("ratio"));
}
