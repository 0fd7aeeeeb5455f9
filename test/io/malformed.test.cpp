// SPDX-License-Identifier: MIT
// Each malformed file of the tables is refused with its message: what is wrong, and where.
#include "io/malformed_idx.hpp"
#include "io/malformed_npy.hpp"
#include "io/malformed_safetensors.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

#include <unfold/io/idx.hpp>
#include <unfold/io/npy.hpp>
#include <unfold/io/safetensors.hpp>

#include <set>

using unfold::FormatError;
using unfold::parse_idx;
using unfold::parse_npy;
using unfold::Safetensors;
using namespace unfold::test;

namespace {

std::string npy_error(const std::string& file) {
  return error_of<FormatError>([&] { parse_npy<float, 1>(bytes_of(file), "x"); });
}
std::string idx_error(const std::string& file) {
  return error_of<FormatError>([&] { parse_idx<1>(bytes_of(file), "x"); });
}
std::string safetensors_error(const std::string& file) {
  return error_of<FormatError>([&] { Safetensors(bytes_of(file), "x"); });
}

}  // namespace

TEST_CASE("each way in which a .npy file can be malformed has its message") {
  for (const MalformedFile& file : malformed_npy_files()) {
    INFO(file.what);
    CHECK(npy_error(file.bytes) == "unfold::parse_npy: x: " + file.message);
  }
  CHECK(npy_error("\x93NUMPY\3\0\1\0\1\0"s + std::string(65537, ' ')) ==
        "unfold::parse_npy: x: byte 8: expected a header of at most 65536 bytes, got 65537");
}

TEST_CASE("each way in which an IDX file can be malformed has its message") {
  for (const MalformedFile& file : malformed_idx_files()) {
    INFO(file.what);
    CHECK(idx_error(file.bytes) == "unfold::parse_idx: x: " + file.message);
  }
  std::string shape = "[4294967295";
  for (int i = 1; i < 255; ++i) shape += ", 4294967295";
  CHECK(idx_error("\0\0\x08\xff"s + std::string(1020, '\xff')) ==
        "unfold::parse_idx: x: the size in bytes must fit 63 bits, got shape " + shape + "]");
}

TEST_CASE("each way in which a safetensors file can be malformed has its message") {
  for (const MalformedFile& file : malformed_safetensors_files()) {
    INFO(file.what);
    CHECK(safetensors_error(file.bytes) == "unfold::Safetensors: x: " + file.message);
  }
  const auto with_header = [](const std::string& json) { return low_bytes(json.size(), 8) + json; };
  CHECK(safetensors_error(with_header(std::string((1 << 20) + 1, ' '))) ==
        "unfold::Safetensors: x: byte 0: expected a header of at most 1048576 bytes, got 1048577");
  CHECK(safetensors_error(with_header(R"({"a":{"shape":)" + std::string(1'000'000, '['))) ==
        R"(unfold::Safetensors: x: byte 23: expected a number >= 0, got "[[[[[[[[[[[[[[[[[[[[[[[["...)");
}

TEST_CASE("the tables hold more than 500 malformed files, no two the same") {
  std::set<std::string> files;
  std::size_t rows = 0;
  for (const auto& table : {malformed_npy_files(), malformed_idx_files(), malformed_safetensors_files()}) {
    rows += table.size();
    for (const MalformedFile& file : table) files.insert(file.bytes);
  }
  CHECK(rows == 509);
  CHECK(files.size() > 500);  // three of the shortest are malformed in several formats
}
