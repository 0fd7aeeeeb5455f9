// SPDX-License-Identifier: MIT
#include "dataset.hpp"

#include "digits.hpp"
#include "gzip.hpp"

#include <unfold/io/idx.hpp>

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <string>
#include <system_error>

namespace unfold::program {
namespace {

namespace fs = std::filesystem;

/// folder/name, or name.gz, or either with MNIST's older spelling (".idx" for "-idx"); empty if none is there.
fs::path find(const fs::path& folder, const std::string& name) {
  std::string older = name;
  older.replace(older.find("-idx"), 4, ".idx");
  for (const std::string& spelling : {name, older}) {
    for (const char* const packed : {"", ".gz"}) {
      if (fs::path path = folder / (spelling + packed); fs::exists(path)) return path;
    }
  }
  return {};
}

template <int Rank>
Tensor<std::uint8_t, Rank> read(const fs::path& folder, const std::string& name) {
  const fs::path path = find(folder, name);
  if (path.empty()) throw std::system_error(ENOENT, std::generic_category(), (folder / name).string() + "[.gz]");
  return parse_idx<Rank>(read_file(path).bytes, path.string());
}

/// The images and labels of one part, "train" or "t10k".
LabelledImages read_part(const fs::path& folder, const std::string& part) {
  LabelledImages images{read<3>(folder, part + "-images-idx3-ubyte"), {}};
  const Tensor<std::uint8_t, 1> labels = read<1>(folder, part + "-labels-idx1-ubyte");
  const std::string name = (folder / (part + "-labels-idx1-ubyte")).string();
  if (images.pixels.shape(0) != labels.size()) {
    throw FormatError(
        fmt::format("{}: must hold one label an image, {}, got {}", name, images.pixels.shape(0), labels.size()));
  }
  if (images.pixels.size() == 0) throw FormatError(fmt::format("{}: the set is empty", name));
  images.labels = Tensor<Index, 1>({labels.size()});
  for (Index i = 0; i < labels.size(); ++i) {
    if (labels(i) >= classes)
      throw FormatError(fmt::format("{}: label {} must be at most 9, got {}", name, i, labels(i)));
    images.labels(i) = labels(i);
  }
  return images;
}

/// Images [begin, begin + count).
LabelledImages part_of(const LabelledImages& images, Index begin, Index count) {
  return {Tensor<std::uint8_t, 3>(images.pixels.slice(0, begin, count)),
          Tensor<Index, 1>(images.labels.slice(0, begin, count))};
}

}  // namespace

std::uint32_t Dataset::fingerprint() const {
  uLong crc = crc32_z(0, nullptr, 0);
  const auto add = [&](const auto* data, Index n) {
    crc = crc32_z(crc, reinterpret_cast<const Bytef*>(data), static_cast<std::size_t>(n) * sizeof(*data));
  };
  for (const LabelledImages* part : {&training, &held_out}) {
    add(part->pixels.shape().begin(), 3);
    add(part->pixels.data(), part->pixels.size());
    add(part->labels.data(), part->labels.size());
  }
  return static_cast<std::uint32_t>(crc);
}

Dataset drawn_digits() {
  constexpr Index training = 10'000, held_out = 2'000;
  LabelledImages images{draw_digits(1, training + held_out), Tensor<Index, 1>({training + held_out})};
  for (Index i = 0; i < images.size(); ++i) images.labels(i) = i % digit_classes;
  return {part_of(images, 0, training), part_of(images, training, held_out)};
}

Dataset split_nine_to_one(const LabelledImages& images) {
  const Index held_out = std::max<Index>(images.size() / 10, 1);
  return {part_of(images, 0, images.size() - held_out), part_of(images, images.size() - held_out, held_out)};
}

Dataset read_dataset(const fs::path& folder) {
  if (!fs::is_directory(folder)) throw std::system_error(ENOTDIR, std::generic_category(), folder.string());
  LabelledImages t10k = read_part(folder, "t10k");
  if (find(folder, "train-images-idx3-ubyte").empty()) {
    if (t10k.size() < 2) throw FormatError(fmt::format("{}: a lone t10k must hold 2 images, got 1", folder.string()));
    return split_nine_to_one(t10k);
  }
  LabelledImages training = read_part(folder, "train");
  if (training.pixels[0].shape() != t10k.pixels[0].shape()) {
    throw FormatError(fmt::format("{}: train and t10k images must have one size, got {} and {}", folder.string(),
                                  to_string(training.pixels[0].shape()), to_string(t10k.pixels[0].shape())));
  }
  return {std::move(training), std::move(t10k)};
}

PixelScale::PixelScale(const LabelledImages& images) {
  std::array<std::int64_t, 256> count{};
  const std::uint8_t* const pixels = images.pixels.data();
  for (Index p = 0; p < images.pixels.size(); ++p) ++count[pixels[p]];
  std::int64_t sum = 0, squares = 0;
  for (std::int64_t value = 0; value < 256; ++value) {
    sum += count[static_cast<std::size_t>(value)] * value;
    squares += count[static_cast<std::size_t>(value)] * value * value;
  }
  const double n = static_cast<double>(images.pixels.size());
  mean_ = static_cast<double>(sum) / n;
  const double variance = static_cast<double>(squares) / n - mean_ * mean_;
  deviation_ = variance > 0 ? std::sqrt(variance) : 1.0;
  for (std::size_t value = 0; value < 256; ++value) {
    number_of_[value] = (static_cast<double>(value) - mean_) / deviation_;
  }
}

}  // namespace unfold::program
