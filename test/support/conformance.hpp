// SPDX-License-Identifier: MIT
// Reads the reference sets: shapes files (csv) and folders of golden cases (case.json and .npy).
#pragma once

#include "support/fill.hpp"
#include "support/problems.hpp"

#include <unfold/io/npy.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>  // std::find, std::sort
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace unfold::test {

/// The problem of fields named as in a shapes file: field("kh") is KH.
template <class Field>
Problem problem_from_fields(std::string name, Field&& field) {
  return {.name = std::move(name),
          .x = {field("n"), field("c"), field("h"), field("w")},
          .out_channels = field("o"),
          .kernel = {field("kh"), field("kw")},
          .stride = {field("sh"), field("sw")},
          .padding = {field("pt"), field("pb"), field("pl"), field("pr")},
          .dilation = {field("dh"), field("dw")},
          .groups = field("g")};
}

inline constexpr const char* shapes_header = "name,n,c,h,w,o,kh,kw,sh,sw,pt,pb,pl,pr,dh,dw,g";

/// The problem of one row of a shapes file; the header names its columns.
inline Problem problem_from_row(const std::string& row, const std::string& header = shapes_header) {
  const auto split = [](const std::string& line) {
    std::vector<std::string> cells;
    std::istringstream in(line);
    for (std::string cell; std::getline(in, cell, ',');) cells.push_back(cell);
    return cells;
  };
  const auto columns = split(header), cells = split(row);
  return problem_from_fields(cells.at(0), [&](const char* name) -> Index {
    const auto column = std::find(columns.begin(), columns.end(), name);
    if (column == columns.end()) throw std::runtime_error("a shapes file has no column " + std::string(name));
    return std::stoll(cells.at(static_cast<std::size_t>(column - columns.begin())));
  });
}

/// The problems of a shapes file.
inline std::vector<Problem> read_shapes(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::string header;
  std::getline(in, header);
  std::vector<Problem> problems;
  for (std::string row; std::getline(in, row);) problems.push_back(problem_from_row(row, header));
  return problems;
}

/// One folder of a golden set.
struct GoldenCase {
  std::filesystem::path folder;
  nlohmann::json info;  // case.json

  std::string name() const { return info.at("name"); }
  Problem problem() const {
    return problem_from_fields(name(), [&](const char* field) { return info.at(field).get<Index>(); });
  }
  bool has(const std::string& tensor) const { return std::filesystem::exists(folder / (tensor + ".npy")); }
  template <class T, int Rank>
  Tensor<T, Rank> read(const std::string& tensor) const {
    return read_npy<T, Rank>(folder / (tensor + ".npy"));
  }
};

/// A case of golden_public: what goes in, and what must come out.
struct GoldenConvolution {
  Problem problem;
  bool integers;           // every sum is exact in float
  Index untouched_pixels;  // of x: under no window, so that their dx is exactly 0
  ConvolutionData<double> data;
  Tensor<double, 4> y, dx, dw;
  Tensor<double, 1> db;
};

inline GoldenConvolution read_convolution(const GoldenCase& golden) {
  const auto tensor = [&](const char* name) { return golden.read<double, 4>(name); };
  GoldenConvolution c{golden.problem(),
                      golden.info.at("fill") == "int",
                      golden.info.at("untouched_pixels"),
                      ConvolutionData<double>(golden.problem().geometry()),
                      tensor("y"),
                      tensor("dx"),
                      tensor("dw"),
                      golden.read<double, 1>("db")};
  c.data.x = tensor("x");
  c.data.w = tensor("w");
  c.data.dy = tensor("dy");
  c.data.b = golden.read<double, 1>("b");
  return c;
}

/// The cases of a golden set, by name.
inline std::vector<GoldenCase> golden_cases(const std::filesystem::path& set) {
  std::vector<GoldenCase> cases;
  for (const auto& entry : std::filesystem::directory_iterator(set)) {
    if (!entry.is_directory()) continue;
    std::ifstream in(entry.path() / "case.json");
    cases.push_back({entry.path(), nlohmann::json::parse(in)});
  }
  std::sort(cases.begin(), cases.end(), [](const auto& a, const auto& b) { return a.folder < b.folder; });
  return cases;
}

}  // namespace unfold::test
