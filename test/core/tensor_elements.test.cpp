// SPDX-License-Identifier: MIT
// Tensors of every rank and of many element types.
#include <unfold/core/tensor.hpp>

#include "support/catch.hpp"

#include <Eigen/Core>
#include <unsupported/Eigen/AutoDiff>

#include <complex>
#include <cstdint>
#include <vector>

using namespace unfold;

namespace {

struct alignas(128) Wide {
  int value;
  explicit Wide(int v) : value(v) {}
  friend bool operator==(const Wide&, const Wide&) = default;
};

/// Counts how many of it there are.
struct Living {
  static inline int count = 0;
  explicit Living(int) { ++count; }
  Living(const Living&) { ++count; }
  Living& operator=(const Living&) = default;
  ~Living() { --count; }
};

using Dual = Eigen::AutoDiffScalar<Eigen::Vector2d>;

bool aligned(const void* address, std::size_t alignment) {
  return reinterpret_cast<std::uintptr_t>(address) % alignment == 0;
}

template <class T>
constexpr bool holds = Element<T>;

/// A tensor of this rank with sizes 2, 3, 4, ... whose last element is set and read in every way there is.
template <int Rank, class... Last>
void check_rank(Last... last) {
  if constexpr (sizeof...(Last) < Rank) {
    check_rank<Rank>(last..., static_cast<Index>(sizeof...(Last)) + 1);
  } else {
    Shape<Rank> shape;
    Index size = 1;
    for (int d = 0; d < Rank; ++d) size *= shape[d] = d + 2;
    Tensor<int, Rank> t(shape);
    CHECK(t.size() == size);
    t(last...) = 5;
    CHECK(t.data()[size - 1] == 5);
    CHECK(t.at(last...) == 5);
    CHECK(std::as_const(t).view()(last...) == 5);
    CHECK(t.slice(Rank - 1, Rank, 1).data() == t.data() + Rank);
    CHECK(std::count(t.data(), t.data() + size, 0) == size - 1);
  }
}

}  // namespace

TEST_CASE("Tensors have any rank from 1 on") {
  check_rank<1>();
  check_rank<2>();
  check_rank<3>();
  check_rank<4>();
  check_rank<5>();
  check_rank<6>();
}

TEMPLATE_TEST_CASE("Tensors of every element are aligned to 64 bytes, zero at first, and copied deep", "", float,
                   double, long double, std::complex<double>, Eigen::half, Dual, std::uint8_t, std::int64_t) {
  for (const Index n : {1, 2, 3, 7, 64, 1000}) {
    const Tensor<TestType, 2> zero({n, 3});
    CHECK(aligned(zero.data(), 64));
    bool all_zero = true;
    for (Index i = 0; i < zero.size(); ++i) all_zero = all_zero && zero.data()[i] == TestType(0);
    CHECK(all_zero);
    Tensor<TestType, 2> copy = zero;
    CHECK(aligned(copy.data(), 64));
    copy(n - 1, 2) = TestType(3);
    CHECK(copy(n - 1, 2) == TestType(3));
    CHECK(zero(n - 1, 2) == TestType(0));
    copy.fill(TestType(2));
    CHECK(copy[n - 1][0] == TestType(2));
  }
}

TEST_CASE("An element with a wider alignment keeps it") {
  std::vector<Tensor<Wide, 1>> several;
  for (Index n = 1; n <= 9; ++n) several.emplace_back(Shape<1>(n), Wide(4));
  for (const auto& t : several) {
    CHECK(aligned(t.data(), 128));
    CHECK(t(t.size() - 1) == Wide(4));
  }
}

TEST_CASE("A dual number keeps its derivatives in a tensor") {
  Tensor<Dual, 2> t({2, 2});
  t(1, 0) = Dual(3, Eigen::Vector2d(1, -2));
  const Tensor<Dual, 2> copy = t;
  CHECK(copy(1, 0).value() == 3);
  CHECK(copy(1, 0).derivatives() == Eigen::Vector2d(1, -2));
  CHECK(copy(0, 0).derivatives() == Eigen::Vector2d::Zero());
}

TEST_CASE("Elements that are objects live as long as they are in a tensor") {
  {
    Tensor<Living, 1> t({5});
    CHECK(Living::count == 5);
    Tensor<Living, 1> copy = t;
    CHECK(Living::count == 10);
    t.reshape_for_overwrite({2});
    CHECK(Living::count == 7);
    const Tensor<Living, 1> taken = std::move(copy);
    CHECK(Living::count == 7);
  }
  CHECK(Living::count == 0);
}

TEST_CASE("References, void and bool are no elements; a constant is one of a view alone") {
  STATIC_REQUIRE((holds<float> && holds<const float> && holds<std::complex<float>> && holds<std::uint8_t>));
  STATIC_REQUIRE((!holds<float&> && !holds<void> && !holds<bool> && !holds<const bool>));
}
