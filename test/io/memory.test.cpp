// SPDX-License-Identifier: MIT
// What reading costs in memory.
#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/largest_allocation.hpp"

#include <unfold/io/idx.hpp>
#include <unfold/io/npy.hpp>
#include <unfold/io/safetensors.hpp>

#include <numeric>  // std::iota

using unfold::FormatError;
using unfold::Index;
using unfold::Safetensors;
using unfold::Shape;
using unfold::Tensor;
using unfold::test::PeakMemory;
using unfold::test::ScratchFolder;
using unfold::test::write_whole;

namespace {

constexpr Index mebibyte = Index{1} << 20;

/// The most memory that f(path) holds at once beyond the size of the file.
template <class F>
Index beyond_file(const std::filesystem::path& path, F&& f) {
  const PeakMemory peak;
  f(path);
  return peak.bytes() - static_cast<Index>(std::filesystem::file_size(path));
}

std::string with_length(const std::string& json) {
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>(json.size() >> 8 * i & 0xff);
  return file + json;
}

/// `start`, then `piece(i)` with i = 0, 1, ... up to nearly 1 MiB, then `end`.
template <class Piece>
std::string long_header(const std::string& start, Piece&& piece, const std::string& end) {
  std::string json = start;
  for (int i = 0; static_cast<Index>(json.size()) < mebibyte - 200; ++i) json += (i == 0 ? "" : ",") + piece(i);
  return with_length(json + end);
}

}  // namespace

TEST_CASE("reading takes as much memory as the file has bytes, and 1 MiB") {
  const ScratchFolder folder;
  Tensor<float, 2> t({700, 1500});  // 4 MiB
  std::iota(t.data(), t.data() + t.size(), 0.F);
  unfold::write_npy(folder / "t.npy", t);
  CHECK(beyond_file(folder / "t.npy", [&](const auto& path) { CHECK(unfold::read_npy<float, 2>(path) == t); }) <
        mebibyte);

  std::string turned = unfold::test::read_whole(folder / "t.npy");
  turned.replace(turned.find("False"), 5, "True ");
  turned.replace(turned.find("700, 1500"), 9, "1500, 700");
  write_whole(folder / "turned.npy", turned);
  CHECK(beyond_file(folder / "turned.npy", [&](const auto& path) {
          const Tensor<float, 2> read = unfold::read_npy<float, 2>(path);
          bool same = true;
          for (Index r = 0; r < 700; ++r) {
            for (Index c = 0; c < 1500; ++c) same = same && read(c, r) == t(r, c);
          }
          CHECK(same);
        }) < mebibyte);

  unfold::write_idx(folder / "t.idx", Tensor<std::uint8_t, 3>({100, 200, 210}));
  CHECK(beyond_file(folder / "t.idx", [](const auto& path) { unfold::read_idx<3>(path); }) < mebibyte);

  unfold::save_safetensors(folder / "t.st", {{"t", t}});
  CHECK(beyond_file(folder / "t.st", [&](const auto& path) {
          Safetensors file(path);
          file.check<float>("t", t.shape());
        }) < mebibyte);
}

TEST_CASE("a safetensors header made to cost memory costs less than 11 MiB beyond the file") {
  const ScratchFolder folder;
  const auto tensor = [](int i) {
    return "\"" + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  };
  const auto pair = [](int i) { return "\"" + std::to_string(i) + "\":\"\""; };
  const auto zero = [](int) { return std::string("0"); };
  const struct {
    std::string file;
    bool valid;
    Index mebibytes;  // beyond the file
  } rows[] = {
      {long_header("{", tensor, "}"), true, 8},
      {long_header(R"({"__metadata__":{)", pair, "}}"), true, 11},
      {long_header(R"({"a":{"shape":[)", zero, "]}}"), false, 1},
      {long_header(R"({"a":{"dtype":"U8","data_offsets":[)", zero, "]}}"), false, 1},
      {with_length("{\"" + std::string(mebibyte - 200, 'a') + "\":{}}"), false, 5},
  };
  for (const auto& [file, valid, mebibytes] : rows) {
    write_whole(folder / "t", file);
    bool refused = false;
    const Index beyond = beyond_file(folder / "t", [&](const auto& path) {
      try {
        Safetensors read(path);
      } catch (const FormatError&) {
        refused = true;
      }
    });
    CHECK(refused == !valid);
    CHECK(beyond < mebibytes * mebibyte);
  }
}
