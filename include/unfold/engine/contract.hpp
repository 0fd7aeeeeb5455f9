// SPDX-License-Identifier: MIT
// contract   dw (+)= dy * stencil(x)^T: a sum over pixels. Those of a block are read along the taps, in the laid-out
// source where each tap finds them, with the filters transposed into the lanes; or the other way round, where a single
// tap finds the pixels of a block in one line, and that is cheaper.
#pragma once

#include <unfold/core/threads.hpp>
#include <unfold/engine/blocks.hpp>

#include <utility>  // std::swap

namespace unfold::engine {

/// Block sizes in elements.
template <class T>
struct ContractBlocks {
  static constexpr Index unit = static_cast<Index>(sizeof(T));
  static constexpr Index widest = 2 * most_lanes<T>;
  static constexpr Index pixels = 2048 / unit;        // of a block
  static constexpr Index pitch = pixels + 64 / unit;  // of its rows, no power of two
  static constexpr Index alone = 48;                  // pixels of an image that may be a block of its own, at least
  static constexpr Index taps = 288, rows = 256;      // of a task, at most
  static constexpr Index sums = (taps + widest) * (rows + widest);
  static constexpr Index packed = pixels * widest;
  static constexpr Index copy = (Index{3} << 18) / unit;
  static_assert((sums + packed + rows * pitch + taps * widest + copy + 2 * widest) * unit + 4096 <= workspace_bytes,
                "the blocks fit the workspace");
};

/// Vector operations of a pixel with n of the factors in the lanes: what they multiply, and their transposition.
constexpr Index lanes_cost(Index n, Index others, Index lanes) { return parts_of(n, lanes) * others + 6 * n / lanes; }

/// Whether the taps of a sum over so many pixels are better off in the lanes than the filters: then it is not turned.
constexpr bool taps_in_lanes_cost_less(Index taps, Index rows, Index pixels, Index lanes) {
  const Index turned = 12 * taps * parts_of(rows, lanes), copied = 2 * rows * parts_of(taps, lanes);
  return pixels * lanes_cost(taps, rows, lanes) + copied < pixels * lanes_cost(rows, taps, lanes) + turned;
}

/// Rows of contiguous pixels.
template <class T>
struct PixelRows {
  const T* data;
  Index row;
};

/// The pixels of a block of dy's channels [m, m + rows) as rows: where they lie, or copied to `buffer`.
template <class T>
PixelRows<T> rows_of(const Kernels<T>& k, const Batch<const T>& dy, const PixelBlock& block, Index m, Index rows,
                     Run* runs, T* buffer, Index pitch) {
  const Batch<const T> in = dy.from(block.image, m, block.row, block.column);
  const Index used = block.runs(0, block.pixels(), dy.n, dy.h, dy.w, runs);
  if (used == 1 && dy.w == 1) return {in.data + runs[0].from, dy.c};
  for (Index r = 0; r < rows; ++r) {
    const Index offsets[gather_ahead + 1] = {r * dy.c};
    if (dy.w == 1) {
      k.gather(in.data, offsets, 1, runs, used, buffer + r * pitch, pitch, true);
      continue;
    }
    for (Index u = 0; u < used; ++u) {
      for (Index i = 0; i < runs[u].count; ++i) {
        buffer[r * pitch + runs[u].at + i] = in.data[r * dy.c + runs[u].from + i * dy.w];
      }
    }
  }
  return {buffer, pitch};
}

/// packed[pixel, i] = row i, for i < n; 0 for n <= i < width.
template <class T>
void pack_lanes(const Kernels<T>& k, const PixelRows<T>& rows, Index n, Index pixels, T* packed, Index width) {
  constexpr Index step = 64;  // so that what is written stays in the first-level cache until it is whole
  for (Index p = 0; p < pixels; p += step) {
    k.transpose(rows.data + p, rows.row, n, std::min(step, pixels - p), packed + p * width, width);
  }
  for (Index p = 0; p < pixels && n < width; ++p) std::fill_n(packed + p * width + n, width - n, T(0));
}

/// Where the taps of a block stand in a row of dw, cut where they are not neighbours; returns the number of runs.
inline Index tap_runs(const Taps& taps, const Axis& h, const Axis& w, Run* runs) {
  const Index KH = h.taps, KW = w.taps;
  if (taps.of_channel() == KH * KW) {
    runs[0] = {taps.channel * KH * KW, 0, taps.count()};
    return 1;
  }
  Index used = 0;
  for (Index c = 0; c < taps.channels; ++c) {
    for (Index i = 0; i < taps.h.taps; ++i, ++used) {
      runs[used] = {((taps.channel + c) * KH + taps.h.kernel_first + i) * KW + taps.w.kernel_first, used * taps.w.taps,
                    taps.w.taps};
    }
  }
  return used;
}

/// dw(m, k) = or += alpha * sums(m, k) for the rows m and the taps k of the runs.
template <class T>
void store_sums(const Kernels<T>& k, T* sums, Index sums_row, Index rows, const Run* runs, Index used,
                const Strided<T>& dw, T alpha, bool overwrite) {
  const Index taps = runs[used - 1].at + runs[used - 1].count;
  for (Index m = 0; m < rows; ++m) {
    T* const from = sums + m * sums_row;
    for (Index i = 0; i < taps && alpha != T(1); ++i) from[i] *= alpha;
    if (dw.col == 1) {
      const Index here = 0;
      k.scatter(from, sums_row, &here, 1, runs, used, dw.data + m * dw.row, overwrite);
      continue;
    }
    for (Index u = 0; u < used; ++u) {
      for (Index i = 0; i < runs[u].count; ++i) {
        T& to = dw(m, runs[u].from + i);
        to = overwrite ? from[runs[u].at + i] : to + from[runs[u].at + i];
      }
    }
  }
}

/// The same of sums [taps, sums_row], whose columns are the rows m, by way of `turned` [rows, taps] where dw must be
/// added to, or its taps do not stand in one run.
template <class T>
void store_turned(const Kernels<T>& k, const T* sums, Index sums_row, Index rows, T* turned, const Run* runs,
                  Index used, const Strided<T>& dw, T alpha, bool overwrite) {
  const Index taps = runs[used - 1].at + runs[used - 1].count;
  if (overwrite && alpha == T(1) && dw.col == 1 && used == 1) {
    return k.transpose(sums, sums_row, taps, rows, dw.data + runs[0].from, dw.row);
  }
  k.transpose(sums, sums_row, taps, rows, turned, taps);
  store_sums(k, turned, taps, rows, runs, used, dw, alpha, overwrite);
}

/// store_sums of sums [panels, taps, wide], the filters in the lanes, or [panels, rows, wide], the taps in the lanes;
/// panels are as far apart as if all were of two vectors.
template <class T>
void store_panels(const Kernels<T>& k, const T* sums, const Panels& panels, bool taps_in_lanes, Index rows, T* turned,
                  const Run* runs, Index used, const Strided<T>& dw, T alpha, bool overwrite) {
  const Index taps = runs[used - 1].at + runs[used - 1].count, panel = (taps_in_lanes ? rows : taps) * panels.whole();
  for (Index j = 0; j < panels.count() && !taps_in_lanes; ++j) {
    store_turned(k, sums + j * panel, panels.width(j), panels.used(j), turned, runs, used,
                 dw.from(j * panels.whole(), 0), alpha, overwrite);
  }
  for (Index r = 0; r < rows && taps_in_lanes; ++r) {
    for (Index j = 0; j < panels.count(); ++j) {
      std::copy_n(sums + j * panel + r * panels.width(j), panels.used(j), turned + j * panels.whole());
    }
    store_sums(k, turned, taps, 1, runs, used, dw.from(r, 0), alpha, overwrite);
  }
}

/// What a thread of contract works on: the sums of some taps and some filters, those of the panels in the lanes.
template <class T>
struct ContractTask {
  using B = ContractBlocks<T>;
  const Kernels<T>& k;
  T* sums;     // [panels, in rows, wide], panels in rows * width apart
  T* packed;   // [pixels, wide]
  T* turned;   // [width, taps]
  T* dy_rows;  // [rows, B::pitch]
  T* copy;     // of x
  Laid<const T> laid{};
  Run runs[B::pixels], runs_of_taps[B::taps];
  Index offsets[B::taps + gather_ahead];

