// SPDX-License-Identifier: MIT
// safetensors files: named tensors of several types and ranks, and a map of strings beside them.
// 8 bytes of header length, a header of JSON, then the elements of all tensors without gaps.
#pragma once

#include <unfold/io/json.hpp>

#include <algorithm>  // std::ranges::sort, stable_sort
#include <functional>
#include <map>
#include <set>

namespace unfold {

/// The strings that a safetensors file holds beside its tensors. Exact integers go in as decimal text.
using Metadata = std::map<std::string, std::string>;

/// A tensor to be saved: its name and a view of it, which must stay alive until it is saved.
struct SafetensorsEntry {
  template <FileTensor X>
  SafetensorsEntry(std::string_view tensor_name, const X& tensor)
      : name(tensor_name), dtype(detail::FileType<ValueOf<X>>::safetensors), element_bytes(sizeof(ValueOf<X>)) {
    const ReadableView<const X> view = tensor;
    shape.assign(view.shape().begin(), view.shape().end());
    write = [view](detail::OutputFile& file) { file.write(view); };
  }

  std::string name;
  std::string_view dtype;
  Index element_bytes;
  std::vector<Index> shape;
  std::function<void(detail::OutputFile&)> write;
};

namespace detail {

inline constexpr Index safetensors_header_limit = Index{1} << 20;  // bytes
inline constexpr std::string_view metadata_name = "__metadata__";

/// The element size of the format's whole-byte types, or 0.
inline Index safetensors_element_bytes(std::string_view dtype) {
  constexpr std::pair<std::string_view, Index> types[] = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"F8_E8M0", 1},
      {"U16", 2},  {"I16", 2}, {"F16", 2}, {"BF16", 2},    {"U32", 4},     {"I32", 4},
      {"F32", 4},  {"U64", 8}, {"I64", 8}, {"F64", 8},     {"C64", 8}};
  for (const auto& [name, bytes] : types) {
    if (dtype == name) return bytes;
  }
  return 0;
}

inline void require_utf8(std::string_view text) {
  if (!is_utf8(text)) fail("save_safetensors", "names and metadata must be UTF-8", in_quotes(text));
}

/// The header, its length in front and spaces behind, so that the data begin at a multiple of 64 bytes.
inline std::string safetensors_header(std::span<const SafetensorsEntry* const> entries, const Metadata& metadata) {
  std::string json = "{";
  const auto append_name = [&](std::string_view name) {
    require_utf8(name);
    json.append(json.back() == '{' ? "" : ",").append(to_json(name)).append(":");
  };
  if (!metadata.empty()) {
    append_name(metadata_name);
    json += '{';
    for (const auto& [key, value] : metadata) {
      append_name(key);
      require_utf8(value);
      json += to_json(value);
    }
    json += '}';
  }
  Index begin = 0;
  std::set<std::string_view> names{metadata_name};
  for (const SafetensorsEntry* entry : entries) {
    append_name(entry->name);
    if (!names.insert(entry->name).second) {
      fail("save_safetensors", "each name must stand for one tensor, and __metadata__ for none",
           in_quotes(entry->name, 200));
    }
    const Index end = begin + bytes_of_shape(entry->shape, entry->element_bytes);
    json.append(R"({"dtype":")").append(entry->dtype).append(R"(","shape":)").append(shape_text(entry->shape));
    json.append(R"(,"data_offsets":)").append(shape_text(std::vector{begin, end})).append("}");
    begin = end;
  }
  json += '}';
  json.append(63 - (json.size() + 7) % 64, ' ');
  const auto length = static_cast<Index>(json.size());
  require(length <= safetensors_header_limit, "save_safetensors", "the header must be at most 1048576 bytes", length);
  std::string header;
  for (int shift = 0; shift < 64; shift += 8) header += static_cast<char>(length >> shift & 0xff);
  return header + json;
}

}  // namespace detail

/// Writes a safetensors file: the same bytes for the same tensors, names and metadata. Wider elements come first, so
/// that all are aligned; among equals the given order stays.
///
/// Errors  ShapeError if a name stands twice, is not UTF-8 or is __metadata__, or the header passes 1 MiB;
///         std::system_error; strong guarantee: the old file, if there was one, is then still there
inline void save_safetensors(const std::filesystem::path& path, const std::vector<SafetensorsEntry>& entries,
                             const Metadata& metadata = {}) {
  std::vector<const SafetensorsEntry*> ordered;
  ordered.reserve(entries.size());
  for (const SafetensorsEntry& entry : entries) ordered.push_back(&entry);
  std::ranges::stable_sort(ordered, std::greater<>(), &SafetensorsEntry::element_bytes);
  const std::string header = detail::safetensors_header(ordered, metadata);
  detail::write_file_atomically("save_safetensors", path, [&](detail::OutputFile& file) {
    file.write(header);
    for (const SafetensorsEntry* entry : ordered) entry->write(file);
  });
}

