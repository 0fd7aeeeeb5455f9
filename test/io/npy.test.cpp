// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/shared_data.hpp"

#include <unfold/core/random.hpp>
#include <unfold/io/npy.hpp>

#include <cstdlib>  // std::system
#include <cstring>  // std::memcpy
#include <limits>
#include <sstream>
#include <utility>  // std::integer_sequence

using namespace std::string_literals;
using unfold::Index;
using unfold::NpyHeader;
using unfold::parse_npy;
using unfold::Random;
using unfold::read_npy;
using unfold::read_npy_header;
using unfold::Shape;
using unfold::Tensor;
using unfold::TensorView;
using unfold::write_npy;
using unfold::test::bytes_of;
using unfold::test::error_of;
using unfold::test::read_whole;
using unfold::test::ScratchFolder;
using unfold::test::write_whole;

namespace {

/// What NumPy 1.24 wrote: `start` (magic, version, length), the literal, spaces and a line end up to byte 128, `data`.
std::string from_numpy(const std::string& start, const std::string& literal, const std::string& data) {
  std::string file = "\x93NUMPY" + start + literal;
  return file.append(127 - file.size(), ' ') + '\n' + data;
}

/// Random bytes: NaNs with payloads, infinities, subnormals and -0 among them.
template <class T, int Rank>
Tensor<T, Rank> random_bits(const Shape<Rank>& shape, std::uint64_t seed) {
  Tensor<T, Rank> t(shape);
  Random random(seed);
  for (Index i = 0; i < t.size(); ++i) {
    const std::uint64_t bits = random.next();
    std::memcpy(t.data() + i, &bits, sizeof(T));
  }
  if constexpr (std::floating_point<T>) {
    const T special[] = {T(-0.0), std::numeric_limits<T>::denorm_min(), -std::numeric_limits<T>::infinity(),
                         std::numeric_limits<T>::signaling_NaN()};
    if (t.size() >= 4) std::memcpy(t.data(), special, sizeof special);
  }
  return t;
}

template <class T, int Rank>
bool same_bits(const Tensor<T, Rank>& a, const Tensor<T, Rank>& b) {
  return a.shape() == b.shape() &&
         (a.size() == 0 || std::memcmp(a.data(), b.data(), sizeof(T) * static_cast<std::size_t>(a.size())) == 0);
}

template <class T, int Rank>
void check_round_trip(const ScratchFolder& folder, const Shape<Rank>& shape) {
  const Tensor<T, Rank> written = random_bits<T>(shape, static_cast<std::uint64_t>(Rank));
  write_npy(folder / "t.npy", written);
  CHECK(same_bits(read_npy<T, Rank>(folder / "t.npy"), written));
}

}  // namespace

TEMPLATE_TEST_CASE("a tensor of any rank comes back from .npy bit for bit", "", float, double, std::uint8_t,
                   std::int32_t, std::int64_t) {
  const ScratchFolder folder;
  check_round_trip<TestType, 1>(folder, {7});
  check_round_trip<TestType, 2>(folder, {3, 5});
  check_round_trip<TestType, 3>(folder, {2, 3, 4});
  check_round_trip<TestType, 4>(folder, {2, 1, 3, 5});
  check_round_trip<TestType, 5>(folder, {2, 3, 1, 2, 2});
  check_round_trip<TestType, 6>(folder, {1, 2, 3, 1, 2, 2});
  check_round_trip<TestType, 7>(folder, {2, 1, 2, 1, 2, 1, 3});
  check_round_trip<TestType, 8>(folder, {2, 1, 2, 1, 2, 1, 2, 3});
  check_round_trip<TestType, 1>(folder, {0});
  check_round_trip<TestType, 3>(folder, {2, 0, 4});
  check_round_trip<TestType, 2>(folder, {300, 401});  // more than one gathered piece
}

namespace {

/// Reads what write_npy wrote; says what it found, one line a file, leaves the elements bare in <i>.raw, and writes the
/// array again as <i>.back.npy: in either order, in each version, a single element as a number too.
constexpr const char* numpy_script = R"(
import sys, numpy
folder, count = sys.argv[1], int(sys.argv[2])
for i in range(count):
    a = numpy.load(f"{folder}/{i}.npy", allow_pickle=False)
    print(a.dtype.str, list(a.shape))
    with open(f"{folder}/{i}.raw", "wb") as raw:
        raw.write(a.tobytes(order="C"))
    back = a.reshape(()) if a.shape == (1,) else numpy.asfortranarray(a) if i % 2 else a
    with open(f"{folder}/{i}.back.npy", "wb") as file:
        numpy.lib.format.write_array(file, back, version=(1 + i % 3, 0))
)";

