// SPDX-License-Identifier: MIT
// What a reader must survive: a small valid file cut off at every byte, with every bit flipped, and with
// pieces of it overwritten at random.
#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/largest_allocation.hpp"

#include <unfold/core/random.hpp>
#include <unfold/io/checkpoint.hpp>
#include <unfold/io/idx.hpp>
#include <unfold/io/npy.hpp>

using namespace std::string_literals;
using unfold::FormatError;
using unfold::IdxHeader;
using unfold::Index;
using unfold::NpyHeader;
using unfold::parse_idx;
using unfold::parse_npy;
using unfold::Random;
using unfold::Safetensors;
using unfold::Shape;
using unfold::Tensor;
using unfold::test::bytes_of;
using unfold::test::LargestAllocation;
using unfold::test::ScratchFolder;
using unfold::test::write_whole;

namespace {

constexpr std::size_t a_page = 4096;

/// Calls read(bytes) for damaged copies of `file`. It may throw FormatError and nothing else, and asks for no more
/// memory than a page at once; what it has read it checks itself. None of the file's beginnings may be read.
template <class Read>
void check_survives(const std::string& file, Read&& read) {
  Index refused = 0;
  Index cases = 0;
  const auto attempt = [&](const std::string& damaged) {
    ++cases;
    const LargestAllocation largest;
    try {
      read(damaged);
    } catch (const FormatError&) {
      ++refused;
    }
    if (largest.bytes() > a_page) FAIL("asked for " << largest.bytes() << " bytes at once");
  };

  read(file);  // whole, it is read
  for (std::size_t length = 0; length < file.size(); ++length) attempt(file.substr(0, length));
  CHECK(refused == cases);

  for (std::size_t bit = 0; bit < 8 * file.size(); ++bit) {
    std::string damaged = file;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    attempt(damaged);
  }

  Random random(1);
  for (int i = 0; i < 5000; ++i) {
    std::string damaged = file;
    for (Index piece = 1 + random.below(3); piece > 0; --piece) {
      const auto size = static_cast<Index>(damaged.size());
      const Index length = random.below(8);
      const auto from = static_cast<std::size_t>(random.below(size - 8));
      const auto to = static_cast<std::size_t>(random.below(size - 8));
      const std::string copied = damaged.substr(from, static_cast<std::size_t>(length));
      if (random.below(2) == 0) {
        damaged.replace(to, copied.size(), copied);  // same length
      } else {
        damaged.insert(to, copied);
      }
    }
    attempt(damaged);
  }
  CHECK(refused > cases / 2);
  CHECK(refused < cases);  // a bit of an element
}

/// Whether a tensor has the shape that its file's header says, and the last bytes of the file, in row-major order.
template <class T, int Rank>
bool is_the_end_of(const std::string& file, const std::vector<Index>& shape, const Tensor<T, Rank>& tensor) {
  const std::size_t bytes = static_cast<std::size_t>(tensor.size()) * sizeof(T);
  return std::equal(shape.begin(), shape.end(), tensor.shape().begin(), tensor.shape().end()) && bytes <= file.size() &&
         (bytes == 0 || std::memcmp(tensor.data(), file.data() + file.size() - bytes, bytes) == 0);
}

/// Reads a .npy file of float elements and the given rank.
template <int Rank>
void read_floats(const std::string& file, const NpyHeader& header) {
  const Tensor<float, Rank> tensor = parse_npy<float, Rank>(bytes_of(file), "x.npy");
  const bool same =
      header.fortran_order ? tensor.size() * 4 == header.data_bytes : is_the_end_of(file, header.shape, tensor);
  if (!same) FAIL("elements from elsewhere");
}

/// The header's length has `length_bytes` bytes: 2 in version 1.0, 4 in 2.0.
void check_npy(char version, int length_bytes, const std::string& order) {
  const std::string literal = "{'descr': '<f4', 'fortran_order': " + order + ", 'shape': (2, 3), }\n";
  std::string file = "\x93NUMPY"s + version + '\0' + static_cast<char>(literal.size());
  file.append(static_cast<std::size_t>(length_bytes - 1), '\0').append(literal).append("elements are 24 bytes...");
  check_survives(file, [](const std::string& damaged) {
    const NpyHeader header = unfold::parse_npy_header(bytes_of(damaged), "x.npy");
    if (header.shape.size() == 1) read_floats<1>(damaged, header);
    if (header.shape.size() == 2) read_floats<2>(damaged, header);
    if (header.shape.size() == 3) read_floats<3>(damaged, header);
  });
}

/// All that a checkpoint asks of a network.
struct Net {
  Tensor<float, 2> weights{{2, 3}};
  Tensor<double, 1> bias{Shape<1>(2)};

