// SPDX-License-Identifier: MIT
#include "io/damage.hpp"

#include <unfold/io/npy.hpp>

using namespace std::string_literals;
using unfold::FormatError;
using unfold::parse_npy;
using unfold::test::bytes_of;
using unfold::test::error_of;

namespace {

const std::string magic = "\x93NUMPY";

/// Version 1.0 with this literal, and a line end behind it.
std::string with(const std::string& literal, const std::string& data = "") {
  const std::string line = literal + "\n";
  return magic + "\1\0"s + static_cast<char>(line.size() % 256) + static_cast<char>(line.size() / 256) + line + data;
}

/// The literal of float32 elements in C order.
std::string shaped(const std::string& shape) {
  return "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }";
}

struct Row {
  const char* what;
  std::string file;
  const char* message;
};

}  // namespace

TEST_CASE("each way in which a .npy file can be malformed has its message") {
  std::string many = "(";
  for (int i = 0; i < 65; ++i) many += "1,";
  const Row rows[] = {
      {"nothing", "", "byte 0: expected \\x93NUMPY, got \"\""},
      {"a beginning", "\x93NUMP", "byte 0: expected \\x93NUMPY, got \"\\x93NUMP\""},
      {"something else", "PK\3\4\x14\0\0\0\0\0\0\0"s, "byte 0: expected \\x93NUMPY, got \"PK\\x03\\x04\\x14\\x00\""},
      {"no length", magic + "\1\0v\0{"s, "the file must be at least 12 bytes long, got 11"},
      {"version 0", magic + "\0\0v\0{}{}"s, "byte 6: expected version 1.0, 2.0 or 3.0, got 0.0"},
      {"version 4", magic + "\4\0v\0{}{}"s, "byte 6: expected version 1.0, 2.0 or 3.0, got 4.0"},
      {"version 1.1", magic + "\1\1v\0{}{}"s, "byte 6: expected version 1.0, 2.0 or 3.0, got 1.1"},
      {"an empty header", magic + "\1\0\0\0  "s, "byte 10: expected '{', got the end of the header"},
      {"a header past the end", magic + "\1\0\3\0{}"s,
       "byte 8: expected a header that ends inside the file of 12 bytes, got 3"},
      {"a header of 4 GiB", magic + "\2\0\xff\xff\xff\xff"s,
       "byte 8: expected a header of at most 65536 bytes, got 4294967295"},
      {"a header of 64 KiB and a byte", magic + "\3\0\1\0\1\0"s + std::string(65537, ' '),
       "byte 8: expected a header of at most 65536 bytes, got 65537"},
      {"no dictionary", with("('descr', '<f4')"), "byte 10: expected '{', got \"('descr', '<f4')\\x0a\""},
      {"a dictionary without end", with("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)"),
       "byte 64: expected ',', got \"\\x0a\""},
      {"a key without quotes", with("{descr: '<f4'}"), "byte 11: expected a key in quotes, got \"descr: '<f4'}\\x0a\""},
      {"a key without end", with("{'descr"),
       "byte 17: expected a printable character or the closing quote, got \"\\x0a\""},
      {"an escape in a key", with("{'de\\x73cr': '<f4'}"),
       "byte 14: expected a printable character or the closing quote, got \"\\\\x73cr': '<f4'}\\x0a\""},
      {"an unknown key", with("{'descr': '<f4', 'order': 'C'}"),
       "byte 27: expected descr, fortran_order and shape, each once, got \"'order': 'C'}\\x0a\""},
      {"a key twice", with("{'descr': '<f4', 'descr': '<f4'}"),
       "byte 27: expected descr, fortran_order and shape, each once, got \"'descr': '<f4'}\\x0a\""},
      {"a key missing", with("{'descr': '<f4', 'fortran_order': False}"),
       "byte 50: expected descr, fortran_order and shape before the '}', got \"\\x0a\""},
      {"no colon", with("{'descr' '<f4'}"), "byte 19: expected ':', got \"'<f4'}\\x0a\""},
      {"no comma", with("{'descr': '<f4' 'fortran_order': False}"),
       "byte 26: expected ',', got \"'fortran_order': False}\\x0a\""},
      {"two commas", with("{'descr': '<f4',, 'fortran_order': False}"),
       "byte 26: expected a key in quotes, got \", 'fortran_order': False\"..."},
      {"a record", with("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}"),
       "byte 20: expected a dtype in quotes, got \"[('a', '<f4')], 'fortran\"..."},
      {"an order that is a number", with("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}"),
       "byte 44: expected True or False, got \"0, 'shape': (2,)}\\x0a\""},
      {"a negative size", with(shaped("(-1,)")), "byte 61: expected a number >= 0, got \"-1,), }\\x0a\""},
      {"a size with a point", with(shaped("(2.0,)")), "byte 62: expected ',', got \".0,), }\\x0a\""},
      {"a size with a leading zero", with(shaped("(02,)")),
       "byte 61: expected a number without leading zero, got \"02,), }\\x0a\""},
      {"a size of 2^63", with(shaped("(9223372036854775808,)")),
       "byte 61: expected a number below 2^63, got \"9223372036854775808,), }\"..."},
      {"a size of 30 digits", with(shaped("(100000000000000000000000000000,)")),
       "byte 61: expected a number below 2^63, got \"100000000000000000000000\"..."},
      {"a size of Python 2", with(shaped("(2L,)")), "byte 62: expected ',', got \"L,), }\\x0a\""},
      {"a shape that is a number", with(shaped("(2)")), "byte 62: expected ',', got \"), }\\x0a\""},
      {"a shape that is a list", with(shaped("[2]")), "byte 60: expected '(', got \"[2], }\\x0a\""},
      {"a shape of a comma", with(shaped("(,)")), "byte 61: expected a number >= 0, got \",), }\\x0a\""},
      {"a shape without end", with("{'shape': (2,"), "byte 23: expected a number >= 0, got \"\\x0a\""},
      {"65 axes", with(shaped(many + ")")), "byte 189: expected ')' after 64 sizes, got \"1,), }\\x0a\""},
      {"2^62 elements of 4 bytes", with(shaped("(2147483648, 2147483648)")),
       "the size in bytes must fit 63 bits, got shape [2147483648, 2147483648]"},
      {"no elements, but strides past 2^63", with(shaped("(0, 9223372036854775807)")),
       "the size in bytes must fit 63 bits, got shape [0, 9223372036854775807]"},
      {"8 TiB", with(shaped("(2199023255552,)"), "\0\0\0\0"s),
       "shape [2199023255552] of <f4 needs 8796093022208 bytes from byte 80 to the end, got 4"},
      {"a byte too few", with(shaped("(2,)"), std::string(7, 'x')),
       "shape [2] of <f4 needs 8 bytes from byte 68 to the end, got 7"},
      {"a byte too many", with(shaped("(2,)"), std::string(9, 'x')),
       "shape [2] of <f4 needs 8 bytes from byte 68 to the end, got 9"},
      {"text behind the dictionary", with(shaped("(2,)") + " 0", std::string(8, 'x')),
       "byte 68: expected only spaces and one line end after the '}', got \"0\\x0a\""},
      {"two line ends", with(shaped("(2,)") + "\n", std::string(8, 'x')),
       "byte 68: expected only spaces and one line end after the '}', got \"\\x0a\""},
      {"a tab", with("{\t'descr': '<f4'}"), "byte 11: expected a key in quotes, got \"\\x09'descr': '<f4'}\\x0a\""},
      {"big-endian elements", with("{'descr': '>f4', 'fortran_order': False, 'shape': (2,)}", "12345678"),
       "dtype must be <f4, got >f4"},
      {"objects", with("{'descr': '|O', 'fortran_order': False, 'shape': (2,)}", "12345678"),
       "dtype must be <f4, got |O"},
      {"doubles", with("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}", "12345678"),
       "dtype must be <f4, got <f8"},
      {"a matrix", with(shaped("(1, 2)"), "12345678"), "rank must be 1, got shape [1, 2]"},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    CHECK(error_of<FormatError>([&] { parse_npy<float, 1>(bytes_of(row.file), "x.npy"); }) ==
          std::string("unfold::parse_npy: x.npy: ") + row.message);
  }
}

