// SPDX-License-Identifier: MIT
#include "digits.hpp"

#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/thread_count.hpp"

#include <algorithm>
#include <cstdint>
#include <set>
#include <vector>

namespace unfold::program {
namespace {

/// FNV-1a over the pixels.
std::uint64_t hash_of(const Tensor<std::uint8_t, 3>& images) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (Index i = 0; i < images.size(); ++i) hash = (hash ^ images.data()[i]) * 0x100000001b3;
  return hash;
}

TEST_CASE("the digits drawn are the same bytes on every machine") {
  CHECK(hash_of(draw_digits(1, 100)) == 0x001bc6b005c992b8);
  CHECK(hash_of(draw_digits(2, 100)) == 0xe4b14c1ed57b5ef9);
}

TEST_CASE("an image depends on its seed and index alone, not on how many are drawn or by how many threads") {
  const Tensor<std::uint8_t, 3> many = draw_digits(5, 200);
  CHECK(draw_digits(5, 77) == Tensor<std::uint8_t, 3>(many.slice(0, 0, 77)));
  Tensor<std::uint8_t, 2> alone({digit_extent, digit_extent}, 99);
  draw_digit(5, 123, alone);
  CHECK(alone == Tensor<std::uint8_t, 2>(many[123]));
  const test::ThreadCount one(1);
  CHECK(draw_digits(5, 200) == many);
}

TEST_CASE("no two images of a thousand are equal, nor are those of another seed") {
  std::set<std::vector<std::uint8_t>> seen;
  for (const std::uint64_t seed : {1U, 2U}) {
    const Tensor<std::uint8_t, 3> images = draw_digits(seed, 500);
    for (Index i = 0; i < 500; ++i) {
      const auto image = images[i];
      seen.insert(std::vector<std::uint8_t>(image.data(), image.data() + image.size()));
    }
  }
  CHECK(seen.size() == 1000);
}

TEST_CASE("each image has ink inside and paper in its corners") {
  const Tensor<std::uint8_t, 3> images = draw_digits(3, 1000);
  for (Index i = 0; i < 1000; ++i) {
    const auto image = images[i];
    Index inked = 0;
    for (Index p = 0; p < image.size(); ++p) inked += image.data()[p] > 127 ? 1 : 0;
    CAPTURE(i);
    CHECK((inked >= 15 && inked <= 350));  // of 784: a thin 1, a thick 8
    for (const Index y : {0, 27}) {
      for (const Index x : {0, 27}) CHECK(image(y, x) < 64);
    }
  }
}

TEST_CASE("drawing refuses an image of another size and a negative index") {
  Tensor<std::uint8_t, 2> small({27, 28}), image({28, 28});
  CHECK(test::error_of<ShapeError>([&] { draw_digit(1, 0, small); }) ==
        "unfold::draw_digit: image must be [28, 28], got [27, 28]");
  CHECK(test::error_of<ShapeError>([&] { draw_digit(1, -1, image); }) ==
        "unfold::draw_digit: index must be >= 0, got -1");
}

}  // namespace
}  // namespace unfold::program