  ContractTask(const Kernels<T>& kernels, detail::Workspace& workspace)
      : k(kernels),
        sums(workspace.take<T>(B::sums)),
        packed(workspace.take<T>(B::packed)),
        turned(workspace.take<T>(B::taps * B::widest)),
        dy_rows(workspace.take<T>(B::rows * B::pitch)),
        copy(workspace.take<T>(B::copy + 2 * B::widest)) {}

  /// Adds the pixels of a block to the sums of taps and filters, or starts them, panel by panel: in `sums`, or in
  /// place, the first of them there.
  void add_pixels(const PixelBlock& block, Index taps, const PixelRows<T>& filters, Index rows, const Panels& panels,
                  bool taps_in_lanes, const Strided<T>* in_place, bool first) {
    PixelRows<T> lanes = filters, along{laid.data, laid.channel};
    Lines lines{block.columns, block.rows, laid.row, block.images, laid.image};
    if (taps_in_lanes) {
      std::swap(lanes, along);
      lines = Lines::one(block.pixels());
      for (Index r = 0; r < rows; ++r) offsets[r] = r * filters.row;
    }
    const Index lines_of_lanes = taps_in_lanes ? block.images : 1, pixels_of_line = block.pixels() / lines_of_lanes;
    const Index in_rows = taps_in_lanes ? rows : taps;
    for (Index j = 0; j < panels.count(); ++j) {
      const Index wide = panels.width(j), column = j * panels.whole();
      for (Index n = 0; n < lines_of_lanes; ++n) {
        const PixelRows<T> of_panel{lanes.data + column * lanes.row + n * laid.image, lanes.row};
        pack_lanes(k, of_panel, panels.used(j), pixels_of_line, packed + n * pixels_of_line * wide, wide);
      }
      T* const to = in_place != nullptr ? &(*in_place)(0, column) : sums + column * in_rows;
      k.line_tiles.of_vectors[wide / k.lanes - 1].run(in_rows, lines, along.data, offsets, packed, to,
                                                      in_place != nullptr ? in_place->row : wide, first);
    }
  }
};

/// dw(m, k) = or += alpha * sum over pixels of dy(m, pixel) * x(k, pixel), k running over channels and taps.
/// dy is a batch of M channels of h.outputs x w.outputs pixels, x has C channels.
template <FloatOrDouble T>
void contract(const Batch<const T>& dy, Index M, const Batch<const T>& x, Index N, Index C, const Axis& h,
              const Axis& w, const Strided<T>& dw, T alpha, bool overwrite) {
  using B = ContractBlocks<T>;
  const Kernels<T>& k = kernels<T>();
  // Under a single tap the pixels of an image may be one line of x: then images that are not too small are blocks of
  // their own. The strides have no say in how sums are cut.
  const Index image_pixels = h.outputs * w.outputs;
  const bool one_tap = h.taps * w.taps == 1 && h.stride * w.stride == 1 && h.inside() && w.inside();
  const bool alone = one_tap && B::alone <= image_pixels && image_pixels < B::pixels;
  const PixelBlocks pixels(N, h.outputs, w.outputs, alone ? image_pixels : B::pixels);
  const bool one_line = one_tap && x.w == 1 && x.h == w.outputs;  // an image
  const TapBlocks blocks(h, w, pixels, C, equal_part(C * h.taps * w.taps, B::taps), B::copy);
  // Where the taps are one task, the filters are two at least.
  const Index pair = 2 * k.lanes, most = blocks.count() == 1 ? std::max(pair, parts_of(M, 2)) : B::rows;
  const Index task_rows = std::min(B::rows, parts_of(equal_part(M, most), pair) * pair);
  const Index row_tasks = parts_of(M, task_rows);

  detail::share_tasks(blocks.count() * row_tasks, [&](detail::Tasks& tasks) {
    Index number = 0;
    if (!tasks.take(number)) return;
    detail::Workspace workspace;
    ContractTask<T> task(k, workspace);
    Index laid_out = -1;  // these taps of the only block of pixels are still laid out
    for (bool left = true; left; left = tasks.take(number)) {
      const Index m = number % row_tasks * task_rows, rows = std::min(task_rows, M - m),
                  taps_block = number / row_tasks;
      const Taps all = blocks[taps_block];
      const Index taps = all.count();
      const bool taps_in_lanes = one_line && taps_in_lanes_cost_less(taps, rows, N * image_pixels, k.lanes);
      const Panels panels{taps_in_lanes ? taps : rows, k.lanes};
      const Index in_rows = taps_in_lanes ? rows : taps, used = tap_runs(all, h, w, task.runs_of_taps);
      // Sums of taps in the lanes are made where they belong, if nothing is there.
      const bool whole = taps_in_lanes && overwrite && alpha == T(1) && dw.col == 1 && used == 1 && taps % k.lanes == 0;
      const Strided<T> in_place = dw.from(m, task.runs_of_taps[0].from);
      for (Index p = 0; p < pixels.count(); ++p) {
        const PixelBlock block = pixels[p];
        const Taps seen = seen_from(block, all);
        if (pixels.count() > 1 || laid_out != taps_block) {
          task.laid = lay_out(k, x.from(block.image, seen.channel, 0, 0), block.images, seen.channels, seen.h, seen.w,
                              task.copy);
          laid_out = taps_block;
        }
        task.laid.offsets(seen.channels, task.offsets);
        const PixelRows<T> filters = rows_of(k, dy, block, m, rows, task.runs, task.dy_rows, B::pitch);
        task.add_pixels(block, taps, filters, rows, panels, taps_in_lanes, whole ? &in_place : nullptr, p == 0);
      }
      if (whole && pixels.count() > 0) continue;
      if (pixels.count() == 0) std::fill_n(task.sums, panels.count() * in_rows * panels.whole(), T(0));
      store_panels(k, task.sums, panels, taps_in_lanes, rows, task.turned, task.runs_of_taps, used, dw.from(m, 0),
                   alpha, overwrite);
    }
  });
}

}  // namespace unfold::engine
