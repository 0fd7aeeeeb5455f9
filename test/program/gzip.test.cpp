// SPDX-License-Identifier: MIT
#include "gzip.hpp"

#include "packed.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

#include <unfold/core/error.hpp>

#include <string>
#include <system_error>

namespace unfold::program {
namespace {

using test::bytes_of, test::error_of, test::packed;

std::string text_of_bytes(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string unpacked(const std::string& text, std::size_t limit = largest_file) {
  return text_of_bytes(unpack_gzip(bytes_of(text), "f.gz", limit));
}

std::string refused(const std::string& text, std::size_t limit = largest_file) {
  return error_of<FormatError>([&] { unpacked(text, limit); });
}

/// More than the chunks in which it is unpacked, and hard to pack.
std::string long_text() {
  std::string text;
  for (unsigned i = 0, x = 1; i < 1'000'000; ++i, x = x * 1664525u + 1013904223u) text += static_cast<char>(x >> 24);
  return text;
}

TEST_CASE("gzip data is unpacked to what was packed, members joined") {
  CHECK(unpacked(packed("")).empty());
  CHECK(unpacked(packed("seven")) == "seven");
  CHECK(unpacked(packed("one ") + packed("") + packed("two")) == "one two");
  CHECK(unpacked(packed(long_text())) == long_text());
}

TEST_CASE("a file that ends inside its gzip data is refused, wherever it ends") {
  const std::string whole = packed("some digits: 0123456789");
  for (std::size_t n = 0; n < whole.size(); ++n) {
    CAPTURE(n);
    CHECK(refused(whole.substr(0, n)) == "f.gz: byte " + std::to_string(n) + ": the file ends inside its gzip data");
  }
}

TEST_CASE("damaged gzip data is refused with the byte where it shows") {
  using Catch::Matchers::ContainsSubstring;  // the rest of the message is zlib's own
  std::string wrong_sum = packed("some digits");
  wrong_sum[wrong_sum.size() - 8] ^= 1;  // of the CRC
  CHECK_THAT(refused(wrong_sum), ContainsSubstring("f.gz: byte ") && ContainsSubstring(": damaged gzip data ("));
  std::string wrong_method = packed("some digits");
  wrong_method[2] = 7;
  CHECK_THAT(refused(wrong_method), ContainsSubstring("f.gz: byte ") && ContainsSubstring(": damaged gzip data ("));
  CHECK(refused(packed("one") + "more") ==
        "f.gz: byte " + std::to_string(packed("one").size()) + ": bytes follow the gzip data");
}

TEST_CASE("gzip data that unpacks to more than the limit is refused before it fills the memory") {
  const std::string zeros = packed(std::string(100'000'000, '\0'));
  CHECK(zeros.size() < 200'000);
  CHECK_THAT(refused(zeros, 1'000'000), Catch::Matchers::ContainsSubstring(": unpacks to more than 1000000 bytes"));
  CHECK(unpacked(packed("1234"), 4) == "1234");
  CHECK_THAT(refused(packed("12345"), 4), Catch::Matchers::ContainsSubstring(": unpacks to more than 4 bytes"));
}

TEST_CASE("a file is read as it is, or unpacked if its bytes say gzip, whatever its name") {
  const test::ScratchFolder folder;
  test::write_whole(folder / "plain.gz", "plain");
  test::write_whole(folder / "packed", packed("hidden"));
  test::write_whole(folder / "empty", "");
  CHECK(text_of_bytes(read_file(folder / "plain.gz").bytes) == "plain");
  CHECK_FALSE(read_file(folder / "plain.gz").packed);
  CHECK(text_of_bytes(read_file(folder / "packed").bytes) == "hidden");
  CHECK(read_file(folder / "packed").packed);
  CHECK(read_file(folder / "empty").bytes.empty());
  CHECK(error_of<FormatError>([&] { read_file(folder / "plain.gz", 4); }) ==
        (folder / "plain.gz").string() + ": must be at most 4 bytes, got 5");
  CHECK(error_of<std::system_error>([&] { read_file(folder / "none"); }) ==
        "unfold::read_file: cannot open " + (folder / "none").string() + ": No such file or directory");
}

}  // namespace
}  // namespace unfold::program
