// SPDX-License-Identifier: MIT
#include <unfold/core/tensor.hpp>

#include "support/catch.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <numeric>  // std::iota
#include <sstream>
#include <string>

using namespace unfold;
using Catch::Matchers::Message;

namespace {

template <int Rank>
Tensor<int, Rank> counted(const Shape<Rank>& shape) {
  Tensor<int, Rank> tensor(shape);
  std::iota(tensor.data(), tensor.data() + tensor.size(), 0);
  return tensor;
}

/// How `read(x)` and `write(x)` deduce, as the functions of the library take their arguments.
template <TensorOfRank<2> X>
constexpr int read(const X&) {
  return 1;
}
template <class X>
constexpr int read(const X&) {
  return 0;
}
template <WritableTensorOfRank<2> X>
constexpr int write(X&&) {
  return 1;
}
template <class X>
constexpr int write(X&&) {
  return 0;
}

/// What Linux says of the mapping in which a byte lies: the letters behind VmFlags.
std::string flags_at(std::uintptr_t address) {
  std::ifstream maps("/proc/self/smaps");
  bool here = false;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0, end = 0;
    char dash = 0;
    if (std::istringstream range(line); range >> std::hex >> begin >> dash >> end && dash == '-') {
      here = begin <= address && address < end;
    }
    if (here && line.starts_with("VmFlags:")) return line + ' ';
  }
  return "";
}

}  // namespace

TEST_CASE("Large pages are asked for as far as they lie in the block") {
  constexpr std::uintptr_t page = detail::large_page;
  using Pages = std::pair<std::uintptr_t, std::uintptr_t>;
  CHECK(detail::large_pages(5 * page, 2 * page) == Pages(5 * page, 7 * page));
  CHECK(detail::large_pages(5 * page, 2 * page - 1) == Pages(5 * page, 6 * page));
  CHECK(detail::large_pages(5 * page + 64, 2 * page) == Pages(6 * page, 7 * page));
  CHECK(detail::large_pages(5 * page + 64, 3 * page - 64) == Pages(6 * page, 8 * page));
  CHECK(detail::large_pages(6 * page - 1, 2 * page + 1) == Pages(6 * page, 8 * page));
}

TEST_CASE("A tensor of 4 MiB or more asks for large pages") {
  constexpr Index large = Index{4} << 20;
  STATIC_REQUIRE(detail::AlignedAllocator<char>::is_large(large));
  STATIC_REQUIRE_FALSE(detail::AlignedAllocator<char>::is_large(large - 1));
  STATIC_REQUIRE(detail::AlignedAllocator<double>::is_large(large / 8));
  STATIC_REQUIRE_FALSE(detail::AlignedAllocator<double>::is_large(large / 8 - 1));
  const Tensor<char, 1> tensor({large});
  const auto address = reinterpret_cast<std::uintptr_t>(tensor.data());
  CHECK(address % 64 == 0);
  if (!std::filesystem::exists("/sys/kernel/mm/transparent_hugepage")) SKIP("this system has no large pages");
  CHECK(flags_at(detail::large_pages(address, large).first).find(" hg ") != std::string::npos);
}

TEST_CASE("Memory past what the system can count is refused, and any allocator frees what another gave") {
  detail::AlignedAllocator<double> allocator;
  CHECK_THROWS_AS(allocator.allocate(std::numeric_limits<std::size_t>::max() / 8), std::bad_array_new_length);
  CHECK(allocator == detail::AlignedAllocator<float>());
}

TEST_CASE("A new tensor is zero, or one value throughout") {
  const Tensor<float, 4> zero({2, 3, 5, 7});
  CHECK(zero.size() == 210);
  CHECK(zero.shape() == Shape{2, 3, 5, 7});
  CHECK(zero.shape(2) == 5);
  CHECK(zero.strides() == Shape{105, 35, 7, 1});
  CHECK(zero.stride(1) == 35);
  CHECK(std::count(zero.data(), zero.data() + 210, 0.0f) == 210);
  const Tensor<int, 1> sevens({3}, 7);
  CHECK(std::count(sevens.data(), sevens.data() + 3, 7) == 3);
}

TEST_CASE("A tensor of one axis is made from one size in braces") {
  const Tensor<double, 1> five({5});
  CHECK(five.shape() == Shape{5});
  const Tensor<double, 1> also(Shape{6});
  CHECK(also.shape() == Shape{6});
}

TEST_CASE("Elements stand in row-major order") {
  Tensor<int, 3> t({2, 3, 4});
  t(1, 2, 3) = 5;
  t.at(0, 1, 0) = 6;
  t[1][0][2] = 7;
  CHECK(t.data()[23] == 5);
  CHECK(t.data()[4] == 6);
  CHECK(t.data()[14] == 7);
  CHECK_THROWS_MATCHES(t.at(0, 3, 0), ShapeError,
                       Message("unfold::TensorView::at: index must lie inside [2, 3, 4], got [0, 3, 0]"));
  CHECK_THROWS_AS(std::as_const(t).at(-1, 0, 0), ShapeError);
}

