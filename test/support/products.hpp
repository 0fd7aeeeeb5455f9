// SPDX-License-Identifier: MIT
// For tests of the engine's products: problems that need several blocks, and operands of any strides.
#pragma once

#include "support/catch.hpp"
#include "support/patch_reference.hpp"

#include <unfold/engine/products.hpp>

namespace unfold::test {

/// The named problems, and some that need several blocks along rows, taps, pixels and channels.
inline std::vector<Problem> product_problems() {
  auto list = problems();
  list.push_back({.name = "several_blocks_of_taps",
                  .x = {2, 45, 9, 8},
                  .out_channels = 3,
                  .kernel = {3, 3},
                  .padding = {1, 1, 1, 1}});
  list.push_back({.name = "several_blocks_of_rows", .x = {1, 5, 7, 6}, .out_channels = 231, .kernel = {2, 2}});
  list.push_back({.name = "several_blocks_of_filters", .x = {2, 3, 5, 6}, .out_channels = 801, .kernel = {2, 3}});
  list.push_back({.name = "several_blocks_of_pixels",
                  .x = {3, 2, 31, 27},
                  .out_channels = 7,
                  .kernel = {3, 2},
                  .padding = {1, 1, 0, 1}});
  list.push_back(
      {.name = "one_long_row", .x = {1, 1, 1, 1450}, .out_channels = 15, .kernel = {1, 3}, .padding = {0, 0, 1, 1}});
  list.push_back({.name = "kernel_beyond_a_block", .x = {1, 2, 26, 25}, .out_channels = 3, .kernel = {21, 20}});
  list.push_back({.name = "several_blocks_of_all",
                  .x = {1, 50, 30, 31},
                  .out_channels = 120,
                  .kernel = {3, 3},
                  .stride = {1, 1},
                  .padding = {1, 1, 1, 1}});
  list.push_back({.name = "several_blocks_of_an_odd_batch",
                  .x = {5, 130, 7, 3},
                  .out_channels = 520,
                  .kernel = {3, 3},
                  .padding = {1, 1, 1, 1}});
  list.push_back({.name = "several_blocks_of_a_task",
                  .x = {5, 8, 41, 83},
                  .out_channels = 35,
                  .kernel = {3, 3},
                  .padding = {1, 1, 1, 1}});
  list.push_back({.name = "long_sums_in_place", .x = {1, 140, 6, 11}, .out_channels = 60, .kernel = {1, 1}});
  list.push_back({.name = "taps_of_small_images", .x = {3, 16, 5, 6}, .out_channels = 40});
  list.push_back({.name = "taps_of_images_in_place", .x = {2, 17, 9, 8}, .out_channels = 40});
  list.push_back({.name = "taps_of_parts_of_an_image", .x = {1, 16, 33, 27}, .out_channels = 40});
  list.push_back({.name = "longer_sums_in_place", .x = {2, 300, 6, 11}, .out_channels = 61, .kernel = {1, 1}});
  list.push_back({.name = "filters_in_place_of_small_images", .x = {2, 270, 4, 5}, .out_channels = 47});
  list.push_back({.name = "few_rows_in_place", .x = {2, 7, 17, 18}, .out_channels = 3});
  list.push_back({.name = "several_blocks_of_taps_in_the_lanes", .x = {2, 320, 6, 11}, .out_channels = 61});
  list.push_back({.name = "a_row_of_many_blocks_in_place", .x = {1, 2, 1, 140000}, .out_channels = 4});
  list.push_back({.name = "short_sums_along_long_rows", .x = {2, 3, 33, 35}, .out_channels = 9});
  list.push_back({.name = "columns_that_find_padding_alone",
                  .x = {2, 66, 11, 13},
                  .out_channels = 40,
                  .kernel = {3, 3},
                  .padding = {2, 3, 3, 3},
                  .dilation = {2, 3}});
  list.push_back({.name = "padded_columns_of_two_images",
                  .x = {3, 66, 7, 7},
                  .out_channels = 32,
                  .kernel = {3, 3},
                  .padding = {1, 1, 1, 1}});
  list.push_back({.name = "phases_of_several_blocks_of_channels",
                  .x = {2, 3, 19, 22},
                  .out_channels = 70,
                  .kernel = {5, 4},
                  .stride = {2, 2},
                  .padding = {1, 2, 2, 0}});
  list.push_back({.name = "phases_of_several_blocks_of_rows",
                  .x = {1, 4, 401, 203},
                  .out_channels = 3,
                  .kernel = {3, 3},
                  .stride = {2, 2},
                  .padding = {1, 1, 1, 1}});
  list.push_back({.name = "phases_of_several_blocks_of_columns",
                  .x = {1, 1, 3, 18001},
                  .out_channels = 2,
                  .kernel = {3, 3},
                  .stride = {2, 2}});
  list.push_back({.name = "phases_without_taps",
                  .x = {2, 2, 13, 14},
                  .out_channels = 5,
                  .kernel = {2, 3},
                  .stride = {3, 4},
                  .padding = {1, 0, 0, 1},
                  .dilation = {3, 1}});
  list.push_back(
      {.name = "phases_of_rows_alone", .x = {1, 3, 33, 9}, .out_channels = 8, .kernel = {7, 1}, .stride = {4, 1}});
  list.push_back(
      {.name = "phases_of_one_tap", .x = {1, 5, 1, 6385}, .out_channels = 2, .kernel = {1, 1}, .stride = {1, 16}});
  list.push_back({.name = "one_phase_of_long_sums",
                  .x = {2, 40, 25, 33},
                  .out_channels = 270,
                  .kernel = {1, 1},
                  .stride = {2, 2}});
  list.push_back(
      {.name = "one_phase_of_rows", .x = {3, 17, 8, 70}, .out_channels = 9, .kernel = {1, 1}, .stride = {3, 1}});
  list.push_back(
      {.name = "one_phase_of_columns", .x = {2, 16, 5, 24}, .out_channels = 30, .kernel = {1, 1}, .stride = {1, 3}});
  list.push_back(
      {.name = "one_phase_of_a_long_row", .x = {1, 6, 2, 1101}, .out_channels = 7, .kernel = {1, 1}, .stride = {2, 2}});
  list.push_back(
      {.name = "one_phase_of_a_column", .x = {6, 15, 21, 1}, .out_channels = 8, .kernel = {1, 1}, .stride = {2, 2}});
  list.push_back({.name = "phases_of_many_channels",
                  .x = {3, 70, 7, 9},
                  .out_channels = 150,
                  .kernel = {3, 3},
                  .stride = {2, 2},
                  .padding = {1, 1, 1, 1}});
  list.push_back({.name = "phases_of_several_blocks_of_pixels",
                  .x = {1, 40, 61, 80},
                  .out_channels = 20,
                  .kernel = {3, 2},
                  .stride = {2, 2}});
  list.push_back({.name = "kernel_row_beyond_a_block",
                  .x = {1, 1, 2, 1210},
                  .out_channels = 19,
                  .kernel = {1, 1201},
                  .padding = {0, 0, 3, 0}});
  list.push_back(
      {.name = "taps_far_apart", .x = {1, 2, 720, 741}, .out_channels = 13, .kernel = {2, 3}, .dilation = {700, 350}});
  list.push_back({.name = "tall_image", .x = {1, 1, 4096, 36}, .out_channels = 5, .kernel = {1, 36}});
  list.push_back({.name = "tall_image_of_few_filters", .x = {1, 1, 4090, 64}, .out_channels = 4, .kernel = {1, 64}});
  return list;
}

/// A tensor in memory of which every second element is its own and the rest is NaN, the axes in another order.
template <class T>
class Scattered {
 public:
  Scattered(const Shape<4>& s, const std::array<int, 4>& order)
      : memory_(poisoned<T>(Shape{2 * s[0] * s[1] * s[2] * s[3]})) {
    Shape<4> stride;
    Index step = 2;
    for (const int d : order) {
      stride[d] = step;
      step *= s[d];
    }
    view_ = TensorView<T, 4>(memory_.data(), s, stride);
  }
  Scattered(const Tensor<T, 4>& values, const std::array<int, 4>& order) : Scattered(values.shape(), order) {
    copy_into(view_, values);
  }

