// SPDX-License-Identifier: MIT
// The convolutions that are measured: the fixed table, and those of a file of public shapes.
#pragma once

#include <unfold/core/geometry.hpp>

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace unfold::bench {

enum class Direction : std::uint8_t { forward, backward_input, backward_weights };
constexpr std::array<std::string_view, 3> directions{"forward", "backward_input", "backward_weights"};

struct Problem {
  std::string name;
  Conv2DOptions options;
  Shape<4> x;                      // [N, IC, IH, IW]
  std::string_view set = "table";  // or "public"

  Conv2DGeometry geometry() const { return conv2d_geometry("bench", options, x); }

  /// Floating-point operations of one product in any direction: two a multiply-add, those with padding
  /// too, as everybody counts them: what skips them may pass the peak.
  double operations() const {
    const Conv2DGeometry g = geometry();
    return 2.0 * static_cast<double>(g.P()) * static_cast<double>(g.OC) * static_cast<double>(g.K());
  }
};

/// Eleven convolutions, one of each kind that networks are made of, as "IC->OC, IHxIW, KHxKW ...".
std::vector<Problem> table_of_shapes();

/// The rows of a CSV file with the head name,n,c,h,w,o,kh,kw,sh,sw,pt,pb,pl,pr,dh,dw,g.
/// Errors  std::runtime_error with the line's number if one is not such a row
std::vector<Problem> read_shapes(const std::filesystem::path& file);

}  // namespace unfold::bench