/// A Python that has NumPy, or nothing.
std::string python_with_numpy() {
  for (const char* python : {"python3", "/usr/bin/python3"}) {
    if (std::system((python + " -c 'import numpy' 2>/dev/null"s).c_str()) == 0) return python;
  }
  return "";
}

/// Random extents, an empty one among them now and then, and a few that need more than one piece.
template <int Rank>
Shape<Rank> random_shape(Random& random) {
  Shape<Rank> shape;
  for (Index& extent : shape) extent = random.below(20) == 0 ? 0 : 1 + random.below(Rank > 4 ? 3 : 7);
  if (Rank < 3 && random.below(8) == 0) shape[0] = 20'000;
  return shape;
}

/// Array `i` of a type, of rank 1 to 8, given to f.
template <class T, class F>
void with_array(int i, F&& f) {
  Random random(static_cast<std::uint64_t>(i));
  const auto call = [&]<int Rank>(std::integral_constant<int, Rank>) {
    const Shape<Rank> shape = random_shape<Rank>(random);
    f(random_bits<T>(shape, random.next()));
  };
  [&]<int... Before>(std::integer_sequence<int, Before...>) {
    ((i % 8 == Before ? call(std::integral_constant<int, Before + 1>()) : void()), ...);
  }(std::make_integer_sequence<int, 8>());
}

}  // namespace

TEMPLATE_TEST_CASE("NumPy reads what is written, and what it writes of that is read, bit for bit", "", float, double,
                   std::uint8_t, std::int32_t, std::int64_t) {
  const std::string python = python_with_numpy();
  if (python.empty()) SKIP("there is no Python with NumPy");
  const ScratchFolder folder;
  const int count = unfold::test::long_tests() ? 200 : 40;  // of each of the five types
  for (int i = 0; i < count; ++i) {
    with_array<TestType>(i, [&](const auto& written) { write_npy(folder / (std::to_string(i) + ".npy"), written); });
  }
  write_whole(folder / "script.py", numpy_script);
  REQUIRE(std::system((python + " " + (folder / "script.py").string() + " " + folder.path().string() + " " +
                       std::to_string(count) + " > " + (folder / "found").string())
                          .c_str()) == 0);
  std::istringstream found(read_whole(folder / "found"));
  for (int i = 0; i < count; ++i) {
    with_array<TestType>(i, [&]<int Rank>(const Tensor<TestType, Rank>& written) {
      INFO("array " << i);
      const std::string raw = read_whole(folder / (std::to_string(i) + ".raw"));
      const auto bytes = static_cast<std::size_t>(written.size()) * sizeof(TestType);
      std::string line;
      std::getline(found, line);
      CHECK(line == std::string(unfold::detail::FileType<TestType>::npy) + " " + to_string(written.shape()));
      CHECK((raw.size() == bytes && (bytes == 0 || std::memcmp(raw.data(), written.data(), bytes) == 0)));
      CHECK(same_bits(read_npy<TestType, Rank>(folder / (std::to_string(i) + ".back.npy")), written));
    });
  }
}

TEST_CASE("a strided view is written as what it shows") {
  const ScratchFolder folder;
  const Tensor<float, 3> t = random_bits<float, 3>({200, 30, 40}, 1);
  write_npy(folder / "slice.npy", t.slice(1, 3, 20).slice(2, 1, 39));
  CHECK(same_bits(read_npy<float, 3>(folder / "slice.npy"), Tensor<float, 3>(t.slice(1, 3, 20).slice(2, 1, 39))));
  const TensorView<const float, 2> columns(t.data(), {40, 6000}, {1, 40});
  write_npy(folder / "columns.npy", columns);
  CHECK(same_bits(read_npy<float, 2>(folder / "columns.npy"), Tensor<float, 2>(columns)));
}

