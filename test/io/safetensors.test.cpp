// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/files.hpp"

#include <unfold/io/safetensors.hpp>

#include <cstring>  // std::memcmp
#include <limits>
#include <numeric>  // std::iota

using namespace std::string_literals;
using unfold::FormatError;
using unfold::Index;
using unfold::Metadata;
using unfold::Safetensors;
using unfold::SafetensorsEntry;
using unfold::save_safetensors;
using unfold::Shape;
using unfold::ShapeError;
using unfold::Tensor;
using unfold::test::bytes_of;
using unfold::test::error_of;
using unfold::test::read_whole;
using unfold::test::ScratchFolder;

namespace {

template <class T, int Rank>
Tensor<T, Rank> counting(const Shape<Rank>& shape) {
  Tensor<T, Rank> t(shape);
  std::iota(t.data(), t.data() + t.size(), T(1));
  return t;
}

std::string with(const std::string& json, const std::string& data = "") {
  std::string length;
  for (int i = 0; i < 8; ++i) length += static_cast<char>(json.size() >> 8 * i & 0xff);
  return length + json + data;
}

}  // namespace

TEST_CASE("tensors of several types and ranks come back, and the metadata") {
  const ScratchFolder folder;
  const auto f = counting<float, 4>({2, 3, 1, 5});
  const auto d = counting<double, 1>({7});
  const auto u = counting<std::uint8_t, 3>({2, 2, 3});
  const auto i = counting<std::int32_t, 2>({3, 2});
  const auto l = counting<std::int64_t, 1>({1});
  const auto e = counting<float, 2>({0, 4});
  const Metadata metadata{{"epoch", "12"}, {"state", "18446744073709551615"}, {"", "empty key"}};
  save_safetensors(folder / "t", {{"f", f}, {"d", d}, {"u", u}, {"i", i}, {"l", l}, {"e", e}}, metadata);

  Safetensors file(folder / "t");
  CHECK(file.metadata() == metadata);
  const auto check = [&]<class T, int Rank>(const char* name, const Tensor<T, Rank>& written) {
    CHECK(file.contains(name));
    Tensor<T, Rank> read(written.shape());
    file.read(name, read);
    CHECK(read == written);
  };
  CHECK(file.unused() == std::vector<std::string>{"d", "l", "f", "i", "e", "u"});
  check("f", f);
  check("d", d);
  check("u", u);
  CHECK(file.unused() == std::vector<std::string>{"l", "i", "e"});
  check("i", i);
  check("l", l);
  check("e", e);
  CHECK(file.unused().empty());
  CHECK(!file.contains("F"));
}

TEST_CASE("every bit comes back: payloads of NaN, infinities, subnormals, -0") {
  const ScratchFolder folder;
  Tensor<double, 1> written(Shape<1>(5));
  const std::uint64_t bits[] = {0x7ff0000000000001, 0xffffdeadbeef1234, 0x8000000000000000, 1, 0x7ff0000000000000};
  std::memcpy(written.data(), bits, sizeof bits);
  save_safetensors(folder / "t", {{"x", written}});
  Tensor<double, 1> read(Shape<1>(5));
  Safetensors(folder / "t").read("x", read);
  CHECK(std::memcmp(read.data(), bits, sizeof bits) == 0);
}

TEST_CASE("views of any strides are saved, and read into") {
  const ScratchFolder folder;
  const auto whole = counting<float, 2>({4, 6});
  save_safetensors(folder / "t", {{"part", whole.slice(1, 2, 3)}, {"row", whole[1]}});
  Safetensors file(folder / "t");
  Tensor<float, 2> copy(whole.shape());
  file.read("part", copy.slice(1, 2, 3));
  CHECK(copy(3, 1) == 0);
  for (Index r = 0; r < 4; ++r) {
    for (Index c = 2; c < 5; ++c) CHECK(copy(r, c) == whole(r, c));
  }
  file.read("row", copy[0]);
  CHECK(copy(0, 5) == whole(1, 5));
}

TEST_CASE("the file is the format's, byte for byte, the data at a multiple of 64 bytes and wide elements first") {
  const ScratchFolder folder;
  const auto b = counting<std::uint8_t, 1>({3});
  const auto w = counting<float, 2>({1, 2});
  const auto v = counting<std::int64_t, 1>({1});
  save_safetensors(folder / "t", {{"b", b}, {"a \"w\"\n", w}, {"v", v}}, {{"epoch", "3"}});
  std::string json = R"({"__metadata__":{"epoch":"3"},"v":{"dtype":"I64","shape":[1],"data_offsets":[0, 8]},)"
                     R"("a \"w\"\u000a":{"dtype":"F32","shape":[1, 2],"data_offsets":[8, 16]},)"
                     R"("b":{"dtype":"U8","shape":[3],"data_offsets":[16, 19]}})";
  json.append(248 - json.size(), ' ');
  const std::string file = read_whole(folder / "t");
  CHECK(file == with(json, "\1\0\0\0\0\0\0\0\0\0\x80\x3f\0\0\0\x40\1\2\3"s));
  save_safetensors(folder / "t", {{"b", b}, {"a \"w\"\n", w}, {"v", v}}, {{"epoch", "3"}});
  CHECK(read_whole(folder / "t") == file);

  save_safetensors(folder / "empty", {});
  CHECK(read_whole(folder / "empty") == with("{}" + std::string(54, ' ')));
  CHECK(Safetensors(folder / "empty").tensors().empty());
}

