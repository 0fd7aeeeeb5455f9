// SPDX-License-Identifier: MIT
#include <unfold/core/geometry.hpp>

#include "support/catch.hpp"
#include "support/problems.hpp"

#include <limits>
#include <set>

using namespace unfold;
using Catch::Matchers::Message;

namespace {

/// Whether the dilated kernel that begins at padded element `begin` lies in a padded row of `padded` elements.
bool fits(Index begin, Index padded, Index kernel, Index dilation) {
  for (Index k = 0; k < kernel; ++k) {
    if (begin + k * dilation >= padded) return false;
  }
  return true;
}

Index count_positions(Index padded, Index kernel, Index stride, Index dilation) {
  Index count = 0;
  for (Index begin = 0; begin < padded; ++begin) {
    if (begin % stride == 0 && fits(begin, padded, kernel, dilation)) ++count;
  }
  return count;
}

constexpr Conv2DOptions plain{.in_channels = 6, .out_channels = 4};

Conv2DGeometry geometry(const Conv2DOptions& options, const Shape<4>& x = {2, 6, 7, 11}) {
  return conv2d_geometry("caller", options, x);
}

}  // namespace

TEST_CASE("The output extent is the number of window positions that fit, whatever the dilation and the padding") {
  int compared = 0, none = 0;
  for (Index in = 1; in <= 9; ++in) {
    for (Index before = 0; before <= 4; ++before) {
      for (Index after = 0; after <= 4; ++after) {
        for (Index kernel = 1; kernel <= 5; ++kernel) {
          for (Index stride = 1; stride <= 5; ++stride) {
            for (Index dilation = 1; dilation <= 4; ++dilation) {
              const Index counted = count_positions(in + before + after, kernel, stride, dilation);
              CAPTURE(in, before, after, kernel, stride, dilation);
              if (output_extent(in, before, after, kernel, stride, dilation) != counted) {
                REQUIRE(output_extent(in, before, after, kernel, stride, dilation) == counted);
              }
              ++compared;
              if (counted == 0) ++none;
            }
          }
        }
      }
    }
  }
  CHECK(compared == 9 * 5 * 5 * 5 * 5 * 4);
  CHECK(none > 1000);
}

TEST_CASE("A geometry takes every size from the options and the image") {
  constexpr Conv2DGeometry g = conv2d_geometry("caller",
                                               {.in_channels = 6,
                                                .out_channels = 4,
                                                .kernel = {3, 2},
                                                .stride = {2, 3},
                                                .padding = {1, 2, 3, 4},
                                                .dilation = {2, 5},
                                                .groups = 2},
                                               {5, 6, 9, 13});
  STATIC_REQUIRE(g == Conv2DGeometry{.N = 5,
                                     .G = 2,
                                     .IC = 6,
                                     .IH = 9,
                                     .IW = 13,
                                     .OC = 4,
                                     .OH = 4,
                                     .OW = 5,
                                     .KH = 3,
                                     .KW = 2,
                                     .SH = 2,
                                     .SW = 3,
                                     .PT = 1,
                                     .PB = 2,
                                     .PL = 3,
                                     .PR = 4,
                                     .DH = 2,
                                     .DW = 5});
  STATIC_REQUIRE(g.K() == 18);
  STATIC_REQUIRE(g.P() == 100);
  STATIC_REQUIRE(g.x_shape() == Shape{5, 6, 9, 13});
  STATIC_REQUIRE(g.w_shape() == Shape{4, 3, 3, 2});
  STATIC_REQUIRE(g.y_shape() == Shape{5, 4, 4, 5});
}

TEST_CASE("An empty batch has a geometry; an empty image has none") {
  CHECK(geometry(plain, {0, 6, 7, 11}).y_shape() == Shape{0, 4, 7, 11});
  CHECK_THROWS_MATCHES(geometry(plain, {2, 6, 0, 11}), ShapeError,
                       Message("unfold::caller: x must be [N, 6, IH, IW] with IH, IW >= 1, got [2, 6, 0, 11]"));
  CHECK_THROWS_MATCHES(geometry(plain, {2, 6, 7, 0}), ShapeError,
                       Message("unfold::caller: x must be [N, 6, IH, IW] with IH, IW >= 1, got [2, 6, 7, 0]"));
}