  template <class Visit>
  void visit_state(Visit&& visit) {
    visit("0.weights", weights.view());
    visit("0.bias", bias.view());
  }
};

}  // namespace

TEST_CASE("a .npy file damaged anywhere is refused or read as a tensor of its size") {
  check_npy(1, 2, "False");
  check_npy(1, 2, "True");
  check_npy(2, 4, "False");
}

TEST_CASE("an IDX file damaged anywhere is refused or read as a tensor of its size") {
  check_survives("\0\0\x08\3\0\0\0\2\0\0\0\3\0\0\0\2abcdefghijkl"s, [](const std::string& damaged) {
    const IdxHeader header = unfold::parse_idx_header(bytes_of(damaged), "x.idx");
    const auto check = [&](const auto& tensor) {
      if (!is_the_end_of(damaged, header.shape, tensor)) FAIL("elements from elsewhere");
    };
    if (header.shape.size() == 1) check(parse_idx<1>(bytes_of(damaged), "x.idx"));
    if (header.shape.size() == 2) check(parse_idx<2>(bytes_of(damaged), "x.idx"));
    if (header.shape.size() == 3) check(parse_idx<3>(bytes_of(damaged), "x.idx"));
  });
}

TEST_CASE("a safetensors file damaged anywhere is refused or holds tensors of its size") {
  const std::string json = R"({"__metadata__":{"epoch":"3"},"0.b":{"dtype":"F64","shape":[2],"data_offsets":[0,16]},)"
                           R"("0.w":{"dtype":"F32","shape":[2,3],"data_offsets":[16,40]}} )";
  const std::string start = static_cast<char>(json.size()) + std::string(7, '\0') + json;
  check_survives(start + "here are forty bytes: sixteen, then 24..", [](const std::string& damaged) {
    Safetensors file(bytes_of(damaged), "x");
    Index bytes = 0;
    for (const Safetensors::TensorInfo& tensor : file.tensors()) bytes += tensor.end - tensor.begin;
    if (static_cast<std::size_t>(bytes) + 8 > damaged.size()) FAIL("elements from nowhere");
    Tensor<float, 2> w({2, 3});
    file.read("0.w", w);
    if (!is_the_end_of(damaged, {2, 3}, w)) FAIL("elements from elsewhere");
  });
}

TEST_CASE("a checkpoint damaged anywhere is refused, with the network as it was, or read with its own shapes") {
  const ScratchFolder folder;
  Net saved;
  saved.weights.fill(0.1F);
  saved.bias.fill(-0.2);
  unfold::save_checkpoint(folder / "c", saved, {{"epoch", "3"}});
  const std::string file = unfold::test::read_whole(folder / "c");
  const auto attempt = [&](const std::string& damaged) {
    write_whole(folder / "damaged", damaged);
    Net net;
    try {
      unfold::load_checkpoint(folder / "damaged", net);
    } catch (const FormatError&) {
      if (net.weights != Net().weights || net.bias != Net().bias) FAIL("half a network");
      return false;
    }
    if (!is_the_end_of(damaged, {2, 3}, net.weights)) FAIL("elements from elsewhere");
    return true;
  };
  CHECK(attempt(file));
  for (std::size_t length = 0; length < file.size(); ++length) {
    if (attempt(file.substr(0, length))) FAIL("read from " << length << " bytes");
  }
  std::size_t read = 0;
  for (std::size_t bit = 0; bit < 8 * file.size(); ++bit) {
    std::string damaged = file;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    read += attempt(damaged) ? 1 : 0;
  }
  CHECK(read >= 8 * 40);     // the bits of its elements: the format has no checksum
  CHECK(read < 2 * 8 * 40);  // and a few of its text
}
