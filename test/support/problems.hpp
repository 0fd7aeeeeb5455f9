// SPDX-License-Identifier: MIT
// Problem: a named convolution, and the list of those that the exact tests walk.
// The sizes of a row differ, so swapped axes cannot pass; every option is set in some row.
#pragma once

#include <unfold/core/geometry.hpp>

#include <ostream>
#include <string>
#include <vector>

namespace unfold::test {

struct Problem {
  std::string name;
  Shape<4> x;  // [N, IC, IH, IW]
  Index out_channels;
  Extent2D kernel{1, 1}, stride{1, 1};
  Padding2D padding{0, 0, 0, 0};
  Extent2D dilation{1, 1};
  Index groups = 1;
  bool bias = true;

  Conv2DOptions options() const {
    return {.in_channels = x[1],
            .out_channels = out_channels,
            .kernel = kernel,
            .stride = stride,
            .padding = padding,
            .dilation = dilation,
            .groups = groups,
            .bias = bias};
  }
  Conv2DGeometry geometry() const { return conv2d_geometry("test::Problem::geometry", options(), x); }
};

/// The row of a shapes file that repeats the problem: name,n,c,h,w,o,kh,kw,sh,sw,pt,pb,pl,pr,dh,dw,g.
inline std::string to_string(const Problem& p) {
  std::string row = p.name;
  for (const Index field : {p.x[0], p.x[1], p.x[2], p.x[3], p.out_channels, p.kernel.height, p.kernel.width,
                            p.stride.height, p.stride.width, p.padding.top, p.padding.bottom, p.padding.left,
                            p.padding.right, p.dilation.height, p.dilation.width, p.groups}) {
    row += "," + std::to_string(field);
  }
  return row;
}

inline std::ostream& operator<<(std::ostream& out, const Problem& p) { return out << to_string(p); }

/// The named list.
inline const std::vector<Problem>& problems() {
  // clang-format off
  static const std::vector<Problem> list = {
      {.name = "1x1", .x = {2, 3, 4, 7}, .out_channels = 5},
      {.name = "1x1_stride_padding", .x = {3, 2, 8, 6}, .out_channels = 5, .stride = {3, 2}, .padding = {1, 0, 2, 1}},
      {.name = "3x3_same", .x = {1, 2, 6, 9}, .out_channels = 4, .kernel = {3, 3}, .padding = {1, 1, 1, 1}},
      {.name = "3x3_no_bias", .x = {3, 2, 8, 5}, .out_channels = 7, .kernel = {3, 3}, .bias = false},
      {.name = "even_kernel", .x = {1, 3, 7, 10}, .out_channels = 5, .kernel = {2, 4}},
      {.name = "even_kernel_same", .x = {2, 3, 5, 8}, .out_channels = 6, .kernel = {2, 4}, .padding = {0, 1, 1, 2}},
      {.name = "stride_with_remainder", .x = {1, 2, 8, 16}, .out_channels = 4, .kernel = {3, 5}, .stride = {2, 3}},
      {.name = "stride_beyond_kernel", .x = {2, 3, 11, 13}, .out_channels = 5, .kernel = {2, 1}, .stride = {4, 3}},
      {.name = "everything_per_axis", .x = {2, 3, 13, 11}, .out_channels = 5, .kernel = {4, 3}, .stride = {2, 1}, .padding = {1, 3, 2, 0}, .dilation = {3, 2}},
      {.name = "dilated", .x = {1, 2, 10, 12}, .out_channels = 6, .kernel = {3, 4}, .dilation = {3, 2}},
      {.name = "padding_beyond_kernel", .x = {1, 3, 4, 5}, .out_channels = 7, .kernel = {2, 3}, .padding = {2, 3, 4, 5}},
      {.name = "kernel_beyond_image", .x = {2, 1, 3, 4}, .out_channels = 6, .kernel = {5, 7}, .padding = {1, 2, 2, 3}},
      {.name = "single_output_pixel", .x = {3, 2, 5, 4}, .out_channels = 6, .kernel = {5, 4}, .stride = {2, 3}},
      {.name = "two_groups", .x = {3, 4, 7, 5}, .out_channels = 6, .kernel = {3, 2}, .stride = {1, 2}, .padding = {1, 0, 0, 1}, .groups = 2},
      {.name = "three_groups_dilated", .x = {1, 6, 11, 8}, .out_channels = 9, .kernel = {2, 3}, .dilation = {4, 2}, .groups = 3},
      {.name = "depthwise", .x = {2, 5, 6, 8}, .out_channels = 5, .kernel = {3, 4}, .padding = {1, 1, 2, 1}, .groups = 5},
      {.name = "depthwise_multiplier", .x = {1, 4, 9, 8}, .out_channels = 12, .kernel = {3, 2}, .stride = {2, 1}, .padding = {0, 2, 1, 0}, .dilation = {1, 3}, .groups = 4},
      {.name = "depthwise_of_many", .x = {2, 19, 9, 8}, .out_channels = 19, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1, 1, 1}, .groups = 19},
      {.name = "many_groups", .x = {2, 36, 8, 5}, .out_channels = 54, .kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 0, 2, 1}, .dilation = {1, 2}, .groups = 18},
      {.name = "many_groups_of_few_pixels", .x = {2, 40, 1, 3}, .out_channels = 20, .groups = 20},
      {.name = "many_channels", .x = {1, 18, 6, 7}, .out_channels = 34, .kernel = {3, 2}, .padding = {1, 0, 0, 1}},
      {.name = "long_rows", .x = {2, 3, 4, 53}, .out_channels = 17, .kernel = {2, 5}, .padding = {1, 0, 0, 3}},
  };
  // clang-format on
  return list;
}

}  // namespace unfold::test
