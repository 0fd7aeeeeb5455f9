// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/files.hpp"
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

TEST_CASE("an extent past 32 bits cannot be written, and nothing is") {
  const ScratchFolder folder;
  const std::uint8_t element = 0;
  const unfold::TensorView<const std::uint8_t, 2> wide(&element, {0, Index{1} << 32}, {0, 0});
  CHECK(error_of<unfold::ShapeError>([&] { write_idx(folder / "t.idx", wide); }) ==
        "unfold::write_idx: every extent must fit 32 bits, got [0, 4294967296]");
  CHECK(folder.count() == 0);
}

TEST_CASE("the compressed MNIST file is refused with the hint that it is compressed") {
  const std::filesystem::path file = unfold::test::shared("data/mnist/t10k-images-idx3-ubyte.gz");
  if (file.empty()) SKIP(unfold::test::absent("data/mnist/t10k-images-idx3-ubyte.gz"));
  CHECK(error_of<FormatError>([&] { read_idx<3>(file); }) ==
        "unfold::read_idx: " + file.string() +
            ": the file is compressed by gzip: decompress it first; byte 0: expected \\x00\\x00, got \\x1f\\x8b");
}