TEST_CASE("what is written is what NumPy writes, the elements from a multiple of 64 bytes on") {
  const ScratchFolder folder;
  Tensor<float, 2> t({2, 3});
  t(0, 0) = 1;
  t(0, 1) = -2.5F;
  t(0, 2) = 3;
  t(1, 1) = std::numeric_limits<float>::denorm_min();
  t(1, 2) = std::numeric_limits<float>::infinity();
  write_npy(folder / "t.npy", t);
  const std::string data("\0\0\x80\x3f\0\0\x20\xc0\0\0\x40\x40\0\0\0\0\1\0\0\0\0\0\x80\x7f", 24);
  CHECK(read_whole(folder / "t.npy") ==
        from_numpy("\1\0v\0"s, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", data));

  write_npy(folder / "v.npy", Tensor<std::int64_t, 1>(Shape<1>(1)));
  CHECK(read_whole(folder / "v.npy") ==
        from_numpy("\1\0v\0"s, "{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }", std::string(8, '\0')));

  write_npy(folder / "long.npy", Tensor<std::uint8_t, 30>(Shape<30>(std::array<Index, 30>{})));
  CHECK(read_npy_header(folder / "long.npy").data_begin == 192);
}

TEST_CASE("files that NumPy wrote are read") {
  // array([[1, 2, 3], [4, 5, 6]], order='F')
  const auto f = [](std::size_t i) {
    return "\0\0\0\0\0\0"s + "\xf0\x3f\0\x40\x08\x40\x10\x40\x14\x40\x18\x40"s.substr(2 * i, 2);
  };
  const std::string fortran = from_numpy("\1\0v\0"s, "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }",
                                         f(0) + f(3) + f(1) + f(4) + f(2) + f(5));
  const Tensor<double, 2> matrix = parse_npy<double, 2>(bytes_of(fortran), "f.npy");
  for (Index i = 0; i < 6; ++i) CHECK(matrix(i / 3, i % 3) == static_cast<double>(i + 1));

  // version 2.0, uint8 [1, 2, 255]
  const std::string second =
      from_numpy("\2\0t\0\0\0"s, "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", "\1\2\xff");
  CHECK(parse_npy<std::uint8_t, 1>(bytes_of(second), "2.npy")(2) == 255);

  // version 3.0, int32 [[[-1]], [[7]]]
  const std::string third = from_numpy("\3\0t\0\0\0"s, "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 1, 1), }",
                                       "\xff\xff\xff\xff\7\0\0\0"s);
  CHECK(parse_npy<std::int32_t, 3>(bytes_of(third), "3.npy")(0, 0, 0) == -1);
  CHECK(parse_npy<std::int32_t, 3>(bytes_of(third), "3.npy")(1, 0, 0) == 7);

  // float32 of shape (0, 4)
  const std::string empty = from_numpy("\1\0v\0"s, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4), }", "");
  CHECK(parse_npy<float, 2>(bytes_of(empty), "0.npy").shape() == Shape<2>(0, 4));
}

TEST_CASE("a single number is read as a vector of one element") {
  const ScratchFolder folder;
  write_whole(folder / "n.npy", from_numpy("\1\0v\0"s, "{'descr': '<i8', 'fortran_order': False, 'shape': (), }",
                                           "\xfd\xff\xff\xff\xff\xff\xff\xff"));
  CHECK(read_npy_header(folder / "n.npy").shape.empty());
  const Tensor<std::int64_t, 1> number = read_npy<std::int64_t, 1>(folder / "n.npy");
  REQUIRE(number.shape() == Shape<1>(1));
  CHECK(number(0) == -3);
  CHECK(error_of<unfold::FormatError>([&] { read_npy<std::int64_t, 2>(folder / "n.npy"); }) ==
        "unfold::read_npy: " + (folder / "n.npy").string() + ": rank must be 2, got shape []");
}

TEST_CASE("the header alone can be read, of elements that are not read too") {
  const ScratchFolder folder;
  write_whole(folder / "c.npy",
              from_numpy("\1\0v\0"s, "{\"shape\": (2, 3,),'fortran_order':True,  'descr' : '<c8'}", "?"));
  const NpyHeader header = read_npy_header(folder / "c.npy");
  CHECK(header.dtype == "<c8");
  CHECK(header.shape == std::vector<Index>{2, 3});
  CHECK(header.fortran_order);
  CHECK(header.data_begin == 128);
  CHECK(header.data_bytes == 1);
}

TEST_CASE("a file that is not there is an error of the system") {
  CHECK(error_of<std::system_error>([] { read_npy<float, 1>("no/such.npy"); }) ==
        "unfold::read_npy: cannot open no/such.npy: No such file or directory");
  CHECK(error_of<std::system_error>([] { read_npy<float, 1>("/"); }) ==
        "unfold::read_npy: cannot read /: Is a directory");
  CHECK(error_of<std::system_error>([] { read_npy_header("/dev/null"); }) ==
        "unfold::read_npy_header: cannot read, as it is no regular file, /dev/null: Invalid argument");
}

TEST_CASE("every .npy file of the conformance data is read") {
  const std::filesystem::path folder = unfold::test::shared("conformance");
  if (folder.empty()) SKIP(unfold::test::absent("conformance"));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".npy") continue;
    const NpyHeader header = read_npy_header(entry.path());
    INFO(entry.path());
    const bool vector = header.shape.size() == 1;
    Index size = 0;
    if (header.dtype == "<f4") {
      size = vector ? read_npy<float, 1>(entry.path()).size() : read_npy<float, 4>(entry.path()).size();
    } else {
      size = vector ? read_npy<double, 1>(entry.path()).size() : read_npy<double, 4>(entry.path()).size();
    }
    if (size * (header.dtype == "<f4" ? 4 : 8) != header.data_bytes) FAIL("not all of it");
  }
}
