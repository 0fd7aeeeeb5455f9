// SPDX-License-Identifier: MIT
// convolve with the output channels in the lanes: the rows of the tiles are neighbouring pixels, read where they lie in
// the laid-out source, so that nothing but the filters is packed, and a tap that finds only padding costs nothing.
// The result is transposed once, which long sums pay.
#pragma once

#include <unfold/engine/pixel_lanes.hpp>

#include <algorithm>  // std::clamp

namespace unfold::engine {

/// Block sizes in elements.
template <class T>
struct ChannelLanesBlocks {
  static constexpr Index unit = static_cast<Index>(sizeof(T));
  static constexpr Index widest = 2 * most_lanes<T>;
  static constexpr Index depth = 1152;          // taps of a block
  static constexpr Index pixels = 2048 / unit;  // of a block
  static constexpr Index b = depth * widest;
  static constexpr Index c = (Index{1} << 20) / unit + widest * pixels;
  static constexpr Index rows = (Index{1} << 20) / unit / pixels;  // filters of a task
  static constexpr Index copy = (Index{3} << 19) / unit;
  static constexpr Index l1 = 16384 / unit;                                // of what the first-level cache should hold
  static constexpr Index phases = 16;                                      // of an input gradient, at most
  static constexpr Index part = std::max(depth, phases* pixels) * widest;  // a channel of any block; a row of dx
  static_assert((b + part + c + copy + 2 * widest) * unit + 4096 <= workspace_bytes, "the blocks fit the workspace");
};

/// Whether M filters fill most of the lanes.
template <class T>
bool fill_lanes(Index M) {
  const Index lanes = kernels<T>().lanes;
  return M > Kernels<T>::most_few_rows && parts_of(M, lanes) * lanes * 5 <= M * 7;
}

/// The taps of a block in the order of the tiles: kernel columns, then kernel rows, then channels, so that those which
/// find the source at a row of pixels are one stretch for each kernel column.
struct TapOrder {
  Index columns, rows, channels;

  explicit TapOrder(const Taps& taps) : columns(taps.w.taps), rows(taps.h.taps), channels(taps.channels) {}
  Index at(Index c, Index kh, Index kw) const { return (kw * rows + kh) * channels + c; }
  /// The place of the first channel of each tap of the kernel.
  void places(Index* to) const {
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < columns; ++j) *to++ = at(0, i, j);
    }
  }

  /// Where each finds its element of the laid-out source, and gather_ahead more entries.
  template <class T>
  void offsets(const Laid<T>& laid, Index* to) const {
    for (Index j = 0; j < columns; ++j) {
      for (Index i = 0; i < rows; ++i) {
        const Index first = laid.offset(i, j);
        for (Index c = 0; c < channels; ++c) *to++ = c * laid.channel + first;
      }
    }
    std::fill_n(to, gather_ahead, Index{0});
  }
};

/// pack_filters with rows in any order, of one vector or two: the filters under tap (i, j) of the kernel and channel c
/// are row places[i * w.taps + j] + c. Some channels at a time go by way of `part`, which the first-level cache holds.
template <class T>
void pack_filters_in_order(const Kernels<T>& k, const Filters<const T>& a, Index m, Index rows, const Taps& taps,
                           T alpha, const Index* places, Index room, T* part, T* packed, Index row) {
  constexpr Index most = 64;
  const Index each = taps.of_channel(), channels = std::clamp<Index>(room / (each * row), 1, most);
  Index offsets[most + gather_ahead];
  packed_offsets(channels, each * row, offsets);
  const Run whole{0, 0, row};
  for (Index c = 0; c < taps.channels; c += channels) {
    const Index n = std::min(channels, taps.channels - c);
    pack_filters(k, a, m, rows, Taps{taps.h, taps.w, taps.channel + c, n}, alpha, part, row);
    for (Index t = 0; t < each; ++t) {
      k.gather(part + t * row, offsets, n, &whole, 1, packed + (places[t] + c) * row, row, false);
    }
  }
}

/// The first and last tap of an axis that find the source for one of the outputs [begin, begin + n).
struct Reached {
  Index first = 0, end;
  Reached(const Axis& axis, Index begin, Index n) : end(axis.taps) {
    while (end > 0 && !axis.reads(end - 1, begin, n)) --end;
    while (first < end && !axis.reads(first, begin, n)) ++first;
  }
};