  TensorView<T, 4> view() { return view_; }
  bool gaps_are_untouched() const {
    for (Index i = 1; i < memory_.size(); i += 2) {
      if (memory_(i) == memory_(i)) return false;
    }
    return true;
  }

 private:
  Tensor<T, 1> memory_;
  TensorView<T, 4> view_;
};

template <class T, class View>
engine::Batch<T> batch(const View& y) {
  return {y.data(), y.stride(0), y.stride(1), y.stride(2), y.stride(3)};
}

template <class T, class View>
engine::Patches<T> patches(const View& x, const Conv2DGeometry& g, Index group) {
  return {batch<T>(x.slice(1, group * (g.IC / g.G), g.IC / g.G)), g};
}

/// [rows, P] -> [N, rows, OH, OW]
template <class T>
Tensor<T, 4> as_batch(const Tensor<T, 2>& m, const Conv2DGeometry& g) {
  Tensor<T, 4> y({g.N, m.shape(0), g.OH, g.OW});
  for (Index c = 0; c < m.shape(0); ++c) {
    for (Index p = 0; p < m.shape(1); ++p) y(p / (g.OH * g.OW), c, p / g.OW % g.OH, p % g.OW) = m(c, p);
  }
  return y;
}

/// start + alpha * m, start taken as 0 where it is overwritten
template <class T, int Rank>
Tensor<T, Rank> combined(const Tensor<T, Rank>& start, T alpha, const Tensor<T, Rank>& m, bool overwrite) {
  Tensor<T, Rank> sum = m;
  for (Index i = 0; i < m.size(); ++i) sum.data()[i] = alpha * m.data()[i] + (overwrite ? T(0) : start.data()[i]);
  return sum;
}

/// Fills the scratch of the calling thread with NaN: what a product reads there it must have written.
template <class T>
void poison_workspace() {
  std::fill_n(reinterpret_cast<T*>(detail::Workspace::block()), workspace_bytes / static_cast<Index>(sizeof(T)),
              std::numeric_limits<T>::quiet_NaN());
}

}  // namespace unfold::test