TEST_CASE("A copy has its own elements") {
  Tensor<int, 2> a = counted(Shape{2, 3});
  const Tensor<int, 2> b = a;
  Tensor<int, 2> c({1, 1});
  c = a;
  a.fill(-1);
  CHECK(b == counted(Shape{2, 3}));
  CHECK(c == counted(Shape{2, 3}));
  c = *&c;
  CHECK(c == b);
}

TEST_CASE("A move takes the elements along and leaves an empty tensor") {
  STATIC_REQUIRE(std::is_nothrow_move_constructible_v<Tensor<int, 2>>);
  STATIC_REQUIRE(std::is_nothrow_move_assignable_v<Tensor<int, 2>>);
  Tensor<int, 2> a = counted(Shape{2, 3});
  const int* const memory = a.data();
  Tensor<int, 2> b = std::move(a);
  CHECK(b.data() == memory);
  CHECK(a.shape() == Shape{0, 0});  // NOLINT(bugprone-use-after-move): what is left is stated
  CHECK(a.size() == 0);
  Tensor<int, 2> c({7, 7});
  c = std::move(b);
  CHECK(c.data() == memory);
  CHECK(c == counted(Shape{2, 3}));
  CHECK(b.size() == 0);  // NOLINT(bugprone-use-after-move)
  Tensor<int, 2>& same = c;
  c = std::move(same);
  CHECK(c == counted(Shape{2, 3}));
  Tensor<int, 2> d({1, 4}, 9);
  c.swap(d);
  CHECK(c == Tensor<int, 2>({1, 4}, 9));
  CHECK(d.data() == memory);
}

TEST_CASE("A tensor is equal to another of the same shape and elements") {
  CHECK(counted(Shape{2, 3}) == counted(Shape{2, 3}));
  CHECK(counted(Shape{2, 3}) != counted(Shape{3, 2}));
  CHECK(Tensor<int, 2>({2, 2}, 1) != Tensor<int, 2>({2, 2}, 2));
  CHECK(Tensor<float, 1>({1}, 0.0f) == Tensor<float, 1>({1}, -0.0f));
  const Tensor<float, 1> nan({1}, std::numeric_limits<float>::quiet_NaN());
  CHECK(nan != nan);
}

TEST_CASE("A tensor made from a view, or assigned one, is a row-major copy of what it shows") {
  Tensor<int, 2> source = counted(Shape{4, 5});
  const TensorView<const int, 2> transposed(source.data(), {5, 4}, {1, 5});
  const Tensor<int, 2> copy(transposed.slice(0, 1, 2).slice(1, 2, 2));
  CHECK(std::vector<int>(copy.data(), copy.data() + 4) == std::vector<int>{11, 16, 12, 17});
  Tensor<int, 2> assigned({9, 9});
  const int* const memory = assigned.data();
  assigned.assign(transposed);
  CHECK(assigned.shape() == Shape{5, 4});
  CHECK(assigned(3, 2) == 13);
  CHECK(assigned.data() == memory);
  assigned.assign(source.slice(0, 0, 0));
  CHECK(assigned.shape() == Shape{0, 5});
}

TEST_CASE("A tensor takes a new shape in the memory that it holds") {
  Tensor<int, 2> t({4, 6});
  const int* const memory = t.data();
  t.reshape_for_overwrite({2, 3});
  CHECK(t.shape() == Shape{2, 3});
  CHECK(t.size() == 6);
  t.reshape_for_overwrite({0, 0});
  CHECK(t.size() == 0);
  t.reshape_for_overwrite({6, 4});
  CHECK(t.data() == memory);
  CHECK_THROWS_AS(t.reshape_for_overwrite({-1, 4}), ShapeError);
  CHECK(t.shape() == Shape{6, 4});
}

TEST_CASE("Slices and rows of a tensor are views of it, constant where it is") {
  Tensor<int, 3> t = counted(Shape{2, 3, 4});
  const Tensor<int, 3>& fixed = t;
  t.slice(2, 1, 2).fill(0);
  CHECK(fixed(1, 1, 0) == 16);
  CHECK(fixed(1, 1, 1) == 0);
  CHECK(fixed.slice(0, 1, 1).data() == t.data() + 12);
  STATIC_REQUIRE(std::is_same_v<decltype(t.slice(0, 0, 1)), TensorView<int, 3>>);
  STATIC_REQUIRE(std::is_same_v<decltype(fixed.slice(0, 0, 1)), TensorView<const int, 3>>);
  STATIC_REQUIRE(std::is_same_v<decltype(t[0]), TensorView<int, 2>>);
  STATIC_REQUIRE(std::is_same_v<decltype(fixed[0]), TensorView<const int, 2>>);
  STATIC_REQUIRE(std::is_same_v<decltype(t[0][0][0]), int&>);
  STATIC_REQUIRE(std::is_same_v<decltype(fixed[0][0][0]), const int&>);
  STATIC_REQUIRE(std::is_same_v<decltype(fixed(0, 0, 0)), const int&>);
  STATIC_REQUIRE(std::is_same_v<decltype(fixed.at(0, 0, 0)), const int&>);
  STATIC_REQUIRE(std::is_same_v<decltype(fixed.data()), const int*>);
  STATIC_REQUIRE(std::is_same_v<decltype(std::declval<Tensor<int, 1>&>()[0]), int&>);
}