/// The outputs of [begin, begin + n) for which a tap finds the source.
struct Finding {
  Index begin, count;
  Finding(const Axis& axis, Index tap, Index first, Index n) : begin(first), count(n) {
    if (axis.reads_all(tap, first, n)) return;
    const Padded read{axis.source, axis.first + tap * axis.step + first * axis.stride, axis.stride, n};
    begin = first + read.low(), count = read.high() - read.low();
  }
};

/// How many of a tile's n columns are multiplied for a tap that finds the source under `found` of them: these alone
/// where a tile of `images` images has their height, and one of a single image is not cut into more tiles than for all.
template <class T>
Index cut_columns(const Tiles<T>& tiles, Index images, Index found, Index n) {
  if (found == 0 || found == n) return found;
  const bool has_tile = tiles.of_height[images * found] != nullptr;
  return has_tile && tiles.tiles_of(found) <= tiles.tiles_of(n) ? found : n;
}

/// Whether all taps are best multiplied as one stretch for some columns: what is spared by cutting off those that find
/// padding alone is less than what more tiles cost.
template <class T>
bool is_one_stretch(const Tiles<T>& tiles, Index images, const Taps& taps, Index begin, Index n) {
  constexpr Index cost_of_tile = 256;  // in multiply-adds of vectors
  const Axis& w = taps.w;
  if (w.reads_all(0, begin, n) && w.reads_all(w.taps - 1, begin, n)) return true;
  Index spared = 0;  // columns
  for (Index j = 0; j < w.taps; ++j) spared += n - cut_columns(tiles, images, Finding(w, j, begin, n).count, n);
  return spared * taps.channels * taps.h.taps * images * tiles.vectors < w.taps * cost_of_tile;
}

/// Columns of a tile: as many of the outputs as have room in it; or fewer, where more taps find padding alone then, or
/// fewer tiles are lower than others.
template <class T>
Index tile_columns(const Tiles<T>& tiles, const Taps& taps) {
  const Axis& w = taps.w;
  const Index columns = w.outputs, least = 8 / tiles.vectors;  // multiply-adds of fewer would wait for each other
  const Index widest = equal_part(columns, tiles.rows), beyond = w.lowest() + (columns - 1) * w.stride + w.reach();
  const bool inside = w.lowest() > -least && beyond < w.source - 1 + least;
  if (inside && tiles.of_height[widest] != nullptr) return widest;
  // In half multiply-adds: a tap of a tile costs half a column more.
  const auto cost_of = [&](Index left) {
    Index cost = 0;
    for (; left > 0; left -= tiles.highest(left)) cost += 2 * std::max(least, tiles.highest(left)) + 1;
    return cost;
  };
  Index best = widest, lowest_cost = 0;
  for (Index n = std::min(columns, tiles.rows); n >= std::min(least, widest); --n) {
    Index cost = 0;
    for (Index begin = 0; begin < columns; begin += n) {
      const Index count = std::min(n, columns - begin);
      const bool one = is_one_stretch(tiles, 1, taps, begin, count);
      for (Index j = 0; j < w.taps; ++j) {
        const Index found = cut_columns(tiles, 1, Finding(w, j, begin, count).count, count);
        if (found > 0) cost += cost_of(one ? count : found);
      }
    }
    if (lowest_cost == 0 || cost < lowest_cost) best = n, lowest_cost = cost;
  }
  return best;
}

/// The pixels of a tile: some of a row, or the rows of two images, where they have room in it.
struct RowTile {
  Index images = 1, columns;

  template <class T>
  RowTile(const Tiles<T>& tiles, const Taps& taps) : columns(taps.w.outputs) {
    if (2 * columns <= tiles.rows && tiles.of_height[2 * columns] != nullptr) {
      images = 2;
    } else {
      columns = tile_columns(tiles, taps);
    }
  }
};

/// The first n columns of sums [images, columns, wide] = 0.
template <class T>
void clear_columns(Index images, Index n, Index columns, Index wide, T* sums) {
  for (Index i = 0; i < images; ++i) std::fill_n(sums + i * columns * wide, n * wide, T(0));
}

