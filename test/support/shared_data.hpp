// SPDX-License-Identifier: MIT
// Where test data lie: test/data of the source tree, and the larger reference sets of the folder that
// UNFOLD_SHARED names, which need not be there: tests that use them SKIP then.
#pragma once

#include <cstdlib>  // std::getenv
#include <filesystem>
#include <string>

namespace unfold::test {

/// A file or folder under UNFOLD_SHARED; empty where there is none. Use:
///   const auto folder = test::shared("conformance/golden_public");
///   if (folder.empty()) SKIP(test::absent("conformance/golden_public"));
inline std::filesystem::path shared(const std::string& name) {
  const char* root = std::getenv("UNFOLD_SHARED");
  if (root == nullptr) return {};
  const auto path = std::filesystem::path(root) / name;
  return std::filesystem::exists(path) ? path : std::filesystem::path();
}

inline std::string absent(const std::string& name) { return "UNFOLD_SHARED has no " + name; }

/// A file or folder of test/data.
inline std::filesystem::path data(const std::string& name) {
  const char* root = std::getenv("UNFOLD_TEST_DATA");
  return (root != nullptr ? std::filesystem::path(root) : std::filesystem::path("test/data")) / name;
}

/// True where the long tests were asked for too: UNFOLD_LONG=1.
inline bool long_tests() {
  const char* wanted = std::getenv("UNFOLD_LONG");
  return wanted != nullptr && std::string(wanted) == "1";
}

}  // namespace unfold::test
