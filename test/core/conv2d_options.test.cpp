// SPDX-License-Identifier: MIT
#include <unfold/core/conv2d_options.hpp>

#include "support/catch.hpp"

using namespace unfold;

TEST_CASE("Options that name only their channels are a plain 1x1 convolution with a bias") {
  constexpr Conv2DOptions options{.in_channels = 3, .out_channels = 64};
  STATIC_REQUIRE(options.in_channels == 3);
  STATIC_REQUIRE(options.out_channels == 64);
  STATIC_REQUIRE(options.kernel == Extent2D{1, 1});
  STATIC_REQUIRE(options.stride == Extent2D{1, 1});
  STATIC_REQUIRE(options.padding == Padding2D{0, 0, 0, 0});
  STATIC_REQUIRE(options.dilation == Extent2D{1, 1});
  STATIC_REQUIRE(options.groups == 1);
  STATIC_REQUIRE(options.bias);
  STATIC_REQUIRE(options.batch_norm == BatchNorm::none);
  STATIC_REQUIRE(options.activation == Activation::linear);
}

TEST_CASE("Extents are written height first, paddings top, bottom, left, right") {
  CHECK(to_string(Extent2D{.height = 3, .width = 5}) == "{3, 5}");
  CHECK(to_string(Padding2D{.top = 1, .bottom = 2, .left = 3, .right = 4}) == "{1, 2, 3, 4}");
}

TEST_CASE("Extents and paddings are equal where all their sides are") {
  const Extent2D extent{3, 5};
  CHECK(extent == Extent2D{3, 5});
  CHECK(extent != Extent2D{4, 5});
  CHECK(extent != Extent2D{3, 4});
  const Padding2D padding{1, 2, 3, 4};
  CHECK(padding == Padding2D{1, 2, 3, 4});
  for (const Padding2D other :
       {Padding2D{0, 2, 3, 4}, Padding2D{1, 0, 3, 4}, Padding2D{1, 2, 0, 4}, Padding2D{1, 2, 3, 0}}) {
    CHECK(padding != other);
  }
}