/// Adds to, or starts, the sums of one row of pixels, of one image or of two neighbours: sums [images, columns, wide].
/// Where that spares enough, a tap is multiplied only for the columns that find the source under it. How many images
/// there are has no say in it.
template <class T>
void sum_row(const Tiles<T>& tiles, const RowTile& tile, const Taps& taps, const Laid<const T>& laid,
             const Index* offsets, const T* row, Index r, Index images, const T* b, Index wide, T* sums, bool first) {
  const Axis& w = taps.w;
  const TapOrder order(taps);
  const Reached kh(taps.h, r, 1);
  const bool every_row = kh.first == 0 && kh.end == taps.h.taps;
  for (Index begin = 0; begin < w.outputs; begin += tile.columns) {
    const Index n = std::min(tile.columns, w.outputs - begin);
    const bool one = every_row && is_one_stretch(tiles, tile.images, taps, begin, n);
    const Index depth = one ? order.at(0, 0, w.taps) : order.at(0, kh.end - kh.first, 0);
    bool start = first;
    for (Index j = 0; j < w.taps && depth > 0; j += one ? w.taps : 1) {
      Index at = begin, count = n;
      if (!one) {
        const Finding found(w, j, begin, n);
        if (found.count == 0) continue;
        if (cut_columns(tiles, tile.images, found.count, n) < n) {
          at = found.begin, count = found.count;
          if (start) clear_columns(images, n, w.outputs, wide, sums + begin * wide);
          start = false;
        }
      }
      const Index tap = order.at(0, kh.first, j);
      if (images == 2) {
        tiles.of_height[2 * count](depth, row + at, laid.image - count, offsets + tap, b + tap * wide, sums + at * wide,
                                   wide, (w.outputs - count) * wide, start);
      } else {
        tiles.run(count, depth, row + at, offsets + tap, b + tap * wide, sums + at * wide, wide, start);
      }
      start = false;
    }
    if (start) clear_columns(images, n, w.outputs, wide, sums + begin * wide);
  }
}

/// How often the taps of a channel are multiplied for all its pixels: those that find only padding are left out where
/// no pixel of a tile has them, or for those that have not.
template <class T>
Index multiplied_taps(const Taps& taps) {
  Index rows = 0, columns = 0;
  for (Index r = 0; r < taps.h.outputs; ++r) {
    const Reached kh(taps.h, r, 1);
    rows += kh.end - kh.first;
  }
  const Tiles<T>& tiles = kernels<T>().tiles.of_vectors[1];
  const Index tile = tile_columns(tiles, taps);
  for (Index c = 0; c < taps.w.outputs; c += tile) {
    const Index n = std::min(tile, taps.w.outputs - c);
    const bool one = is_one_stretch(tiles, 1, taps, c, n);
    for (Index j = 0; j < taps.w.taps; ++j) {
      const Index found = cut_columns(tiles, 1, Finding(taps.w, j, c, n).count, n);
      if (found > 0) columns += one ? n : found;
    }
  }
  return rows * columns;
}

/// y(channel q, column i) = or += sums[i, q] for q < channels; sums [columns, wide].
template <class T>
void store_columns(const Kernels<T>& k, const T* sums, Index columns, Index wide, Index channels, const Batch<T>& y,
                   bool overwrite) {
  if (overwrite && y.w == 1) return k.transpose(sums, wide, columns, channels, y.data, y.c);
  for (Index q = 0; q < channels; ++q) {
    for (Index i = 0; i < columns; ++i) {
      T& element = y.data[q * y.c + i * y.w];
      element = overwrite ? sums[i * wide + q] : element + sums[i * wide + q];
    }
  }
}

/// What a thread of convolve_in_channel_lanes works on: the filters [m_begin, m_begin + rows), for one block of pixels
/// after another.
template <class T>
struct ChannelLanesTask {
  using B = ChannelLanesBlocks<T>;
  const Kernels<T>& k;
  const Filters<const T>& a;
  T alpha;
  bool kept;               // the filters are packed for all blocks at once
  T *b, *c, *copy, *part;  // [depth, wide], of all rows if kept; [rows/width, pixels, wide]; of x; scratch
  Index m_begin = 0, rows = 0;
  Index offsets[B::depth + gather_ahead], places[B::depth];