TEST_CASE("other writers' headers are read: any blanks, key order, tensor order, escapes and types") {
  const std::string json =
      "{\n\t\"b\" : {\"shape\":[2],\"data_offsets\":[4,8],\"dtype\":\"BF16\"} ,\r\n"
      R"("\u00e9\u20AC\uD83d\ude00\/\\\b\f\n\r\t\"":{"dtype":"I32","shape":[],"data_offsets":[0,4]},)"
      R"("__metadata__":{"gr\u00fc\u00df":"\u0000"},"z":{"dtype":"F64","shape":[3,0],"data_offsets":[4,4]}}  )";
  Safetensors file(bytes_of(with(json, "\7\0\0\0wxyz"s)), "other");
  REQUIRE(file.tensors().size() == 3);
  CHECK(file.tensors()[0].name == "b");
  CHECK(file.tensors()[0].dtype == "BF16");
  CHECK(file.tensors()[0].shape == std::vector<Index>{2});
  CHECK(file.tensors()[1].name == "\u00e9\u20ac\U0001f600/\\\b\f\n\r\t\"");
  CHECK(file.tensors()[1].shape.empty());
  CHECK(file.metadata() == Metadata{{"gr\u00fc\u00df", "\0"s}});
  Tensor<std::int32_t, 1> number(Shape<1>(1));
  file.read(file.tensors()[1].name, number);  // a single number is a vector of one element
  CHECK(number(0) == 7);
}

TEST_CASE("names of any UTF-8 come back") {
  const ScratchFolder folder;
  const auto t = counting<float, 1>({1});
  for (const std::string& name : {""s, "\0"s, "\x7f"s, "\u00df\u20ac\U0010ffff"s, "\\u0041"s, "\x01\x1f"s}) {
    save_safetensors(folder / "t", {{name, t}}, {{name, name}});
    const Safetensors file(folder / "t");
    CHECK(file.contains(name));
    CHECK(file.metadata() == Metadata{{name, name}});
  }
}

TEST_CASE("a tensor of another name, type or shape is refused, and nothing is written") {
  const auto t = counting<float, 2>({2, 3});
  const ScratchFolder folder;
  save_safetensors(folder / "t", {{"weights", t}, {"bias", t[0]}});
  Safetensors file(bytes_of(read_whole(folder / "t")), "t");
  const auto error = [&](const char* name, auto tensor) {
    tensor.fill(9);
    const std::string message = error_of<FormatError>([&] { file.read(name, tensor); });
    CHECK(*tensor.data() == 9);
    return message;
  };
  CHECK(error("weight", Tensor<float, 2>({2, 3})) ==
        "unfold::Safetensors::read: t: tensor \"weight\" must be in the file, got 2 tensors of other names");
  CHECK(error("weights", Tensor<double, 2>({2, 3})) ==
        "unfold::Safetensors::read: t: tensor \"weights\" must be F64, got F32");
  CHECK(error("weights", Tensor<float, 2>({3, 2})) ==
        "unfold::Safetensors::read: t: tensor \"weights\" must have shape [3, 2], got [2, 3]");
  CHECK(error("weights", Tensor<float, 1>(Shape<1>(6))) ==
        "unfold::Safetensors::read: t: tensor \"weights\" must have shape [6], got [2, 3]");
  CHECK(file.unused().size() == 2);
  file.check<float>("bias", Shape<1>(3));
  CHECK(file.unused() == std::vector<std::string>{"weights"});
}

TEST_CASE("names that the format cannot hold are refused, and nothing is saved") {
  const ScratchFolder folder;
  const auto t = counting<float, 1>({1});
  const auto error = [&](const std::vector<SafetensorsEntry>& entries, const Metadata& metadata = {}) {
    return error_of<ShapeError>([&] { save_safetensors(folder / "t", entries, metadata); });
  };
  const std::string start = "unfold::save_safetensors: ";
  CHECK(error({{"a", t}, {"a", t}}) ==
        start + "each name must stand for one tensor, and __metadata__ for none, got \"a\"");
  CHECK(error({{"__metadata__", t}}) ==
        start + "each name must stand for one tensor, and __metadata__ for none, got \"__metadata__\"");
  for (const char* bad : {"\x80", "a\xc3", "\xc0\x80", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xf0\x9f\x98", "\xff"}) {
    const std::string shown = unfold::detail::in_quotes(bad);
    CHECK(error({{bad, t}}) == start + "names and metadata must be UTF-8, got " + shown);
    CHECK(error({}, {{bad, ""}}) == start + "names and metadata must be UTF-8, got " + shown);
    CHECK(error({}, {{"key", bad}}) == start + "names and metadata must be UTF-8, got " + shown);
  }
  CHECK(error({}, {{"key", std::string(1 << 20, 'x')}}) ==
        start + "the header must be at most 1048576 bytes, got 1048632");
  CHECK(folder.count() == 0);
}
