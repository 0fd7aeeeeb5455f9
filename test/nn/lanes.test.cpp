// SPDX-License-Identifier: MIT
#include <unfold/nn/lanes.hpp>

#include "support/catch.hpp"

#include <complex>
#include <vector>

using namespace unfold;

namespace {

constexpr Index most = 70;  // past several vectors of every instruction set

}  // namespace

TEMPLATE_TEST_CASE("A loop in lanes writes each element once, and none past the end", "", float, double, long double,
                   std::complex<float>) {
  using T = TestType;
  for (Index n = 0; n <= most; ++n) {
    for (Index from = 0; from < 3; ++from) {  // also where no vector is aligned
      INFO(n << " elements from " << from);
      std::vector<T> x(most + 3), y(most + 3, T(-1)), in_place(y);
      for (std::size_t i = 0; i < x.size(); ++i) x[i] = in_place[i] = T(static_cast<float>(i));
      const T* const a = x.data() + from;
      T* const b = in_place.data() + from;
      detail::map_lanes(y.data() + from, n, [=](Index i) { return T(a[i] * T(3) + T(1)); });
      detail::map_lanes(b, n, [=](Index i) { return T(b[i] * T(3)); }, [](Index, const T& v) { return T(v + T(1)); });
      for (Index i = 0; i < most + 3; ++i) {
        const auto at = static_cast<std::size_t>(i);
        const bool inside = i >= from && i < from + n;
        CHECK(y[at] == (inside ? T(static_cast<float>(3 * i + 1)) : T(-1)));
        CHECK(in_place[at] == T(static_cast<float>(inside ? 3 * i + 1 : i)));
      }
    }
  }
}

TEMPLATE_TEST_CASE("A sum in lanes has every term", "", float, double, long double, std::complex<double>) {
  using T = TestType;
  for (Index n = 0; n <= most; ++n) {
    INFO(n << " terms");
    const T sum = detail::lane_sum<T>(n, [](Index i) { return T(static_cast<float>(i * i + 1)); });
    CHECK(sum == T(static_cast<float>((n - 1) * n * (2 * n - 1) / 6 + n)));
  }
}

TEST_CASE("Pieces cover all elements in order") {
  for (const Index n : {Index{0}, Index{1}, Index{1023}, Index{1024}, Index{1025}, Index{5000}}) {
    Index next = 0;
    detail::for_each_piece(n, [&](Index begin, Index count) {
      CHECK(begin == next);
      CHECK(count > 0);
      next += count;
    });
    CHECK(next == n);
  }
}
