// SPDX-License-Identifier: MIT
// NumPy's .npy files: reads versions 1.0, 2.0 and 3.0, writes 1.0 with the elements at a multiple of 64 bytes.
// takes a path -> gives a Tensor<T, Rank>, and back, bit for bit.
#pragma once

#include <unfold/io/cursor.hpp>

namespace unfold {

/// What the header of a .npy file says.
struct NpyHeader {
  std::string dtype;         // NumPy's code: "<f4", "<f8", "|u1", "<i4", "<i8", or another one, which is not read
  std::vector<Index> shape;  // empty: the file holds a single number
  bool fortran_order = false;
  Index data_begin = 0;  // byte
  Index data_bytes = 0;  // from there to the end of the file
};

namespace detail {

inline constexpr Index npy_header_limit = Index{64} << 10;  // bytes

/// The element size of the types that are read, or 0.
inline Index npy_element_bytes(std::string_view dtype) {
  if (dtype == FileType<std::uint8_t>::npy) return 1;
  if (dtype == FileType<float>::npy || dtype == FileType<std::int32_t>::npy) return 4;
  if (dtype == FileType<double>::npy || dtype == FileType<std::int64_t>::npy) return 8;
  return 0;
}

/// A string in single or double quotes, of printable ASCII without escapes.
inline std::string npy_string(Cursor& cursor, std::string_view what) {
  cursor.skip_blanks();
  const char quote = cursor.peek();
  if (quote != '\'' && quote != '"') cursor.fail(what);
  std::string text;
  for (cursor.step(1); cursor.peek() != quote; cursor.step(1)) {
    const char c = cursor.peek();
    if (c < ' ' || c == '\x7f' || c == '\\') cursor.fail("a printable character or the closing quote");
    text += c;
  }
  cursor.step(1);
  return text;
}

inline bool npy_bool(Cursor& cursor) {
  if (cursor.accept("True")) return true;
  if (!cursor.accept("False")) cursor.fail("True or False");
  return false;
}

/// A tuple of sizes: "()", "(3,)", "(3, 4)", "(3, 4,)"; "(3)" is none.
inline std::vector<Index> npy_shape(Cursor& cursor) {
  std::vector<Index> shape;
  cursor.expect("(");
  while (!cursor.accept(")")) {
    if (shape.size() == axes_limit) cursor.fail("')' after " + std::to_string(axes_limit) + " sizes");
    shape.push_back(cursor.integer());
    if (shape.size() > 1 && cursor.accept(")")) break;
    cursor.expect(",");
  }
  return shape;
}

/// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } with the keys in any order, then spaces and a line end.
inline NpyHeader parse_npy_literal(Cursor& cursor) {
  NpyHeader header;
  bool descr = false;
  bool order = false;
  bool shape = false;
  cursor.expect("{");
  while (!cursor.accept("}")) {
    const std::size_t start = cursor.position();
    const std::string key = npy_string(cursor, "a key in quotes");
    bool* seen = key == "descr" ? &descr : key == "fortran_order" ? &order : key == "shape" ? &shape : nullptr;
    if (seen == nullptr || *seen) cursor.fail_at(start, "descr, fortran_order and shape, each once");
    *seen = true;
    cursor.expect(":");
    if (seen == &descr) header.dtype = npy_string(cursor, "a dtype in quotes");
    if (seen == &order) header.fortran_order = npy_bool(cursor);
    if (seen == &shape) header.shape = npy_shape(cursor);
    if (cursor.accept("}")) break;
    cursor.expect(",");
  }
  if (!descr || !order || !shape) cursor.fail("descr, fortran_order and shape before the '}'");
  if (!cursor.accept("\n") || !cursor.at_end()) cursor.fail("only spaces and one line end after the '}'");
  return header;
}

inline NpyHeader parse_npy_header(const Source& source) {
  unsigned char start[12] = {};  // magic, version, length of the literal: no .npy file is shorter
  const Index there = std::min<Index>(source.size(), 12);
  source.read(0, start, there);
  const std::string_view text(reinterpret_cast<const char*>(start), static_cast<std::size_t>(there));
  if (!text.starts_with("\x93NUMPY")) source.fail("byte 0: expected \\x93NUMPY", in_quotes(text.substr(0, 6)));
  if (there < 12) source.fail("the file must be at least 12 bytes long", std::to_string(there));
  const int version = start[6];
  if (version < 1 || version > 3 || start[7] != 0) {
    source.fail("byte 6: expected version 1.0, 2.0 or 3.0", std::to_string(version) + "." + std::to_string(start[7]));
  }
  const Index length_end = version == 1 ? 10 : 12;
  Index length = start[8] + Index{start[9]} * 0x100;
  if (version > 1) length += Index{start[10]} * 0x10000 + Index{start[11]} * 0x1000000;
  if (length > npy_header_limit) {
    source.fail("byte 8: expected a header of at most " + std::to_string(npy_header_limit) + " bytes",
                std::to_string(length));
  }
  if (length > source.size() - length_end) {
    source.fail("byte 8: expected a header that ends inside the file of " + std::to_string(source.size()) + " bytes",
                std::to_string(length));
  }
  std::string literal(static_cast<std::size_t>(length), '\0');
  source.read(length_end, literal.data(), length);
  Cursor cursor(source, literal, length_end, " ");
  NpyHeader header = parse_npy_literal(cursor);
  header.data_begin = length_end + length;
  header.data_bytes = source.size() - header.data_begin;

  const Index element_bytes = npy_element_bytes(header.dtype);
  const Index needed = bytes_of_shape(header.shape, std::max<Index>(element_bytes, 1));
  if (needed < 0) source.fail("the size in bytes must fit 63 bits", "shape " + shape_text(header.shape));
  if (element_bytes > 0 && needed != header.data_bytes) {
    source.fail("shape " + shape_text(header.shape) + " of " + header.dtype + " needs " + std::to_string(needed) +
                    " bytes from byte " + std::to_string(header.data_begin) + " to the end",
                std::to_string(header.data_bytes));
  }
  return header;
}

/// Copies the file's elements from byte `begin` on into a view of any strides, in its row-major order. A piece of the
/// file at a time: beside the tensor no second one is needed.
template <class T, int Rank>
void read_elements(const Source& source, Index begin, TensorView<T, Rank> view) {
  std::vector<T> piece(static_cast<std::size_t>(std::min<Index>(view.size(), 8192)));
  const auto most = static_cast<Index>(piece.size());
  Index read = 0;
  view.for_each_run([&](T* run, Index n, Index step) {
    for (Index i = 0; i < n; ++i, ++read) {
      if (read % most == 0) {
        const Index count = std::min(most, view.size() - read);
        source.read(begin + read * Index{sizeof(T)}, piece.data(), count * Index{sizeof(T)});
      }
      run[i * step] = piece[static_cast<std::size_t>(read % most)];
    }
  });
}

template <FileElement T, int Rank>
Tensor<T, Rank> read_npy(const Source& source) {
  const NpyHeader header = parse_npy_header(source);
  if (header.dtype != FileType<T>::npy) source.fail("dtype must be " + std::string(FileType<T>::npy), header.dtype);
  Shape<Rank> shape;
  if (header.shape.empty() && Rank == 1) {
    shape[0] = 1;
  } else if (header.shape.size() == Rank) {
    std::copy(header.shape.begin(), header.shape.end(), shape.begin());
  } else {
    source.fail("rank must be " + std::to_string(Rank), "shape " + shape_text(header.shape));
  }
  Tensor<T, Rank> tensor(shape);
  if (header.fortran_order) {  // the row-major order of the tensor with its axes turned round
    Shape<Rank> stride = tensor.strides();
    std::reverse(shape.begin(), shape.end());
    std::reverse(stride.begin(), stride.end());
    read_elements(source, header.data_begin, TensorView<T, Rank>(tensor.data(), shape, stride));
  } else {
    source.read(header.data_begin, tensor.data(), header.data_bytes);
  }
  return tensor;
}

/// Version 1.0: 10 bytes, then the literal, padded so that the elements begin at a multiple of 64.
inline std::string npy_header_text(std::string_view dtype, std::span<const Index> shape) {
  const std::string list = shape_text(shape);
  const std::string sizes = list.substr(1, list.size() - 2) + (shape.size() == 1 ? "," : "");
  std::string literal = "{'descr': '" + std::string(dtype) + "', 'fortran_order': False, 'shape': (" + sizes + "), }";
  literal.append(63 - (10 + literal.size()) % 64, ' ').append("\n");
  std::string header("\x93NUMPY\x01\0", 8);
  header += static_cast<char>(literal.size() % 0x100);
  header += static_cast<char>(literal.size() / 0x100);
  return header + literal;
}

}  // namespace detail

/// The header of a .npy file, checked: for the dtypes that are read, the file's size too.
///
/// Errors  FormatError naming the byte; std::system_error if the file cannot be read
inline NpyHeader read_npy_header(const std::filesystem::path& path) {
  return detail::parse_npy_header(detail::Source("read_npy_header", path));
}

/// The same of a file already in memory; `name` stands for it in messages.
inline NpyHeader parse_npy_header(std::span<const std::byte> bytes, std::string_view name) {
  return detail::parse_npy_header(detail::Source("parse_npy_header", bytes, name));
}

/// The tensor in a .npy file. Fortran order is turned into row-major; a single number is a vector of one element.
///
/// Errors  FormatError if the file is malformed, holds other elements than T (nothing is converted) or another
///         rank: all of it found before the elements are allocated; std::system_error if it cannot be read
template <FileElement T, int Rank>
Tensor<T, Rank> read_npy(const std::filesystem::path& path) {
  return detail::read_npy<T, Rank>(detail::Source("read_npy", path));
}

/// The same of a file already in memory; `name` stands for it in messages.
template <FileElement T, int Rank>
Tensor<T, Rank> parse_npy(std::span<const std::byte> bytes, std::string_view name) {
  return detail::read_npy<T, Rank>(detail::Source("parse_npy", bytes, name));
}

/// Writes a Tensor or TensorView of any rank and strides.
///
/// Errors  std::system_error; strong guarantee: the old file, if there was one, is then still there
template <FileTensor X>
void write_npy(const std::filesystem::path& path, const X& tensor) {
  const ReadableView<const X> view = tensor;
  detail::write_file_atomically("write_npy", path, [&](detail::OutputFile& file) {
    file.write(detail::npy_header_text(detail::FileType<ValueOf<X>>::npy, {view.shape().begin(), view.shape().end()}));
    file.write(view);
  });
}

}  // namespace unfold
