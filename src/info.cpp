// SPDX-License-Identifier: MIT
#include "info.hpp"

#include "gzip.hpp"
#include "progress.hpp"  // count_text
#include "statistics.hpp"

#include <unfold/io/idx.hpp>
#include <unfold/io/npy.hpp>
#include <unfold/io/safetensors.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace unfold::program {
namespace {

struct ArrayInfo {
  std::string name;  // empty where the format has none
  std::string type;
  std::vector<Index> shape;
  std::optional<Statistics> statistics;
};

struct FileInfo {
  std::string kind;
  Metadata metadata;
  std::vector<ArrayInfo> arrays;
};

using Bytes = std::span<const std::byte>;

FileInfo npy_info(Bytes bytes, const std::string& name) {
  const NpyHeader header = detail::parse_npy_header(detail::Source("info", bytes, name));
  const Bytes data = bytes.subspan(static_cast<std::size_t>(header.data_begin));
  ArrayInfo array{"", header.dtype, header.shape, {}};
  if (header.dtype.size() == 3) {
    array.statistics = statistics_of(data, std::string_view(header.dtype).substr(1), header.dtype[0] == '>');
  }
  Index elements = 1;
  for (const Index extent : header.shape) elements = detail::product_or_overflow(elements, extent);
  if (array.statistics && array.statistics->count != elements) {
    throw FormatError(fmt::format("{}: byte {}: shape {} needs {} elements to the end, got {}", name, header.data_begin,
                                  detail::shape_text(header.shape), elements, array.statistics->count));
  }
  return {"npy", {{"fortran_order", header.fortran_order ? "true" : "false"}}, {array}};
}

FileInfo idx_info(Bytes bytes, const std::string& name) {
  const IdxHeader header = parse_idx_header(bytes, name);
  const auto type_of = [](IdxType type) -> std::string_view {
    switch (type) {
      case IdxType::uint8: return "u1";
      case IdxType::int8: return "i1";
      case IdxType::int16: return "i2";
      case IdxType::int32: return "i4";
      case IdxType::float32: return "f4";
      case IdxType::float64: return "f8";
    }
    return "";
  };
  const Bytes data = bytes.subspan(4 + 4 * header.shape.size());
  return {"idx",
          {},
          {{"", std::string(detail::idx_facts(header.type).name), header.shape,
            statistics_of(data, type_of(header.type), true)}}};
}

FileInfo safetensors_info(Bytes bytes, const std::string& name) {
  static const std::map<std::string_view, std::string_view> codes{
      {"F64", "f8"}, {"F32", "f4"}, {"I64", "i8"}, {"I32", "i4"}, {"I16", "i2"}, {"I8", "i1"},
      {"U64", "u8"}, {"U32", "u4"}, {"U16", "u2"}, {"U8", "u1"},  {"BOOL", "u1"}};
  const Safetensors file(bytes, name);
  std::uint64_t header_bytes = 0;  // checked by Safetensors
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  const Bytes data = bytes.subspan(sizeof header_bytes + header_bytes);
  FileInfo info{"safetensors", file.metadata(), {}};
  for (const auto& tensor : file.tensors()) {
    const Bytes elements =
        data.subspan(static_cast<std::size_t>(tensor.begin), static_cast<std::size_t>(tensor.end - tensor.begin));
    const auto code = codes.find(tensor.dtype);
    info.arrays.push_back({tensor.name, tensor.dtype, tensor.shape,
                           code == codes.end() ? std::nullopt : statistics_of(elements, code->second, false)});
  }
  return info;
}

FileInfo inspect(Bytes bytes, const std::string& name) {
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 9));
  if (start.starts_with("\x93NUMPY")) return npy_info(bytes, name);
  // The length of a safetensors header may begin with two zeros as an IDX file does, which has a number of axes then.
  const bool opens_json = start.size() == 9 && start[8] == '{', has_axes = start.size() >= 4 && start[3] != 0;
  const bool two_zeros = start.size() >= 4 && start[0] == 0 && start[1] == 0;
  if (two_zeros && (has_axes || !opens_json)) return idx_info(bytes, name);
  if (opens_json) return safetensors_info(bytes, name);
  throw FormatError(fmt::format("{}: byte 0: expected a .npy, IDX or safetensors file, got {}", name,
                                bytes.empty() ? "an empty file" : detail::in_quotes(start)));
}

/// Columns as wide as their widest cell, two spaces apart; the first two flush left, the others flush right.
void print_columns(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string gap(widths[c] - row[c].size(), ' ');
      line += "  " + (c < 2 ? row[c] + gap : gap + row[c]);
    }
    fmt::print("{}\n", line.substr(0, line.find_last_not_of(' ') + 1));
  }
}

void print_text(const FileInfo& info, const std::string& name, std::size_t bytes, bool packed) {
  fmt::print("{}: {}{}, {} bytes{}\n", name, info.kind, packed ? " in gzip" : "", count_text(static_cast<Index>(bytes)),
             packed ? " unpacked" : "");
  if (!info.metadata.empty()) {
    fmt::print("metadata\n");
    std::vector<std::vector<std::string>> rows;
    for (const auto& [key, value] : info.metadata) rows.push_back({key, value});
    print_columns(rows);
  }
  fmt::print("arrays\n");
  std::vector<std::vector<std::string>> rows;
  rows.push_back({"name", "type", "shape", "least", "largest", "mean", "deviation", "not finite"});
  for (const ArrayInfo& array : info.arrays) {
    std::vector<std::string> row{array.name.empty() ? "-" : array.name, array.type, detail::shape_text(array.shape)};
    if (const auto& s = array.statistics) {
      for (const double value : {s->least, s->largest, s->mean, s->deviation})
        row.push_back(fmt::format("{:.6g}", value));
      row.push_back(count_text(s->not_finite));
    } else {
      row.resize(8, "?");
    }
    rows.push_back(std::move(row));
  }
  print_columns(rows);
}

void print_json(const FileInfo& info, const std::string& name, std::size_t bytes, bool packed) {
  nlohmann::ordered_json arrays = nlohmann::ordered_json::array();
  for (const ArrayInfo& array : info.arrays) {
    nlohmann::ordered_json entry{{"name", array.name}, {"type", array.type}, {"shape", array.shape}};
    if (const auto& s = array.statistics) {
      entry["statistics"] = {{"least", s->least},
                             {"largest", s->largest},
                             {"mean", s->mean},
                             {"deviation", s->deviation},
                             {"not_finite", s->not_finite}};
    }
    arrays.push_back(std::move(entry));
  }
  const nlohmann::ordered_json object{{"file", name},   {"kind", info.kind},         {"gzip", packed},
                                      {"bytes", bytes}, {"metadata", info.metadata}, {"arrays", arrays}};
  // Names of files need not be UTF-8.
  fmt::print("{}\n", object.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace

void print_info(const std::filesystem::path& path, bool json) {
  const File file = read_file(path);
  const FileInfo info = inspect(file.bytes, path.string());
  (json ? print_json : print_text)(info, path.string(), file.bytes.size(), file.packed);
}

}  // namespace unfold::program
