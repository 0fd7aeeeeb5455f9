// SPDX-License-Identifier: MIT
#include <unfold/core/view.hpp>

#include "support/catch.hpp"

#include <array>
#include <cstdint>
#include <numeric>  // std::iota
#include <vector>

using namespace unfold;
using Catch::Matchers::Message;

namespace {

/// 0, 1, 2, ... of them in memory: the value of an element is its offset.
std::vector<int> counted(std::size_t n) {
  std::vector<int> memory(n);
  std::iota(memory.begin(), memory.end(), 0);
  return memory;
}

template <int Rank>
std::vector<int> elements(const TensorView<const int, Rank>& view) {
  std::vector<int> all;
  view.for_each_run([&](const int* run, Index n, Index step) {
    for (Index i = 0; i < n; ++i) all.push_back(run[i * step]);
  });
  return all;
}
template <int Rank>
std::vector<int> elements(const TensorView<int, Rank>& view) {
  return elements(TensorView<const int, Rank>(view));
}

}  // namespace

TEST_CASE("A view without strides is row-major") {
  auto memory = counted(2 * 3 * 5);
  const TensorView<int, 3> view(memory.data(), {2, 3, 5});
  CHECK(view.shape() == Shape{2, 3, 5});
  CHECK(view.strides() == Shape{15, 5, 1});
  CHECK(view.shape(1) == 3);
  CHECK(view.stride(0) == 15);
  CHECK(view.size() == 30);
  CHECK(view.data() == memory.data());
  CHECK(view.contiguous());
  CHECK(view(1, 2, 3) == 15 + 2 * 5 + 3);
  view(1, 0, 4) = -7;
  CHECK(memory[19] == -7);
}

TEST_CASE("An element of a strided view stands at the sum of index times stride, whatever their sign") {
  auto memory = counted(24);
  const TensorView<int, 2> transposed(memory.data(), {6, 4}, {1, 6});
  CHECK(transposed(5, 2) == 17);
  CHECK(transposed[5][2] == 17);
  const TensorView<int, 2> turned(memory.data() + 23, {4, 6}, {-6, -1});
  CHECK(turned(0, 0) == 23);
  CHECK(turned(3, 5) == 0);
  const TensorView<int, 2> repeated(memory.data() + 3, {5, 2}, {0, 1});
  CHECK(elements(repeated) == std::vector<int>{3, 4, 3, 4, 3, 4, 3, 4, 3, 4});
}

TEST_CASE("A view of a view's rows ends at the element itself") {
  auto memory = counted(2 * 3 * 4);
  const TensorView<int, 3> view(memory.data(), {2, 3, 4});
  STATIC_REQUIRE(std::is_same_v<decltype(view[1]), TensorView<int, 2>>);
  STATIC_REQUIRE(std::is_same_v<decltype(view[1][2]), TensorView<int, 1>>);
  STATIC_REQUIRE(std::is_same_v<decltype(view[1][2][3]), int&>);
  CHECK(view[1].shape() == Shape{3, 4});
  CHECK(view[1][2].stride(0) == 1);
  view[1][2][3] = -1;
  CHECK(memory[23] == -1);
}

TEST_CASE("A slice of slices shows the elements that all of them have") {
  auto memory = counted(5 * 6 * 7);
  const TensorView<int, 3> view(memory.data(), {5, 6, 7});
  const auto part = view.slice(0, 1, 3).slice(2, 2, 4).slice(1, 3, 2).slice(0, 1, 2).slice(2, 1, 2);
  CHECK(part.shape() == Shape{2, 2, 2});
  CHECK(part.strides() == view.strides());
  CHECK(elements(part) == std::vector<int>{2 * 42 + 3 * 7 + 3, 2 * 42 + 3 * 7 + 4, 2 * 42 + 4 * 7 + 3,
                                           2 * 42 + 4 * 7 + 4, 3 * 42 + 3 * 7 + 3, 3 * 42 + 3 * 7 + 4,
                                           3 * 42 + 4 * 7 + 3, 3 * 42 + 4 * 7 + 4});
  CHECK(!part.contiguous());
  CHECK(part[1][0][1] == 3 * 42 + 3 * 7 + 4);
}

