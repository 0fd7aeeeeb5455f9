// SPDX-License-Identifier: MIT
// Filters of any strides, packed for the tiles a block of taps at a time.
#pragma once

#include <unfold/engine/kernels.hpp>
#include <unfold/engine/stencil.hpp>

namespace unfold::engine {

/// Filters of any strides: element (m, c, kh, kw).
template <class T>
struct Filters {
  T* data;
  Index m, c, kh, kw;
};

/// A block of taps: some channels under part of the kernel.
struct Taps {
  Axis h, w;  // with the taps of the block
  Index channel, channels;

  Index of_channel() const { return h.taps * w.taps; }
  Index count() const { return channels * of_channel(); }
};

/// Whether the taps of a channel stand one after another in a filter.
template <class T>
bool in_order(const Filters<const T>& a, const Taps& taps) {
  const Axis &h = taps.h, &w = taps.w;
  return w.kernel_step == 1 && h.kernel_step == 1 && a.kw == 1 && (h.taps == 1 || a.kh == w.taps);
}

/// A block of taps of the filters from m on as a matrix [filters, taps] where they lie, if it is one whose rows or
/// columns are contiguous; else data is nullptr.
template <class T>
Strided<const T> placed_filters(const Filters<const T>& a, Index m, const Taps& taps) {
  const Index each = taps.of_channel();
  const T* const first =
      a.data + m * a.m + taps.channel * a.c + taps.h.kernel_first * a.kh + taps.w.kernel_first * a.kw;
  if (in_order(a, taps) && a.c == each) return {first, a.m, 1};
  if (each == 1 && a.m == 1) return {first, 1, a.c};
  return {nullptr, 0, 0};
}

/// The offsets of rows that stand `row` apart, as those of packed filters, and gather_ahead more entries.
inline void packed_offsets(Index depth, Index row, Index* to) {
  for (Index d = 0; d < depth + gather_ahead; ++d) to[d] = std::min(d, depth - 1) * row;
}

/// packed[tap * row + i] = alpha * the filter m + i under the tap, for i < rows; 0 for rows <= i < row.
/// The taps run over channels, kernel rows, kernel columns.
template <class T>
void pack_filters(const Kernels<T>& k, const Filters<const T>& a, Index m, Index rows, const Taps& taps, T alpha,
                  T* packed, Index row) {
  const Axis &h = taps.h, &w = taps.w;
  const Index each = taps.of_channel(), depth = taps.count();
  const T* const first = a.data + m * a.m + taps.channel * a.c + h.kernel_first * a.kh + w.kernel_first * a.kw;
  if (rows < row) std::fill_n(packed, depth * row, T(0));
  const Strided<const T> place = placed_filters(a, m, taps);
  if (place.data != nullptr && place.col == 1) {
    k.transpose(first, a.m, rows, depth, packed, row);
  } else if (place.data == nullptr && in_order(a, taps)) {
    constexpr Index line = 64 / static_cast<Index>(sizeof(T));
    const Index ahead = a.m == each ? rows * each : 0;  // of the next channel, where no hardware prefetcher looks
    for (Index c = 0; c < taps.channels; ++c) {
      for (Index i = 0; i < ahead && c + 1 < taps.channels; i += line) __builtin_prefetch(first + (c + 1) * a.c + i);
      k.transpose(first + c * a.c, a.m, rows, each, packed + c * each * row, row);
    }
  } else if (place.data != nullptr) {
    constexpr Index some = 64;
    Index offsets[some + gather_ahead];
    packed_offsets(some, a.c, offsets);
    const Run whole{0, 0, rows};
    for (Index d = 0; d < depth; d += some) {
      k.gather(first + d * a.c, offsets, std::min(some, depth - d), &whole, 1, packed + d * row, row, true);
    }
  } else {
    T* to = packed;
    for (Index c = 0; c < taps.channels; ++c) {
      for (Index kh = 0; kh < h.taps; ++kh) {
        for (Index kw = 0; kw < w.taps; ++kw, to += row) {
          const T* const from = first + c * a.c + kh * h.kernel_step * a.kh + kw * w.kernel_step * a.kw;
          if (a.m == 1) {
            std::copy_n(from, rows, to);
          } else {
            for (Index r = 0; r < rows; ++r) to[r] = from[r * a.m];
          }
        }
      }
    }
  }
  if (alpha != T(1)) {
    for (Index i = 0; i < depth * row; ++i) packed[i] *= alpha;
  }
}

/// packed[d * row + r] = the filter of dx's channel and tap `tap + r` at dy's channel begin + d, for r < row. The taps
/// run over dx's channels, kernel rows, kernel columns.
template <class T>
void pack_tap_rows(const Filters<const T>& a, const Taps& taps, Index tap, Index begin, Index depth, T* packed,
                   Index row) {
  const Axis &h = taps.h, &w = taps.w;
  for (Index r = 0; r < row; ++r) {
    const Index t = tap + r, c = t / taps.of_channel(), kh = t / w.taps % h.taps, kw = t % w.taps;
    const T* const from = a.data + (taps.channel + c) * a.m + begin * a.c +
                          (h.kernel_first + kh * h.kernel_step) * a.kh + (w.kernel_first + kw * w.kernel_step) * a.kw;
    for (Index d = 0; d < depth; ++d) packed[d * row + r] = from[d * a.c];
  }
}

}  // namespace unfold::engine
