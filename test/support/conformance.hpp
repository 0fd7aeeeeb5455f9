// SPDX-License-Identifier: MIT
// Reads the reference sets: shapes files (csv) and folders of golden cases (case.json and .npy).
#pragma once

#include "support/fill.hpp"
#include "support/problems.hpp"

#include <unfold/io/npy.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>  // std::sort
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

/// The problems of a shapes file, whose first line names its columns.
inline std::vector<Problem> read_shapes(const std::filesystem::path& path) {
  const auto split = [](const std::string& line) {
    std::vector<std::string> cells;
    std::istringstream in(line);
    for (std::string cell; std::getline(in, cell, ',');) cells.push_back(cell);
    return cells;
  };
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  const auto columns = split(line);
  std::vector<Problem> problems;
  while (std::getline(in, line)) {
    const auto cells = split(line);
    problems.push_back(problem_from_fields(cells.at(0), [&](const char* name) -> Index {
      for (std::size_t i = 0; i < columns.size(); ++i) {
        if (columns[i] == name) return std::stoll(cells.at(i));
      }
      throw std::runtime_error(path.string() + " has no column " + name);
    }));
  }
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