/// A safetensors file in memory, wholly checked when it is opened: afterwards only a wrong name, type or shape fails.
class Safetensors {
 public:
  struct TensorInfo {
    std::string name;
    std::string dtype;  // "F32", "F64", "I32", "I64", "U8", or another one, which is not read
    std::vector<Index> shape;
    Index begin;  // byte of the data
    Index end;
    bool used = false;  // by check or read
  };

  /// Errors  FormatError naming the byte or tensor; std::system_error if the file cannot be read
  explicit Safetensors(const std::filesystem::path& path) : Safetensors(detail::Source("Safetensors", path)) {}

  /// The same of bytes in memory, which are copied; `name` stands for the path in messages.
  Safetensors(std::span<const std::byte> bytes, std::string_view name)
      : Safetensors(detail::Source("Safetensors", bytes, name)) {}

  const std::vector<TensorInfo>& tensors() const { return tensors_; }  // in the order of the header
  const Metadata& metadata() const { return metadata_; }
  bool contains(std::string_view name) const { return index_.contains(name); }

  /// The names that neither `check` nor `read` was given.
  std::vector<std::string> unused() const {
    std::vector<std::string> names;
    for (const TensorInfo& tensor : tensors_) {
      if (!tensor.used) names.push_back(tensor.name);
    }
    return names;
  }

  /// Errors  FormatError if the file holds no tensor of this name, or one of other elements or another shape
  template <FileElement T, int Rank>
  void check(std::string_view name, const Shape<Rank>& shape) {
    find_for_reading<T>(name, shape);
  }

  /// Copies a tensor into a Tensor or TensorView of its type and shape, of any strides.
  ///
  /// Errors  as `check`; strong guarantee: nothing written on throw
  template <FileTensor X>
    requires(!std::is_void_v<WritableView<X>>)
  void read(std::string_view name, X&& destination) {
    using T = ValueOf<X>;
    const WritableView<X> view = destination;
    const std::byte* next = data_.data() + find_for_reading<T>(name, view.shape()).begin;
    view.for_each_run([&](T* run, Index n, Index step) {
      for (Index i = 0; i < n; ++i, next += sizeof(T)) std::memcpy(run + i * step, next, sizeof(T));
    });
  }

 private:
  explicit Safetensors(const detail::Source& source) : file_(source.name()) {
    unsigned char digits[8] = {};
    const Index size = source.size();
    if (size < 8) source.fail("the file must be at least 8 bytes long", std::to_string(size));
    source.read(0, digits, 8);
    std::uint64_t length = 0;
    for (int i = 7; i >= 0; --i) length = length * 0x100 + digits[i];
    if (length > static_cast<std::uint64_t>(detail::safetensors_header_limit)) {
      source.fail("byte 0: expected a header of at most 1048576 bytes", std::to_string(length));
    }
    const Index data_begin = 8 + static_cast<Index>(length);
    if (data_begin > size) {
      source.fail("byte 0: expected a header that ends inside the file of " + std::to_string(size) + " bytes",
                  std::to_string(length));
    }
    std::string header(static_cast<std::size_t>(length), '\0');
    source.read(8, header.data(), data_begin - 8);
    detail::Cursor cursor(source, header, 8, " \t\n\r");
    parse_header(source, cursor);
    check_offsets(source, size - data_begin);
    data_.resize(static_cast<std::size_t>(size - data_begin));
    source.read(data_begin, data_.data(), size - data_begin);
  }

  void parse_header(const detail::Source& source, detail::Cursor& cursor) {
    if (cursor.peek() != '{') cursor.fail("'{'");
    bool metadata_seen = false;
    detail::for_each_member(cursor, [&](const std::string& name, std::size_t start) {
      const bool is_metadata = name == detail::metadata_name;
      if (is_metadata ? std::exchange(metadata_seen, true) : !index_.try_emplace(name, tensors_.size()).second) {
        cursor.fail_at(start, "each name once");
      }
      if (is_metadata) {
        parse_metadata(cursor);
      } else {
        tensors_.push_back(parse_tensor(source, cursor, name));
      }
    });
    if (cursor.rest().find_first_not_of(' ') != std::string_view::npos) {
      cursor.fail_at(cursor.position() + cursor.rest().find_first_not_of(' '), "only spaces after the last '}'");
    }
  }

