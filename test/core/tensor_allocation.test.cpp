// SPDX-License-Identifier: MIT
#include <unfold/core/tensor.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"

#include <cstdlib>
#include <string>

using namespace unfold;
using test::allocations_of;

TEST_CASE("Operator new, malloc and the C++ library's own allocations are counted") {
  const auto numbers = allocations_of([] { const std::vector<int> v(100); });
  CHECK(numbers.pieces == 1);
  CHECK(numbers.bytes == 100 * sizeof(int));
  const auto text = allocations_of([] { const std::string s(1000, 'x'); });
  CHECK(text.pieces == 1);
  CHECK(text.bytes > 1000);
  const auto raw = allocations_of([] {
    void* volatile memory = std::malloc(1000);
    std::free(memory);
    memory = std::aligned_alloc(64, 640);
    std::free(memory);
  });
  CHECK(raw.pieces == 2);
  CHECK(raw.bytes == 1640);
}

TEST_CASE("A tensor asks for its elements and nothing else, once") {
  const auto one = allocations_of([] {
    const Tensor<float, 4> x({2, 3, 4, 5}), none({2, 0, 4, 5}), made;
    static_cast<void>(x.slice(0, 1, 1)[0][2]);
  });
  CHECK(one.pieces == 1);
  CHECK(one.bytes == 2 * 3 * 4 * 5 * sizeof(float));
}

TEST_CASE("A tensor that takes a shape or elements that fit the memory held asks for none") {
  Tensor<float, 2> x({6, 7}), y = x;
  const Tensor<float, 2> small({2, 3}, 1.0f), equal({7, 6}, 2.0f);
  const auto none = allocations_of([&] {
    x.reshape_for_overwrite({3, 2});
    x.reshape_for_overwrite({7, 6});
    x.assign(small);
    x.assign(equal);
    y = small;
    y = equal;
    x.swap(y);
    y = std::move(x);
  });
  CHECK(none.pieces == 0);
}
