// SPDX-License-Identifier: MIT
#include "problem.hpp"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <stdexcept>

namespace unfold::bench {

std::vector<Problem> table_of_shapes() {
  const auto same = [](Index p) { return Padding2D{p, p, p, p}; };
  using O = Conv2DOptions;
  return {
      {"3->64, 224x224, 7x7 s2 p3",
       O{.in_channels = 3, .out_channels = 64, .kernel = {7, 7}, .stride = {2, 2}, .padding = same(3)},
       {8, 3, 224, 224}},
      {"64->64, 56x56, 3x3",
       O{.in_channels = 64, .out_channels = 64, .kernel = {3, 3}, .padding = same(1)},
       {8, 64, 56, 56}},
      {"128->128, 28x28, 3x3",
       O{.in_channels = 128, .out_channels = 128, .kernel = {3, 3}, .padding = same(1)},
       {8, 128, 28, 28}},
      {"256->256, 14x14, 3x3",
       O{.in_channels = 256, .out_channels = 256, .kernel = {3, 3}, .padding = same(1)},
       {8, 256, 14, 14}},
      {"512->512, 7x7, 3x3",
       O{.in_channels = 512, .out_channels = 512, .kernel = {3, 3}, .padding = same(1)},
       {8, 512, 7, 7}},
      {"64->256, 56x56, 1x1", O{.in_channels = 64, .out_channels = 256}, {8, 64, 56, 56}},
      {"256->512, 56x56, 1x1 s2", O{.in_channels = 256, .out_channels = 512, .stride = {2, 2}}, {8, 256, 56, 56}},
      {"128->128, 28x28, 3x3, 32 groups",
       O{.in_channels = 128, .out_channels = 128, .kernel = {3, 3}, .padding = same(1), .groups = 32},
       {8, 128, 28, 28}},
      {"144->144, 56x56, 3x3, depthwise",
       O{.in_channels = 144, .out_channels = 144, .kernel = {3, 3}, .padding = same(1), .groups = 144},
       {8, 144, 56, 56}},
      {"1->20, 28x28, 5x5, batch 64", O{.in_channels = 1, .out_channels = 20, .kernel = {5, 5}}, {64, 1, 28, 28}},
      {"20->50, 12x12, 5x5, batch 64", O{.in_channels = 20, .out_channels = 50, .kernel = {5, 5}}, {64, 20, 12, 12}},
  };
}

std::vector<Problem> read_shapes(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  if (line != "name,n,c,h,w,o,kh,kw,sh,sw,pt,pb,pl,pr,dh,dw,g") {
    throw std::runtime_error(fmt::format("{}: line 1: not the head of a file of shapes: \"{}\"", file.string(), line));
  }
  std::vector<Problem> problems;
  for (int number = 2; std::getline(in, line); ++number) {
    std::array<Index, 16> v{};
    std::size_t comma = line.find(','), count = 0;
    const std::string name = line.substr(0, comma);
    for (; comma != std::string::npos && count < v.size(); ++count) {
      const char* const end = line.data() + line.size();
      const auto [stop, error] = std::from_chars(line.data() + comma + 1, end, v[count]);
      if (error != std::errc()) break;
      comma = stop == end ? std::string::npos : static_cast<std::size_t>(stop - line.data());
    }
    if (comma != std::string::npos || count != v.size()) {
      throw std::runtime_error(fmt::format("{}: line {}: not a name and 16 integers", file.string(), number));
    }
    const auto [n, c, h, w, o, kh, kw, sh, sw, pt, pb, pl, pr, dh, dw, g] = v;
    problems.push_back({name,
                        {.in_channels = c,
                         .out_channels = o,
                         .kernel = {kh, kw},
                         .stride = {sh, sw},
                         .padding = {pt, pb, pl, pr},
                         .dilation = {dh, dw},
                         .groups = g},
                        {n, c, h, w},
                        "public"});
  }
  return problems;
}

}  // namespace unfold::bench
