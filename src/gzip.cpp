// SPDX-License-Identifier: MIT
#include "gzip.hpp"

#include <unfold/io/file.hpp>

#include <fmt/format.h>
#define ZLIB_CONST  // what zlib only reads it then takes as const
#include <zlib.h>

#include <algorithm>
#include <new>  // std::bad_alloc

namespace unfold::program {
namespace {

/// A zlib stream that is always ended.
class Inflater {
 public:
  Inflater() {
    if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) throw std::bad_alloc();  // 16: gzip, with its CRC
  }
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  z_stream stream{};
};

}  // namespace

bool is_gzip(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

std::vector<std::byte> unpack_gzip(std::span<const std::byte> packed, std::string_view name, std::size_t limit) {
  constexpr std::size_t chunk = std::size_t{1} << 18;  // bytes handed to zlib at a time
  Inflater inflater;
  z_stream& stream = inflater.stream;
  std::vector<std::byte> unpacked;
  std::size_t read = 0, written = 0;
  for (int status = Z_OK; status != Z_STREAM_END || is_gzip(packed.subspan(read));) {
    if (status == Z_STREAM_END) inflateReset(&stream);
    if (written == unpacked.size()) unpacked.resize(written + chunk);
    const std::size_t in = std::min(chunk, packed.size() - read), out = std::min(chunk, unpacked.size() - written);
    stream.next_in = reinterpret_cast<const Bytef*>(packed.data() + read);
    stream.avail_in = static_cast<uInt>(in);
    stream.next_out = reinterpret_cast<Bytef*>(unpacked.data() + written);
    stream.avail_out = static_cast<uInt>(out);
    status = inflate(&stream, Z_NO_FLUSH);
    read += in - stream.avail_in;
    written += out - stream.avail_out;
    if (status == Z_BUF_ERROR) {  // no byte in, no byte out: the input is at its end
      throw FormatError(fmt::format("{}: byte {}: the file ends inside its gzip data", name, read));
    }
    if (status != Z_OK && status != Z_STREAM_END) {
      throw FormatError(fmt::format("{}: byte {}: damaged gzip data ({})", name, read,
                                    stream.msg != nullptr ? stream.msg : "zlib gives no reason"));
    }
    if (written > limit) {
      throw FormatError(fmt::format("{}: byte {}: unpacks to more than {} bytes", name, read, limit));
    }
  }
  if (read != packed.size()) {
    throw FormatError(fmt::format("{}: byte {}: bytes follow the gzip data", name, read));
  }
  unpacked.resize(written);
  return unpacked;
}

File read_file(const std::filesystem::path& path, std::size_t limit) {
  const detail::Source source("read_file", path);
  const auto size = static_cast<std::size_t>(source.size());
  if (size > limit) throw FormatError(fmt::format("{}: must be at most {} bytes, got {}", path.string(), limit, size));
  std::vector<std::byte> bytes(size);
  source.read(0, bytes.data(), source.size());
  if (is_gzip(bytes)) return {unpack_gzip(bytes, path.string(), limit), true};
  return {std::move(bytes), false};
}

}  // namespace unfold::program
