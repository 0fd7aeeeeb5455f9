// SPDX-License-Identifier: MIT
#include "statistics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace unfold::program {
namespace {

template <class T>
Statistics statistics(std::span<const std::byte> bytes, bool big_endian) {
  const auto count = static_cast<Index>(bytes.size() / sizeof(T));
  const auto element = [&](Index i) {
    std::array<std::byte, sizeof(T)> word;
    std::memcpy(word.data(), bytes.data() + i * static_cast<Index>(sizeof(T)), sizeof(T));
    if (big_endian) std::reverse(word.begin(), word.end());
    T value;
    std::memcpy(&value, word.data(), sizeof(T));
    return static_cast<double>(value);
  };
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Statistics result{.count = count, .least = infinity, .largest = -infinity};
  double sum = 0;
  for (Index i = 0; i < count; ++i) {
    const double x = element(i);
    if (!std::isfinite(x)) {
      ++result.not_finite;
      continue;
    }
    result.least = std::min(result.least, x);
    result.largest = std::max(result.largest, x);
    sum += x;
  }
  const auto finite = static_cast<double>(count - result.not_finite);
  if (finite == 0) return {.count = count, .not_finite = result.not_finite};
  result.mean = sum / finite;
  double squares = 0;
  for (Index i = 0; i < count; ++i) {
    const double x = element(i);
    if (std::isfinite(x)) squares += (x - result.mean) * (x - result.mean);
  }
  result.deviation = std::sqrt(squares / finite);
  return result;
}

}  // namespace

std::optional<Statistics> statistics_of(std::span<const std::byte> bytes, std::string_view type, bool big_endian) {
  if (type == "f8") return statistics<double>(bytes, big_endian);
  if (type == "f4") return statistics<float>(bytes, big_endian);
  if (type == "i8") return statistics<std::int64_t>(bytes, big_endian);
  if (type == "i4") return statistics<std::int32_t>(bytes, big_endian);
  if (type == "i2") return statistics<std::int16_t>(bytes, big_endian);
  if (type == "i1") return statistics<std::int8_t>(bytes, big_endian);
  if (type == "u8") return statistics<std::uint64_t>(bytes, big_endian);
  if (type == "u4") return statistics<std::uint32_t>(bytes, big_endian);
  if (type == "u2") return statistics<std::uint16_t>(bytes, big_endian);
  if (type == "u1") return statistics<std::uint8_t>(bytes, big_endian);
  return std::nullopt;
}

}  // namespace unfold::program