TEST_CASE("a header without line end is malformed") {
  const std::string literal = shaped("(0,)");
  const std::string file = magic + "\1\0"s + static_cast<char>(literal.size()) + '\0' + literal;
  CHECK(error_of<FormatError>([&] { parse_npy<float, 1>(bytes_of(file), "x.npy"); }) ==
        "unfold::parse_npy: x.npy: byte 67: expected only spaces and one line end after the '}', got the end of the "
        "header");
}

TEST_CASE("a .npy file damaged anywhere is refused or read as a tensor of its size") {
  const std::string file = with("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", std::string(24, 'x'));
  unfold::test::check_survives(file, 4096, [](const std::string& damaged) {
    const auto check = [&]<class T, int Rank>(T, std::integral_constant<int, Rank>) {
      const unfold::Tensor<T, Rank> tensor = parse_npy<T, Rank>(bytes_of(damaged), "x.npy");
      if (static_cast<std::size_t>(tensor.size()) * sizeof(T) > damaged.size()) FAIL("elements from nowhere");
    };
    const unfold::NpyHeader header = unfold::parse_npy_header(bytes_of(damaged), "x.npy");
    if (header.shape.size() == 1) check(0.F, std::integral_constant<int, 1>());
    if (header.shape.size() == 2) check(0.F, std::integral_constant<int, 2>());
    if (header.shape.size() == 3) check(0.F, std::integral_constant<int, 3>());
  });
}