  ChannelLanesTask(const Kernels<T>& kernels, const Filters<const T>& filters, T factor, Index kept_taps,
                   detail::Workspace& workspace)
      : k(kernels),
        a(filters),
        alpha(factor),
        kept(kept_taps > 0),
        b(workspace.take<T>(kept ? kept_taps : B::b)),
        c(workspace.take<T>(B::c)),
        copy(workspace.take<T>(B::copy + 2 * B::widest)),
        part(workspace.take<T>(B::b)) {}

  /// Goes on with these filters; whether they are those of before.
  bool turn_to(Index m, Index count) {
    const bool same = m == m_begin && count == rows;
    m_begin = m, rows = count;
    return same;
  }

  /// Adds the taps of a block to its sums, or starts them; the last ones go to `out`.
  void add_taps(const PixelBlock& block, const Taps& seen, const Laid<const T>& laid, bool pack, bool first, bool last,
                const Batch<T>& out, bool overwrite) {
    const Index width = 2 * k.lanes, count = block.pixels();
    TapOrder(seen).offsets(laid, offsets);
    TapOrder(seen).places(places);
    for (Index m = 0; m < rows; m += width) {
      const Index wide = rows - m > k.lanes ? width : k.lanes, used = std::min(wide, rows - m);
      T* const packed = b + (kept ? m * seen.count() : 0);
      if (pack) pack_filters_in_order(k, a, m_begin + m, used, seen, alpha, places, B::l1, part, packed, wide);
      const Tiles<T>& tiles = k.tiles.of_vectors[wide / k.lanes - 1];
      const RowTile tile(tiles, seen);
      for (Index r = 0; r < block.rows; ++r) {
        for (Index n = 0; n < block.images; n += tile.images) {
          const Index images = std::min(tile.images, block.images - n);
          T* const sums = c + m * count + (r * block.images + n) * block.columns * wide;
          sum_row(tiles, tile, seen, laid, offsets, laid.data + n * laid.image + r * laid.row, r, images, packed, wide,
                  sums, first);
          for (Index i = 0; i < images && last; ++i) {
            store_columns(k, sums + i * block.columns * wide, block.columns, wide, used, out.from(n + i, m, r, 0),
                          overwrite);
          }
        }
      }
    }
  }
};

/// `convolve_in_pixel_lanes`, channels in the lanes. Filters that fit the workspace stay packed in a
/// thread while its tasks have the same.
template <FloatOrDouble T>
void convolve_in_channel_lanes(const Filters<const T>& a, Index M, const Batch<const T>& x, Index N, Index C,
                               const Axis& h, const Axis& w, const Batch<T>& y, T alpha, bool overwrite) {
  using B = ChannelLanesBlocks<T>;
  const Kernels<T>& k = kernels<T>();
  const Index width = 2 * k.lanes;
  const PixelBlocks pixels(N, h.outputs, w.outputs, B::pixels);
  const TapBlocks taps(h, w, pixels, C, B::depth, B::copy);
  const Index task_rows = parts_of(rows_of_task(M, pixels.count(), B::rows), width) * width;
  const Index all = task_rows * C * h.taps * w.taps;
  const Index kept = taps.count() == 1 && all <= B::part ? all : 0;

  detail::share_tasks(pixels.count() * parts_of(M, task_rows), [&](detail::Tasks& tasks) {
    Index number = 0;
    if (!tasks.take(number)) return;
    detail::Workspace workspace;
    ChannelLanesTask<T> task(k, a, alpha, kept, workspace);
    for (bool left = true; left; left = tasks.take(number)) {
      const PixelBlock block = pixels[number % pixels.count()];
      const Index m = number / pixels.count() * task_rows;
      const bool pack = !task.turn_to(m, std::min(task_rows, M - m)) || !task.kept;
      for (Index t = 0; t < taps.count(); ++t) {
        const Taps seen = seen_from(block, taps[t]);
        const Laid<const T> laid =
            lay_out(k, x.from(block.image, seen.channel, 0, 0), block.images, seen.channels, seen.h, seen.w, task.copy);
        task.add_taps(block, seen, laid, pack, t == 0, t + 1 == taps.count(),
                      y.from(block.image, m, block.row, block.column), overwrite);
      }
    }
  });
}

}  // namespace unfold::engine
