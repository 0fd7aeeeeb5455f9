// SPDX-License-Identifier: MIT
#include "io/damage.hpp"
#include "support/shared_data.hpp"

#include <unfold/io/idx.hpp>

using namespace std::string_literals;
using unfold::FormatError;
using unfold::IdxHeader;
using unfold::IdxType;
using unfold::Index;
using unfold::parse_idx;
using unfold::parse_idx_header;
using unfold::read_idx;
using unfold::Shape;
using unfold::Tensor;
using unfold::write_idx;
using unfold::test::bytes_of;
using unfold::test::error_of;
using unfold::test::read_whole;
using unfold::test::ScratchFolder;
using unfold::test::write_whole;

namespace {

template <int Rank>
void check_round_trip(const ScratchFolder& folder, const Shape<Rank>& shape) {
  Tensor<std::uint8_t, Rank> written(shape);
  for (Index i = 0; i < written.size(); ++i) written.data()[i] = static_cast<std::uint8_t>(7 * i);
  write_idx(folder / "t.idx", written);
  CHECK(read_idx<Rank>(folder / "t.idx") == written);
}

struct Row {
  const char* what;
  std::string file;
  const char* message;
};

}  // namespace

TEST_CASE("bytes of any rank come back from IDX") {
  const ScratchFolder folder;
  check_round_trip<1>(folder, {5});
  check_round_trip<2>(folder, {300, 2});
  check_round_trip<3>(folder, {2, 28, 27});
  check_round_trip<4>(folder, {2, 3, 4, 5});
  check_round_trip<5>(folder, {1, 2, 1, 2, 3});
  check_round_trip<3>(folder, {0, 28, 28});
}

TEST_CASE("what is written is the format of MNIST, of a strided view too") {
  const ScratchFolder folder;
  Tensor<std::uint8_t, 2> t({2, 3});
  for (Index i = 0; i < 6; ++i) t.data()[i] = static_cast<std::uint8_t>('a' + i);
  write_idx(folder / "t.idx", t.slice(1, 1, 2));
  CHECK(read_whole(folder / "t.idx") == "\0\0\x08\2\0\0\0\2\0\0\0\2bcef"s);
}

TEST_CASE("a file in memory is read as one on disk") {
  const Tensor<std::uint8_t, 1> labels = parse_idx<1>(bytes_of("\0\0\x08\1\0\0\0\3\7\2\1"s), "labels");
  REQUIRE(labels.shape() == Shape<1>(3));
  CHECK(labels(0) == 7);
  CHECK(labels(2) == 1);
}

TEST_CASE("the header tells every element type of the format") {
  const auto header = [](char type, std::size_t bytes) {
    return parse_idx_header(bytes_of("\0\0"s + type + "\2\0\0\0\3\0\0\1\0"s + std::string(bytes, '\0')), "x.idx");
  };
  CHECK(header(8, 768).type == IdxType::uint8);
  CHECK(header(9, 768).type == IdxType::int8);
  CHECK(header(11, 1536).type == IdxType::int16);
  CHECK(header(12, 3072).type == IdxType::int32);
  CHECK(header(13, 3072).type == IdxType::float32);
  CHECK(header(14, 6144).type == IdxType::float64);
  CHECK(header(14, 6144).shape == std::vector<Index>{3, 256});
  CHECK(to_string(IdxType::int16) == "int16");

  const ScratchFolder folder;
  write_whole(folder / "f.idx", "\0\0\x0d\1\0\0\0\1????"s);
  CHECK(unfold::read_idx_header(folder / "f.idx").type == IdxType::float32);
}