TEST_CASE("A tensor converts to views of itself, a constant one to read-only views alone") {
  using T = Tensor<float, 2>;
  STATIC_REQUIRE(std::is_convertible_v<T&, TensorView<float, 2>>);
  STATIC_REQUIRE(std::is_convertible_v<T&, TensorView<const float, 2>>);
  STATIC_REQUIRE(std::is_convertible_v<const T&, TensorView<const float, 2>>);
  STATIC_REQUIRE(!std::is_convertible_v<const T&, TensorView<float, 2>>);
  STATIC_REQUIRE(!std::is_convertible_v<T&, TensorView<float, 3>>);
  STATIC_REQUIRE(!std::is_convertible_v<T&, TensorView<const double, 2>>);
  STATIC_REQUIRE(!std::is_convertible_v<TensorView<float, 2>, T>);  // a deep copy is asked for by name
  STATIC_REQUIRE(!std::is_convertible_v<Shape<2>, T>);
}

TEST_CASE("The concepts tell tensors and views by rank, element and constancy") {
  using T = Tensor<float, 2>;
  using View = TensorView<float, 2>;
  using ReadOnly = TensorView<const float, 2>;
  STATIC_REQUIRE(
      (TensorOfRank<T, 2> && TensorOfRank<const T&, 2> && TensorOfRank<View, 2> && TensorOfRank<ReadOnly, 2>));
  STATIC_REQUIRE((!TensorOfRank<T, 3> && !TensorOfRank<float, 2> && !TensorOfRank<Shape<2>, 2>));
  STATIC_REQUIRE(
      (WritableTensorOfRank<T&, 2> && WritableTensorOfRank<View, 2> && WritableTensorOfRank<const View&, 2>));
  STATIC_REQUIRE(
      (!WritableTensorOfRank<const T&, 2> && !WritableTensorOfRank<ReadOnly, 2> && !WritableTensorOfRank<T&, 3>));
  STATIC_REQUIRE((TensorOf<T, float, 2> && TensorOf<ReadOnly, float, 2> && !TensorOf<T, double, 2>));
  STATIC_REQUIRE(std::is_same_v<ValueOf<const ReadOnly&>, float>);
  STATIC_REQUIRE(std::is_same_v<ReadableView<T&>, ReadOnly>);
  STATIC_REQUIRE(std::is_same_v<WritableView<T&>, View>);
  T t({1, 1});
  const T fixed({1, 1});
  CHECK(read(t) + read(t.view()) + read(fixed) == 3);
  CHECK(read(Tensor<float, 1>({1})) == 0);
  CHECK(write(t) + write(t.view()) + write(fixed) + write(fixed.view()) == 2);
}

TEST_CASE("An empty tensor is a tensor") {
  Tensor<float, 3> t({4, 0, 2});
  CHECK(t.size() == 0);
  CHECK(t.shape() == Shape{4, 0, 2});
  CHECK(t.view().size() == 0);
  CHECK(t[3].shape() == Shape{0, 2});
  t.fill(1.0f);
  const Tensor<float, 3> copy = t;
  CHECK(copy == t);
  CHECK(copy != Tensor<float, 3>({0, 4, 2}));
  CHECK(Tensor<float, 3>().shape() == Shape{0, 0, 0});
}

TEST_CASE("A size that is negative or past 63 bits is refused before memory is asked for") {
  using T = Tensor<double, 2>;
  CHECK_THROWS_MATCHES(T({3, -1}), ShapeError, Message("unfold::Tensor: every extent must be >= 0, got [3, -1]"));
  CHECK_THROWS_MATCHES(T({Index{1} << 31, Index{1} << 31}), ShapeError,
                       Message("unfold::Tensor: the size in bytes must fit 63 bits, got [2147483648, 2147483648]"));
  CHECK_THROWS_AS(T({Index{1} << 32, Index{1} << 32}), ShapeError);
  CHECK_THROWS_AS(T({0, Index{1} << 62}), ShapeError);
  CHECK(T({0, Index{1} << 59}).size() == 0);
}
