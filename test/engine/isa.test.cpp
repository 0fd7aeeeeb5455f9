// SPDX-License-Identifier: MIT
#include <unfold/engine/isa.hpp>

#include "support/catch.hpp"
#include "support/child.hpp"

#include <complex>
#include <iostream>

using namespace unfold;
using Catch::Matchers::ContainsSubstring;
using engine::Isa;

namespace {

const char* name(Isa isa) { return isa == Isa::avx512 ? "avx512" : isa == Isa::avx2 ? "avx2" : "baseline"; }

std::string chosen_with(const char* wanted) {
  return test::run_child("child: print the instruction set twice", {{"UNFOLD_ISA", wanted}});
}

}  // namespace

TEST_CASE("child: print the instruction set twice", "[.]") {
  for (int i = 0; i < 2; ++i) {
    try {
      std::cout << name(engine::isa()) << '\n';
    } catch (const ShapeError& error) {
      std::cout << error.what() << '\n';
    }
  }
}

TEST_CASE("The engine multiplies float and double") {
  STATIC_REQUIRE((FloatOrDouble<float> && FloatOrDouble<double>));
  STATIC_REQUIRE((!FloatOrDouble<long double> && !FloatOrDouble<std::complex<float>> && !FloatOrDouble<int>));
}

TEST_CASE("Every machine has the baseline, and one that has a wider set has the narrower ones") {
  CHECK(engine::supported(Isa::baseline));
  CHECK((!engine::supported(Isa::avx512) || engine::supported(Isa::avx2)));
}

TEST_CASE("Without UNFOLD_ISA the widest set of the machine is chosen") {
  const test::EnvironmentVariable unset("UNFOLD_ISA", nullptr);
  const std::string widest = name(engine::supported(Isa::avx512) ? Isa::avx512
                                  : engine::supported(Isa::avx2) ? Isa::avx2
                                                                 : Isa::baseline);
  CHECK_THAT(test::run_child("child: print the instruction set twice", {}),
             ContainsSubstring(widest + '\n' + widest + '\n'));
}

TEST_CASE("UNFOLD_ISA chooses a set that the machine has; any other is refused at every use") {
  for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    const std::string wanted = name(isa);
    const std::string message =
        "unfold::isa: UNFOLD_ISA must be baseline, avx2 or avx512, and one that this machine has, got \"" + wanted +
        '"';
    const std::string line = (engine::supported(isa) ? wanted : message) + '\n';
    CHECK_THAT(chosen_with(name(isa)), ContainsSubstring(line + line));
  }
  for (const char* const wanted : {"", "sse", "AVX2", "avx512 "}) {
    const std::string line =
        "unfold::isa: UNFOLD_ISA must be baseline, avx2 or avx512, and one that this machine has, "
        "got \"" +
        std::string(wanted) + "\"\n";
    CHECK_THAT(chosen_with(wanted), ContainsSubstring(line + line));
  }
}