TEST_CASE("Each broken option is named with what was given") {
  const auto message = [](auto change) {
    Conv2DOptions options = plain;
    change(options);
    try {
      geometry(options);
    } catch (const ShapeError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  CHECK(message([](auto& o) { o.in_channels = 0; }) == "unfold::caller: in_channels must be >= 1, got 0");
  CHECK(message([](auto& o) { o.out_channels = -4; }) == "unfold::caller: out_channels must be >= 1, got -4");
  CHECK(message([](auto& o) { o.groups = 0; }) == "unfold::caller: groups must be >= 1, got 0");
  CHECK(message([](auto& o) { o.groups = 3; }) ==
        "unfold::caller: groups must divide in_channels and out_channels, got 3 for 6 and 4");
  CHECK(message([](auto& o) { o.kernel = {0, 3}; }) ==
        "unfold::caller: kernel must be in [1, 2^31) on each axis, got {0, 3}");
  CHECK(message([](auto& o) { o.stride = {1, 0}; }) ==
        "unfold::caller: stride must be in [1, 2^31) on each axis, got {1, 0}");
  CHECK(message([](auto& o) { o.dilation = {-1, 1}; }) ==
        "unfold::caller: dilation must be in [1, 2^31) on each axis, got {-1, 1}");
  CHECK(message([](auto& o) { o.padding = {0, 0, -1, 0}; }) ==
        "unfold::caller: padding must be in [0, 2^31) on each side, got {0, 0, -1, 0}");
  CHECK(message([](auto& o) { o.padding = {0, 0, 0, -1}; }) ==
        "unfold::caller: padding must be in [0, 2^31) on each side, got {0, 0, 0, -1}");
  CHECK(message([](auto& o) { o.in_channels = 8; }) ==
        "unfold::caller: x must be [N, 8, IH, IW] with IH, IW >= 1, got [2, 6, 7, 11]");
  CHECK(message([](auto& o) { o.kernel = {4, 1}, o.dilation = {3, 1}, o.padding = {1, 1, 0, 0}; }) ==
        "unfold::caller: the kernel must fit the padded image (kernel {4, 1}, dilation {3, 1}, padding {1, 1, 0, 0}), "
        "got x [2, 6, 7, 11]");
  CHECK(message([](auto& o) { o.kernel = {1, 4}, o.dilation = {1, 5}, o.padding = {0, 0, 2, 2}; }) ==
        "unfold::caller: the kernel must fit the padded image (kernel {1, 4}, dilation {1, 5}, padding {0, 0, 2, 2}), "
        "got x [2, 6, 7, 11]");
}

TEST_CASE("Lengths past 31 bits and tensors past 63 bits are refused, not wrapped") {
  constexpr Index past = Index{1} << 31;
  CHECK_THROWS_AS(geometry({.in_channels = 6, .out_channels = 4, .kernel = {past, 1}}), ShapeError);
  CHECK_THROWS_AS(geometry({.in_channels = 6, .out_channels = 4, .padding = {0, past, 0, 0}}), ShapeError);
  CHECK_THROWS_AS(geometry({.in_channels = 6, .out_channels = 4, .dilation = {1, std::numeric_limits<Index>::max()}}),
                  ShapeError);
  CHECK_THROWS_AS(geometry(plain, {past, 6, past, past}), ShapeError);
  // x, w and y fit; the K x P matrix does not.
  const Conv2DOptions huge_kernel{
      .in_channels = 1, .out_channels = 1, .kernel = {past - 1, 1}, .padding = {past - 1, past - 1, 0, 0}};
  CHECK_THROWS_MATCHES(
      geometry(huge_kernel, {1, 1, 1, 1}), ShapeError,
      Message("unfold::caller: the size in bytes must fit 63 bits, got [2147483647, 1, 2147483649, 1]"));
}

TEST_CASE("The problem list swaps no axis unseen and sets every option somewhere") {
  bool one_image = false, several_images = false, bias_off = false, single_pixel = false;
  std::set<std::string> names;
  Conv2DOptions widest{.in_channels = 1, .out_channels = 1};
  for (const auto& p : test::problems()) {
    INFO(p);
    const auto g = p.geometry();
    CHECK(names.insert(p.name).second);
    CHECK(std::set<Index>{g.N, g.IC, g.IH, g.IW}.size() == 4);
    CHECK(std::set<Index>{g.N, g.OC, g.IH, g.IW}.size() == 4);
    CHECK((g.G == g.IC || g.IC != g.OC));
    CHECK((g.OH != g.OW || g.OH * g.OW == 1));
    one_image |= g.N == 1, several_images |= g.N == 3, bias_off |= !p.bias, single_pixel |= g.OH * g.OW == 1;
    if (g.KH != g.KW) widest.kernel = p.kernel;
    if (g.SH != g.SW) widest.stride = p.stride;
    if (g.DH != g.DW) widest.dilation = p.dilation;
    if (std::set<Index>{g.PT, g.PB, g.PL, g.PR}.size() == 4) widest.padding = p.padding;
    if (g.G > 1 && g.G < g.IC) widest.groups = g.G;
  }
  CHECK((one_image && several_images && bias_off && single_pixel));
  CHECK(widest.kernel != Extent2D{1, 1});
  CHECK(widest.stride != Extent2D{1, 1});
  CHECK(widest.dilation != Extent2D{1, 1});
  CHECK(widest.padding != Padding2D{0, 0, 0, 0});
  CHECK(widest.groups != 1);
}
