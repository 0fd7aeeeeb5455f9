// SPDX-License-Identifier: MIT
// IDX files, the format of MNIST: two zero bytes, element type, rank, the sizes as big-endian 32-bit numbers, the
// elements. takes a path or bytes -> gives a Tensor<std::uint8_t, Rank>, and back.
#pragma once

#include <unfold/io/file.hpp>

namespace unfold {

/// The element types of the IDX format, by their codes.
enum class IdxType : std::uint8_t {
  uint8 = 0x08,
  int8 = 0x09,
  int16 = 0x0b,
  int32 = 0x0c,
  float32 = 0x0d,
  float64 = 0x0e,
};

/// What the header of an IDX file says.
struct IdxHeader {
  IdxType type;
  std::vector<Index> shape;
};

namespace detail {

/// Name and bytes of an element type; bytes 0 if the format has no such type.
struct IdxTypeFacts {
  std::string_view name;
  Index bytes;
};
inline IdxTypeFacts idx_facts(IdxType type) {
  switch (type) {
    case IdxType::uint8: return {"uint8", 1};
    case IdxType::int8: return {"int8", 1};
    case IdxType::int16: return {"int16", 2};
    case IdxType::int32: return {"int32", 4};
    case IdxType::float32: return {"float32", 4};
    case IdxType::float64: return {"float64", 8};
  }
  return {"", 0};
}

inline IdxHeader parse_idx_header(const Source& source) {
  unsigned char start[4] = {};
  const Index there = std::min<Index>(source.size(), 4);
  source.read(0, start, there);
  if (there >= 2 && start[0] == 0x1f && start[1] == 0x8b) {
    source.fail("the file is compressed by gzip: decompress it first; byte 0: expected \\x00\\x00", "\\x1f\\x8b");
  }
  if (there < 4) source.fail("the file must be at least 4 bytes long", std::to_string(source.size()));
  if (start[0] != 0 || start[1] != 0) {
    source.fail("byte 0: expected \\x00\\x00", in_quotes({reinterpret_cast<const char*>(start), 2}));
  }
  const auto type = static_cast<IdxType>(start[2]);
  const Index element_bytes = idx_facts(type).bytes;
  if (element_bytes == 0)
    source.fail("byte 2: expected an element type 8, 9, 11, 12, 13 or 14", std::to_string(start[2]));
  const Index rank = start[3];
  if (rank == 0) source.fail("byte 3: expected a rank >= 1", "0");
  const Index data_begin = 4 + 4 * rank;
  if (source.size() < data_begin) {
    source.fail("rank " + std::to_string(rank) + " needs a header of " + std::to_string(data_begin) + " bytes",
                "a file of " + std::to_string(source.size()));
  }
  IdxHeader header{type, {}};
  for (Index d = 0; d < rank; ++d) {
    unsigned char digits[4];
    source.read(4 + 4 * d, digits, 4);
    Index extent = 0;
    for (const unsigned char digit : digits) extent = extent * 0x100 + digit;
    header.shape.push_back(extent);
  }
  const Index needed = bytes_of_shape(header.shape, element_bytes);
  if (needed < 0) source.fail("the size in bytes must fit 63 bits", "shape " + shape_text(header.shape));
  if (needed != source.size() - data_begin) {
    source.fail("shape " + shape_text(header.shape) + " of " + std::string(idx_facts(type).name) + " needs " +
                    std::to_string(needed) + " bytes from byte " + std::to_string(data_begin) + " to the end",
                std::to_string(source.size() - data_begin));
  }
  return header;
}

template <int Rank>
Tensor<std::uint8_t, Rank> read_idx(const Source& source) {
  const IdxHeader header = parse_idx_header(source);
  if (header.type != IdxType::uint8) source.fail("byte 2: expected elements uint8", idx_facts(header.type).name);
  if (header.shape.size() != Rank) {
    source.fail("byte 3: expected rank " + std::to_string(Rank), "shape " + shape_text(header.shape));
  }
  Shape<Rank> shape;
  std::copy(header.shape.begin(), header.shape.end(), shape.begin());
  Tensor<std::uint8_t, Rank> tensor(shape);
  source.read(source.size() - tensor.size(), tensor.data(), tensor.size());
  return tensor;
}

}  // namespace detail

/// "uint8", "int16", ...
inline std::string to_string(IdxType type) { return std::string(detail::idx_facts(type).name); }

/// The header of an IDX file, checked against the file's size.
///
/// Errors  FormatError naming the byte; std::system_error if the file cannot be read
inline IdxHeader read_idx_header(const std::filesystem::path& path) {
  return detail::parse_idx_header(detail::Source("read_idx_header", path));
}
/// The same of a file already in memory, e.g. decompressed; `name` stands for it in messages.
inline IdxHeader parse_idx_header(std::span<const std::byte> bytes, std::string_view name) {
  return detail::parse_idx_header(detail::Source("parse_idx_header", bytes, name));
}

/// The tensor in an IDX file of uint8 elements.
///
/// Errors  FormatError if the file is malformed, compressed, of other elements or another rank: all of it found
///         before the elements are allocated; std::system_error if it cannot be read
template <int Rank>
Tensor<std::uint8_t, Rank> read_idx(const std::filesystem::path& path) {
  return detail::read_idx<Rank>(detail::Source("read_idx", path));
}
/// The same of a file already in memory, e.g. decompressed; `name` stands for it in messages.
template <int Rank>
Tensor<std::uint8_t, Rank> parse_idx(std::span<const std::byte> bytes, std::string_view name) {
  return detail::read_idx<Rank>(detail::Source("parse_idx", bytes, name));
}

/// Writes a Tensor or TensorView of uint8 elements, of any strides.
///
/// Errors  ShapeError if an extent passes 32 bits; std::system_error; strong guarantee: the old file,
///         if there was one, is then still there
template <FileTensor X>
  requires std::same_as<ValueOf<X>, std::uint8_t> && (ReadableView<X>::rank <= 255)
void write_idx(const std::filesystem::path& path, const X& tensor) {
  const ReadableView<const X> view = tensor;
  constexpr int rank = ReadableView<const X>::rank;
  std::string header{'\0', '\0', static_cast<char>(IdxType::uint8), static_cast<char>(rank)};
  for (const Index extent : view.shape()) {
    detail::require(extent <= 0xffffffff, "write_idx", "every extent must fit 32 bits", view.shape());
    for (const int shift : {24, 16, 8, 0}) header += static_cast<char>(extent >> shift & 0xff);
  }
  detail::write_file_atomically("write_idx", path, [&](detail::OutputFile& file) {
    file.write(header);
    file.write(view);
  });
}

}  // namespace unfold