TEST_CASE("each way in which an IDX file can be malformed has its message") {
  const Row rows[] = {
      {"nothing", "", "the file must be at least 4 bytes long, got 0"},
      {"a beginning", "\0\0\x08"s, "the file must be at least 4 bytes long, got 3"},
      {"something else", "\x93NUMPY\1\0", "byte 0: expected \\x00\\x00, got \"\\x93N\""},
      {"a second byte that is not zero", "\0\1\x08\1\0\0\0\0"s, "byte 0: expected \\x00\\x00, got \"\\x00\\x01\""},
      {"a gzip file", "\x1f\x8b\x08\0\0\0\0\0"s,
       "the file is compressed by gzip: decompress it first; byte 0: expected \\x00\\x00, got \\x1f\\x8b"},
      {"the start of a gzip file", "\x1f\x8b",
       "the file is compressed by gzip: decompress it first; byte 0: expected \\x00\\x00, got \\x1f\\x8b"},
      {"type 0", "\0\0\0\1\0\0\0\1x"s, "byte 2: expected an element type 8, 9, 11, 12, 13 or 14, got 0"},
      {"type 10", "\0\0\x0a\1\0\0\0\1x"s, "byte 2: expected an element type 8, 9, 11, 12, 13 or 14, got 10"},
      {"type 15", "\0\0\x0f\1\0\0\0\1x"s, "byte 2: expected an element type 8, 9, 11, 12, 13 or 14, got 15"},
      {"rank 0", "\0\0\x08\0x"s, "byte 3: expected a rank >= 1, got 0"},
      {"half a size", "\0\0\x08\1\0\0"s, "rank 1 needs a header of 8 bytes, got a file of 6"},
      {"rank 255 in a short file", "\0\0\x08\xff\0\0\0\1x"s, "rank 255 needs a header of 1024 bytes, got a file of 9"},
      {"a byte too few", "\0\0\x08\1\0\0\0\2x"s, "shape [2] of uint8 needs 2 bytes from byte 8 to the end, got 1"},
      {"a byte too many", "\0\0\x08\1\0\0\0\2xyz"s, "shape [2] of uint8 needs 2 bytes from byte 8 to the end, got 3"},
      {"a size little-endian", "\0\0\x08\1\2\0\0\0xy"s,
       "shape [33554432] of uint8 needs 33554432 bytes from byte 8 to the end, got 2"},
      {"sizes whose product passes 2^63", "\0\0\x08\2\xff\xff\xff\xff\xff\xff\xff\xff"s,
       "the size in bytes must fit 63 bits, got shape [4294967295, 4294967295]"},
      {"no elements, but strides past 2^63", "\0\0\x08\3\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"s,
       "the size in bytes must fit 63 bits, got shape [0, 4294967295, 4294967295]"},
      {"doubles whose bytes pass 2^63", "\0\0\x0e\2\x80\0\0\0\x80\0\0\0"s,
       "the size in bytes must fit 63 bits, got shape [2147483648, 2147483648]"},
      {"floats", "\0\0\x0d\1\0\0\0\1????"s, "byte 2: expected elements uint8, got float32"},
      {"signed bytes", "\0\0\x09\1\0\0\0\1?"s, "byte 2: expected elements uint8, got int8"},
      {"images", "\0\0\x08\3\0\0\0\1\0\0\0\1\0\0\0\1?"s, "byte 3: expected rank 1, got shape [1, 1, 1]"},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    CHECK(error_of<FormatError>([&] { parse_idx<1>(bytes_of(row.file), "x.idx"); }) ==
          std::string("unfold::parse_idx: x.idx: ") + row.message);
  }
}

TEST_CASE("an extent past 32 bits cannot be written, and nothing is") {
  const ScratchFolder folder;
  const std::uint8_t element = 0;
  const unfold::TensorView<const std::uint8_t, 2> wide(&element, {0, Index{1} << 32}, {0, 0});
  CHECK(error_of<unfold::ShapeError>([&] { write_idx(folder / "t.idx", wide); }) ==
        "unfold::write_idx: every extent must fit 32 bits, got [0, 4294967296]");
  CHECK(folder.count() == 0);
}

TEST_CASE("an IDX file damaged anywhere is refused or read as a tensor of its size") {
  unfold::test::check_survives("\0\0\x08\3\0\0\0\2\0\0\0\3\0\0\0\2abcdefghijkl"s, 4096, [](const std::string& damaged) {
    const IdxHeader header = parse_idx_header(bytes_of(damaged), "x.idx");
    const auto check = [&](const auto& tensor) {
      if (static_cast<std::size_t>(tensor.size()) > damaged.size()) FAIL("elements from nowhere");
    };
    if (header.shape.size() == 1) check(parse_idx<1>(bytes_of(damaged), "x.idx"));
    if (header.shape.size() == 2) check(parse_idx<2>(bytes_of(damaged), "x.idx"));
    if (header.shape.size() == 3) check(parse_idx<3>(bytes_of(damaged), "x.idx"));
  });
}

TEST_CASE("the compressed MNIST file is refused with the hint that it is compressed") {
  const std::filesystem::path file = unfold::test::shared("data/mnist/t10k-images-idx3-ubyte.gz");
  if (file.empty()) SKIP(unfold::test::absent("data/mnist/t10k-images-idx3-ubyte.gz"));
  CHECK(error_of<FormatError>([&] { read_idx<3>(file); }) ==
        "unfold::read_idx: " + file.string() +
            ": the file is compressed by gzip: decompress it first; byte 0: expected \\x00\\x00, got \\x1f\\x8b");
}