TEST_CASE("An empty slice may stand anywhere in its axis, its end too") {
  auto memory = counted(12);
  const TensorView<int, 2> view(memory.data(), {3, 4});
  CHECK(view.slice(0, 3, 0).shape() == Shape{0, 4});
  CHECK(view.slice(1, 4, 0).size() == 0);
  CHECK(view.slice(1, 0, 0).slice(0, 1, 2).shape() == Shape{2, 0});
  CHECK(elements(view.slice(1, 2, 0)).empty());
}

TEST_CASE("A slice outside its axis is refused") {
  auto memory = counted(12);
  const TensorView<int, 2> view(memory.data(), {3, 4});
  const auto message = [&](int dim, Index begin, Index count) {
    try {
      view.slice(dim, begin, count);
    } catch (const ShapeError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  CHECK(message(2, 0, 1) == "unfold::TensorView::slice: dim must be in [0, 2), got 2");
  CHECK(message(-1, 0, 1) == "unfold::TensorView::slice: dim must be in [0, 2), got -1");
  const std::string rule = "unfold::TensorView::slice: [begin, begin + count) must lie in [0, 4) of dim 1, got ";
  CHECK(message(1, 2, 3) == rule + "begin 2, count 3");
  CHECK(message(1, -1, 2) == rule + "begin -1, count 2");
  CHECK(message(1, 1, -1) == rule + "begin 1, count -1");
  CHECK(message(1, 5, 0) == rule + "begin 5, count 0");
  CHECK(message(1, 1, std::numeric_limits<Index>::max()) == rule + "begin 1, count 9223372036854775807");
}

TEST_CASE("at() gives the element, or says which index is outside") {
  auto memory = counted(6);
  const TensorView<int, 2> view(memory.data(), {2, 3});
  CHECK(view.at(1, 2) == 5);
  CHECK(&view.at(0, 1) == &memory[1]);
  CHECK_THROWS_MATCHES(view.at(2, 0), ShapeError,
                       Message("unfold::TensorView::at: index must lie inside [2, 3], got [2, 0]"));
  CHECK_THROWS_MATCHES(view.at(0, -1), ShapeError,
                       Message("unfold::TensorView::at: index must lie inside [2, 3], got [0, -1]"));
  CHECK_THROWS_MATCHES(view.at(0, 3), ShapeError,
                       Message("unfold::TensorView::at: index must lie inside [2, 3], got [0, 3]"));
  CHECK_THROWS_AS(view.slice(0, 0, 0).at(0, 0), ShapeError);
}

TEST_CASE("fill writes the elements of the view and no other") {
  auto memory = counted(4 * 5);
  TensorView<int, 2>(memory.data(), {4, 5}).slice(0, 1, 2).slice(1, 2, 2).fill(-1);
  auto expected = counted(4 * 5);
  for (const std::size_t i : {7u, 8u, 12u, 13u}) expected[i] = -1;
  CHECK(memory == expected);
  TensorView<int, 2>(memory.data(), {10, 1}, {2, 1}).fill(0);
  for (std::size_t i = 0; i < 20; i += 2) expected[i] = 0;
  CHECK(memory == expected);
  TensorView<int, 2>(memory.data(), {2, 3}, {1, 7}).fill(-2);
  for (const std::size_t i : {0u, 1u, 7u, 8u, 14u, 15u}) expected[i] = -2;
  CHECK(memory == expected);
  TensorView<int, 2>(memory.data(), {4, 0}).fill(5);
  CHECK(memory == expected);
}

TEST_CASE("Runs are as long as the memory has no gap, and together all elements in order") {
  auto memory = counted(4 * 3 * 5);
  const TensorView<int, 3> view(memory.data(), {4, 3, 5});
  const auto runs = [](const auto& part) {
    std::vector<std::array<Index, 2>> lengths;
    part.for_each_run([&](const int*, Index n, Index step) { lengths.push_back({n, step}); });
    return lengths;
  };
  CHECK(runs(view) == std::vector<std::array<Index, 2>>{{60, 1}});
  CHECK(runs(view.slice(0, 1, 2)) == std::vector<std::array<Index, 2>>{{30, 1}});
  CHECK(runs(view.slice(1, 1, 2)) == std::vector<std::array<Index, 2>>(4, {10, 1}));
  CHECK(runs(view.slice(2, 1, 2)) == std::vector<std::array<Index, 2>>(12, {2, 1}));
  const TensorView<int, 2> transposed(memory.data(), {5, 12}, {1, 5});
  CHECK(runs(transposed) == std::vector<std::array<Index, 2>>(5, {12, 5}));
  CHECK(elements(transposed.slice(0, 0, 2).slice(1, 0, 3)) == std::vector<int>{0, 5, 10, 1, 6, 11});
}

TEST_CASE("A view is contiguous if its elements stand in row-major order without gaps; axes of one do not count") {
  auto memory = counted(24);
  int* const data = memory.data();
  CHECK(TensorView<int, 3>(data, {2, 1, 3}, {3, 99, 1}).contiguous());
  CHECK(TensorView<int, 2>(data, {1, 1}, {7, 9}).contiguous());
  CHECK(TensorView<int, 2>(data, {0, 5}, {1, 2}).contiguous());
  CHECK(!TensorView<int, 2>(data, {2, 3}, {1, 2}).contiguous());
  CHECK(!TensorView<int, 2>(data, {2, 3}, {4, 1}).contiguous());
  CHECK(!TensorView<int, 1>(data, {3}, {-1}).contiguous());
}

TEST_CASE("A view is as constant as its element, and writable ones convert to read-only ones alone") {
  using Writable = TensorView<int, 2>;
  using Readable = TensorView<const int, 2>;
  STATIC_REQUIRE(std::is_same_v<decltype(std::declval<const Writable&>()(0, 0)), int&>);
  STATIC_REQUIRE(std::is_same_v<decltype(std::declval<const Readable&>()(0, 0)), const int&>);
  STATIC_REQUIRE(std::is_same_v<decltype(std::declval<Readable&>().at(0, 0)), const int&>);
  STATIC_REQUIRE(std::is_same_v<decltype(std::declval<Readable&>().data()), const int*>);
  STATIC_REQUIRE(std::is_same_v<Readable::value_type, int>);
  STATIC_REQUIRE(std::is_convertible_v<Writable, Readable>);
  STATIC_REQUIRE(!std::is_constructible_v<Writable, Readable>);
  STATIC_REQUIRE(!std::is_constructible_v<TensorView<const long, 2>, Writable>);
  STATIC_REQUIRE(!std::is_constructible_v<TensorView<const int, 3>, Writable>);
  STATIC_REQUIRE(std::is_trivially_copyable_v<Readable>);
  auto memory = counted(6);
  const Writable writable(memory.data(), {2, 3}, {1, 2});
  const Readable readable = writable;
  CHECK(readable.data() == memory.data());
  CHECK(readable.strides() == Shape{1, 2});
}

TEST_CASE("A view made from nothing is empty") {
  const TensorView<int, 2> none;
  CHECK(none.data() == nullptr);
  CHECK(none.size() == 0);
  CHECK(none.shape() == Shape{0, 0});
  none.fill(1);
  CHECK(TensorView<int, 3>(nullptr, {2, 0, 3}).strides() == Shape{3, 3, 1});
}

TEST_CASE("Sizes past 31 bits are counted; past 63 bits they are refused before any stride is") {
  const TensorView<std::uint8_t, 3> large(nullptr, {1 << 20, 1 << 11, 1 << 9});
  CHECK(large.size() == Index{1} << 40);
  CHECK(large.strides() == Shape{1 << 20, 1 << 9, 1});
  CHECK(large.slice(0, 0, 3).size() == 3 << 20);
  using View = TensorView<double, 3>;
  CHECK_THROWS_MATCHES(View(nullptr, {4, Index{1} << 31, Index{1} << 31}), ShapeError,
                       Message("unfold::TensorView: the size in bytes must fit 63 bits, got [4, 2147483648, "
                               "2147483648]"));
  CHECK_THROWS_AS(View(nullptr, {1, Index{1} << 62, Index{1} << 62}), ShapeError);
  CHECK_THROWS_MATCHES(View(nullptr, {4, -1, 2}), ShapeError,
                       Message("unfold::TensorView: every extent must be >= 0, got [4, -1, 2]"));
  CHECK_THROWS_MATCHES(View(nullptr, {4, -1, 2}, {1, 1, 1}), ShapeError,
                       Message("unfold::TensorView: every extent must be >= 0, got [4, -1, 2]"));
}