  void parse_metadata(detail::Cursor& cursor) {
    detail::for_each_member(cursor, [&](const std::string& key, std::size_t start) {
      if (!metadata_.try_emplace(key, detail::json_string(cursor, "a value in quotes")).second) {
        cursor.fail_at(start, "each name once");
      }
    });
  }

  static TensorInfo parse_tensor(const detail::Source& source, detail::Cursor& cursor, const std::string& name) {
    TensorInfo tensor{name, {}, {}, 0, 0};
    bool dtype = false;
    bool shape = false;
    bool offsets = false;
    Index element_bytes = 0;
    detail::for_each_member(cursor, [&](const std::string& key, std::size_t start) {
      bool* seen = key == "dtype" ? &dtype : key == "shape" ? &shape : key == "data_offsets" ? &offsets : nullptr;
      if (seen == nullptr || std::exchange(*seen, true)) {
        cursor.fail_at(start, "dtype, shape and data_offsets, each once");
      }
      cursor.skip_blanks();
      const std::size_t value = cursor.position();
      if (seen == &dtype) {
        tensor.dtype = detail::json_string(cursor, "a dtype in quotes");
        element_bytes = detail::safetensors_element_bytes(tensor.dtype);
        if (element_bytes == 0) cursor.fail_at(value, "a dtype of the format");
      } else if (seen == &shape) {
        tensor.shape = detail::json_integers(cursor);
      } else {
        const std::vector<Index> range = detail::json_integers(cursor);
        if (range.size() != 2 || range[0] > range[1]) cursor.fail_at(value, "[begin, end]");
        tensor.begin = range[0];
        tensor.end = range[1];
      }
    });
    if (!dtype || !shape || !offsets) cursor.fail("dtype, shape and data_offsets before the '}'");
    const Index needed = detail::bytes_of_shape(tensor.shape, element_bytes);
    if (needed != tensor.end - tensor.begin) {
      source.fail(detail::in_quotes(name, 200) + ": shape " + detail::shape_text(tensor.shape) + " of " + tensor.dtype +
                      " needs " + (needed < 0 ? "more than 2^63" : std::to_string(needed)) + " bytes",
                  "data_offsets " + detail::shape_text(std::vector{tensor.begin, tensor.end}));
    }
    return tensor;
  }

  /// The tensors, one after the other, must be the data: no hole, no overlap, nothing behind.
  void check_offsets(const detail::Source& source, Index data_bytes) const {
    std::vector<const TensorInfo*> ordered;
    ordered.reserve(tensors_.size());
    for (const TensorInfo& tensor : tensors_) ordered.push_back(&tensor);
    std::ranges::sort(ordered, {}, [](const TensorInfo* tensor) { return std::pair(tensor->begin, tensor->end); });
    Index end = 0;
    for (const TensorInfo* tensor : ordered) {
      if (tensor->begin != end) {
        source.fail(detail::in_quotes(tensor->name, 200) + ": data_offsets must begin at " + std::to_string(end) +
                        ", where the data before it end",
                    std::to_string(tensor->begin));
      }
      end = tensor->end;
    }
    if (end != data_bytes) {
      source.fail("the header must be followed by " + std::to_string(end) + " bytes of data",
                  std::to_string(data_bytes));
    }
  }

  template <FileElement T, int Rank>
  const TensorInfo& find_for_reading(std::string_view name, const Shape<Rank>& shape) {
    const auto fail = [&](std::string_view rule, std::string_view got) {
      detail::fail_format("Safetensors::read", file_,
                          "tensor " + detail::in_quotes(name, 200) + " must " + std::string(rule), got);
    };
    const auto found = index_.find(name);
    if (found == index_.end()) fail("be in the file", std::to_string(tensors_.size()) + " tensors of other names");
    TensorInfo& tensor = tensors_[found->second];
    if (tensor.dtype != detail::FileType<T>::safetensors) {
      fail("be " + std::string(detail::FileType<T>::safetensors), tensor.dtype);
    }
    if (!detail::same_shape(tensor.shape, shape)) {
      fail("have shape " + to_string(shape), detail::shape_text(tensor.shape));
    }
    tensor.used = true;
    return tensor;
  }

  std::string file_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, std::size_t, std::less<>> index_;  // name -> place in tensors_
  Metadata metadata_;
  std::vector<std::byte> data_;
};

}  // namespace unfold
