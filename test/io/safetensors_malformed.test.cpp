// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/files.hpp"

#include <unfold/io/safetensors.hpp>

using namespace std::string_literals;
using unfold::FormatError;
using unfold::Safetensors;
using unfold::test::bytes_of;
using unfold::test::error_of;

namespace {

std::string with(const std::string& json, const std::string& data = "") {
  std::string length;
  for (int i = 0; i < 8; ++i) length += static_cast<char>(json.size() >> 8 * i & 0xff);
  return length + json + data;
}

/// A header of one tensor "a" with these members.
std::string one(const std::string& members) { return "{\"a\":{" + members + "}}"; }

/// Two vectors of bytes, at these offsets.
std::string two(const std::string& a, const std::string& b) {
  return R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + a +
         R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + b + "}}";
}

struct Row {
  const char* what;
  std::string file;
  const char* message;
};

}  // namespace

TEST_CASE("each way in which a safetensors file can be malformed has its message") {
  const std::string a = R"("a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  const Row rows[] = {
      {"nothing", "", "the file must be at least 8 bytes long, got 0"},
      {"half a length", "\2\0\0\0"s, "the file must be at least 8 bytes long, got 4"},
      {"a header past the end", "\3\0\0\0\0\0\0\0{}"s,
       "byte 0: expected a header that ends inside the file of 10 bytes, got 3"},
      {"a header of 1 MiB and a byte", with(std::string((1 << 20) + 1, ' ')),
       "byte 0: expected a header of at most 1048576 bytes, got 1048577"},
      {"a length of 2^64 - 1", "\xff\xff\xff\xff\xff\xff\xff\xff{}",
       "byte 0: expected a header of at most 1048576 bytes, got 18446744073709551615"},
      {"an empty header", with(""), "byte 8: expected '{', got the end of the header"},
      {"a blank before the header", with(" {}"), "byte 8: expected '{', got \" {}\""},
      {"a list", with("[]"), "byte 8: expected '{', got \"[]\""},
      {"no end", with("{"), "byte 9: expected a name in quotes, got the end of the header"},
      {"a name without quotes", with("{a:1}"), "byte 9: expected a name in quotes, got \"a:1}\""},
      {"a name in single quotes", with("{'a':1}"), "byte 9: expected a name in quotes, got \"'a':1}\""},
      {"a name without end", with("{\"a"), "byte 11: expected the closing '\"', got the end of the header"},
      {"a comma before the end", with("{" + a + ",}"), "byte 61: expected a name in quotes, got \"}\""},
      {"no comma", with("{" + a + " " + a + "}"),
       "byte 61: expected ',' or '}', got \"\\\"a\\\":{\\\"dtype\\\":\\\"U8\\\",\\\"shape\"..."},
      {"no colon", with("{\"a\" {}}"), "byte 13: expected ':', got \"{}}\""},
      {"a line end behind the header", with("{}\n"), "byte 10: expected only spaces after the last '}', got \"\\x0a\""},
      {"a second object", with("{} {}"), "byte 11: expected only spaces after the last '}', got \"{}\""},
      {"a zero byte behind the header", with("{}\0"s),
       "byte 10: expected only spaces after the last '}', got \"\\x00\""},
      {"a name twice", with("{" + a + "," + a + "}"),
       "byte 61: expected each name once, got \"\\\"a\\\":{\\\"dtype\\\":\\\"U8\\\",\\\"shape\"..."},
      {"a name twice, once escaped", with("{" + a + R"(,"\u0061":{}})"),
       "byte 61: expected each name once, got \"\\\"\\\\u0061\\\":{}}\""},
      {"metadata twice", with(R"({"__metadata__":{},"__metadata__":{}})"),
       "byte 27: expected each name once, got \"\\\"__metadata__\\\":{}}\""},
      {"a metadata key twice", with(R"({"__metadata__":{"k":"1","k":"1"}})"),
       "byte 33: expected each name once, got \"\\\"k\\\":\\\"1\\\"}}\""},
      {"metadata of a number", with(R"({"__metadata__":{"k":1}})"), "byte 29: expected a value in quotes, got \"1}}\""},
      {"nested metadata", with(R"({"__metadata__":{"k":{}}})"), "byte 29: expected a value in quotes, got \"{}}}\""},
      {"metadata that are a string", with(R"({"__metadata__":"k"})"), "byte 24: expected '{', got \"\\\"k\\\"}\""},
      {"a tensor that is null", with(R"({"a":null})"), "byte 13: expected '{', got \"null}\""},
      {"a tensor without members", with(one("")),
       "byte 15: expected dtype, shape and data_offsets before the '}', got \"}\""},
      {"an unknown member", with(one(R"("dtype":"U8","strides":[1])")),
       "byte 27: expected dtype, shape and data_offsets, each once, got \"\\\"strides\\\":[1]}}\""},
      {"a member twice", with(one(R"("dtype":"U8","dtype":"U8")")),
       "byte 27: expected dtype, shape and data_offsets, each once, got \"\\\"dtype\\\":\\\"U8\\\"}}\""},
      {"no offsets", with(one(R"("dtype":"U8","shape":[])")),
       "byte 38: expected dtype, shape and data_offsets before the '}', got \"}\""},
      {"an unknown dtype", with(one(R"("dtype":"F31","shape":[])")),
       "byte 22: expected a dtype of the format, got \"\\\"F31\\\",\\\"shape\\\":[]}}\""},
      {"a dtype in lower case", with(one(R"("dtype":"f32","shape":[])")),
       "byte 22: expected a dtype of the format, got \"\\\"f32\\\",\\\"shape\\\":[]}}\""},
      {"a dtype that is a number", with(one(R"("dtype":32,"shape":[])")),
       "byte 22: expected a dtype in quotes, got \"32,\\\"shape\\\":[]}}\""},
      {"a shape that is a number", with(one(R"("shape":2)")), "byte 22: expected '[', got \"2}}\""},
      {"a negative size", with(one(R"("shape":[-1])")), "byte 23: expected a number >= 0, got \"-1]}}\""},
      {"a size with a point", with(one(R"("shape":[1.0])")), "byte 24: expected ',' or ']', got \".0]}}\""},
      {"a size with an exponent", with(one(R"("shape":[1e3])")), "byte 24: expected ',' or ']', got \"e3]}}\""},
      {"a size with a leading zero", with(one(R"("shape":[01])")),
       "byte 23: expected a number without leading zero, got \"01]}}\""},
      {"a size of 2^63", with(one(R"("shape":[9223372036854775808])")),
       "byte 23: expected a number below 2^63, got \"9223372036854775808]}}\""},
      {"a nested shape", with(one(R"("shape":[[1]])")), "byte 23: expected a number >= 0, got \"[1]]}}\""},
      {"a comma behind the sizes", with(one(R"("shape":[1,])")), "byte 25: expected a number >= 0, got \"]}}\""},
      {"a shape without end", with("{\"a\":{\"shape\":[1"), "byte 24: expected ',' or ']', got the end of the header"},
      {"one offset", with(one(R"("data_offsets":[0])")), "byte 29: expected [begin, end], got \"[0]}}\""},
      {"three offsets", with(one(R"("data_offsets":[0,1,2])")), "byte 29: expected [begin, end], got \"[0,1,2]}}\""},
      {"offsets that go backwards", with(one(R"("data_offsets":[4,0])")),
       "byte 29: expected [begin, end], got \"[4,0]}}\""},
      {"fewer bytes than the shape", with(one(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"), "xxxx"),
       "\"a\": shape [2] of F32 needs 8 bytes, got data_offsets [0, 4]"},
      {"more bytes than the shape", with(one(R"("dtype":"U8","shape":[2],"data_offsets":[0,4])"), "xxxx"),
       "\"a\": shape [2] of U8 needs 2 bytes, got data_offsets [0, 4]"},
      {"a shape past 2^63", with(one(R"("dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0])")),
       "\"a\": shape [4294967296, 4294967296] of F64 needs more than 2^63 bytes, got data_offsets [0, 0]"},
      {"no elements, but strides past 2^63",
       with(one(R"("dtype":"U8","shape":[0,4294967296,4294967296],"data_offsets":[0,0])")),
       "\"a\": shape [0, 4294967296, 4294967296] of U8 needs more than 2^63 bytes, got data_offsets [0, 0]"},
      {"8 TiB", with(one(R"("dtype":"U8","shape":[8796093022208],"data_offsets":[0,8796093022208])")),
       "the header must be followed by 8796093022208 bytes of data, got 0"},
      {"a hole at the start", with(one(R"("dtype":"U8","shape":[4],"data_offsets":[1,5])"), "xxxxx"),
       "\"a\": data_offsets must begin at 0, where the data before it end, got 1"},
      {"a hole", with(two("[0,4]", "[5,9]"), "xxxxxxxxx"),
       "\"b\": data_offsets must begin at 4, where the data before it end, got 5"},
      {"an overlap", with(two("[0,4]", "[3,7]"), "xxxxxxx"),
       "\"b\": data_offsets must begin at 4, where the data before it end, got 3"},
      {"the same bytes twice", with(two("[0,4]", "[0,4]"), "xxxx"),
       "\"b\": data_offsets must begin at 4, where the data before it end, got 0"},
      {"data cut off", with(two("[0,4]", "[4,8]"), "xxxxxxx"), "the header must be followed by 8 bytes of data, got 7"},
      {"data too long", with(two("[0,4]", "[4,8]"), "xxxxxxxxx"),
       "the header must be followed by 8 bytes of data, got 9"},
      {"data of no tensor", with("{}", "x"), "the header must be followed by 0 bytes of data, got 1"},
      {"a control character", with("{\"a\n\":1}"),
       "byte 11: expected no control character in a string, got \"\\x0a\\\":1}\""},
      {"an unknown escape", with(R"({"\x41":1})"), "byte 11: expected one of \"\\/bfnrtu, got \"x41\\\":1}\""},
      {"an escape cut off", with(R"({"\u00)"), "byte 14: expected four hexadecimal digits, got the end of the header"},
      {"a code with a letter too far", with(R"({"\u00g0":1})"),
       "byte 14: expected four hexadecimal digits, got \"g0\\\":1}\""},
      {"half a surrogate pair", with(R"({"\ud83d":1})"),
       "byte 11: expected a whole surrogate pair, got \"ud83d\\\":1}\""},
      {"a surrogate pair of two firsts", with(R"({"\ud83d\ud83d":1})"),
       "byte 11: expected a whole surrogate pair, got \"ud83d\\\\ud83d\\\":1}\""},
      {"the second half of a surrogate pair alone", with(R"({"\ude00":1})"),
       "byte 11: expected a whole surrogate pair, got \"ude00\\\":1}\""},
      {"a byte that is not UTF-8", with("{\"\x80\":1}"), "byte 10: expected a UTF-8 character, got \"\\x80\\\":1}\""},
      {"an overlong character", with("{\"\xc0\xaf\":1}"),
       "byte 10: expected a UTF-8 character, got \"\\xc0\\xaf\\\":1}\""},
      {"a surrogate in UTF-8", with("{\"\xed\xa0\x80\":1}"),
       "byte 10: expected a UTF-8 character, got \"\\xed\\xa0\\x80\\\":1}\""},
      {"a character cut off", with("{\"\xe2\x82\":1}"),
       "byte 10: expected a UTF-8 character, got \"\\xe2\\x82\\\":1}\""},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    CHECK(error_of<FormatError>([&] { Safetensors(bytes_of(row.file), "x"); }) ==
          std::string("unfold::Safetensors: x: ") + row.message);
  }
}
