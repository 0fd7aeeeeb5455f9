// SPDX-License-Identifier: MIT
// The input gradient at a stride, channels in the lanes: all phases of a block are made from one padded copy of dy,
// with filters packed once for all, and go to dx interleaved, in whole rows.
#pragma once

#include <unfold/engine/channel_lanes.hpp>
#include <unfold/engine/phases.hpp>

#include <cassert>

namespace unfold::engine {

/// How gradient_in_channel_lanes cuts N images: into blocks of pixels of a phase, and of channels of dy.
template <class T>
struct ChannelPhases {
  using B = ChannelLanesBlocks<T>;
  Axis h, w;  // of all phases
  PixelBlocks pixels;
  Index channels;  // none, if the blocks do not fit

  /// Pixels of a phase in a block: few enough that the sums of all phases with taps fit, many that filters are seldom
  /// packed.
  static Index most_pixels(Index C, Index phases) {
    const Index rows = std::min(parts_of(C, B::widest) * B::widest, B::rows);
    return std::max<Index>(1, std::min(B::pixels, B::c / (phases * rows)));
  }

  ChannelPhases(Index N, Index C, const Phases& rows, const Phases& columns)
      : h(axis_of_all(rows)),
        w(axis_of_all(columns)),
        pixels(N, h.outputs, w.outputs, most_pixels(C, rows.forward.phases() * columns.forward.phases())) {
    const Index copy = laid_size(h.part(0, pixels.rows, 0, h.taps), w.part(0, pixels.columns, 0, w.taps));
    const bool fits = rows.count() * columns.count() <= B::phases;
    channels =
        fits ? std::min(B::depth / (rows.forward.taps * columns.forward.taps), B::copy / (pixels.most_images * copy))
             : 0;
  }
};

/// Whether gradient_in_channel_lanes can run and is of use, for C channels of dx and M of dy.
template <class T>
bool has_channel_phases(Index C, Index M, const Axis& h, const Axis& w, const Batch<T>& dx) {
  const Index taps = h.taps * w.taps, phases = h.stride * w.stride, long_sum = taps == 1 ? 512 : 64 * phases;
  return phases > 1 && dx.w == 1 && M * taps >= long_sum && fill_lanes<T>(C) &&
         ChannelPhases<T>(1, C, {h, true}, {w, true}).channels > 0;
}

/// One phase: what a block has of it, and what stands before it: taps of phases, and phases that have taps.
struct Phase {
  Taps taps;
  Index first_tap, number;
};

/// What a task of gradient_in_channel_lanes works on: `rows` channels of dx over a block of pixels of each phase.
template <class T>
struct ChannelPhasesTask {
  using B = ChannelLanesBlocks<T>;
  const Kernels<T>& k;
  Phases h, w;
  PixelBlock block;  // of the longest phase
  Span dx_rows, dx_columns;
  Index channels;
  T *b, *sums, *copy, *part;  // [taps of each phase, wide]; [rows/width, phases with taps, pixels, wide]
  Index offsets[B::depth + gather_ahead], places[B::depth];
  Phase phases[B::phases];  // [SH, SW]
  Index with_taps = 0;

  ChannelPhasesTask(const Kernels<T>& kernels, const Phases& rows, const Phases& columns, const PixelBlock& pixels,
                    Index of_dx, detail::Workspace& workspace)
      : k(kernels),
        h(rows),
        w(columns),
        block(pixels),
        dx_rows(results(h, block.row, block.rows)),
        dx_columns(results(w, block.column, block.columns)),
        channels(of_dx),
        b(workspace.take<T>(B::b)),
        sums(workspace.take<T>(B::c)),
        copy(workspace.take<T>(B::copy + 2 * B::widest)),
        part(workspace.take<T>(B::part)) {}

  /// What of dx the outputs [begin, begin + n) of all phases are.
  static Span results(const Phases& phases, Index begin, Index n) {
    const Index first = begin * phases.count();
    return {first, std::min(n * phases.count(), phases.results() - first)};
  }

  /// The places of a phase's taps, from `place` on, and where they find dy; returns the place after them.
  Index place_taps(const Taps& taps, const Laid<const T>& laid, Index place) {
    for (Index j = 0; j < taps.w.taps; ++j) {
      for (Index i = 0; i < taps.h.taps; ++i) {
        const Index kh = taps.h.kernel_first + i * taps.h.kernel_step;
        const Index kw = taps.w.kernel_first + j * taps.w.kernel_step;
        places[kh * w.forward.taps + kw] = place;
        const Index from = offset_of_phase(laid, taps, i, j);
        for (Index d = 0; d < taps.channels; ++d) offsets[place++] = d * laid.channel + from;
      }
    }
    return place;
  }
  void place_phases(const Laid<const T>& laid, Index channel, Index of_dy) {
    Index place = 0;
    with_taps = 0;
    for (Index i = 0; i < h.count(); ++i) {
      for (Index j = 0; j < w.count(); ++j) {
        const Taps taps{h.part(i, dx_rows.first, dx_rows.first + dx_rows.count),
                        w.part(j, dx_columns.first, dx_columns.first + dx_columns.count), channel, of_dy};
        phases[i * w.count() + j] = {taps, place, with_taps};
        if (taps.count() > 0) ++with_taps;
        place = place_taps(taps, laid, place);
      }
    }
    std::fill_n(offsets + place, gather_ahead, Index{0});
  }

  /// The sums of row r of a phase, of image n, for the channels [c, c + wide).
  T* sums_of(const Phase& phase, Index r, Index n, Index c, Index wide) const {
    return sums + (c * with_taps + phase.number * wide) * block.pixels() +
           (r * block.images + n) * phase.taps.w.outputs * wide;
  }

  void sum_phase(const Phase& phase, const Laid<const T>& laid, Index c, Index wide, bool first) const {
    const Tiles<T>& tiles = k.tiles.of_vectors[wide / k.lanes - 1];
    const Taps& taps = phase.taps;
    const RowTile tile(tiles, taps);
    for (Index r = 0; r < taps.h.outputs; ++r) {
      for (Index n = 0; n < block.images; n += tile.images) {
        sum_row(tiles, tile, taps, laid, offsets + phase.first_tap, laid.data + n * laid.image + r * laid.row, r,
                std::min(tile.images, block.images - n), b + phase.first_tap * wide, wide,
                sums_of(phase, r, n, c, wide), first);
      }
    }
  }

  /// Row r of the block's rows of dx, of image n, from channel c on.
  void store_row(Index r, Index n, Index c, Index wide, const Batch<T>& dx, bool overwrite) const {
    const Index used = std::min(wide, channels - c);
    T* const turned = part;  // [SW, wide, block.columns]
    assert(w.count() * wide * block.columns <= B::part);
    for (Index j = 0; j < w.count(); ++j) {
      const Phase& phase = phases[r % h.count() * w.count() + j];
      T* const to = turned + j * wide * block.columns;
      if (phase.taps.count() > 0) {
        k.transpose(sums_of(phase, r / h.count(), n, c, wide), wide, phase.taps.w.outputs, used, to, block.columns);
      } else {
        std::fill_n(to, used * block.columns, T(0));
      }
    }
    const Batch<T> to = dx.from(block.image + n, c, dx_rows.first + r, dx_columns.first);
    for (Index q = 0; q < used; ++q) {
      k.interleave(turned + q * block.columns, wide * block.columns, w.count(), to.data + q * to.c, dx_columns.count,
                   overwrite);
    }
  }
};

/// dx = or += the sum over m and the taps and outputs that read it of a(c, m, tap) * dy(n, m, output). The axes are
/// those of the forward stencil, from dx to dy; dx has C channels, dy has M.
template <FloatOrDouble T>
void gradient_in_channel_lanes(const Filters<const T>& a, Index C, const Batch<const T>& dy, Index N, Index M,
                               const Axis& h, const Axis& w, const Batch<T>& dx, bool overwrite) {
  using B = ChannelLanesBlocks<T>;
  const Kernels<T>& k = kernels<T>();
  const Index width = 2 * k.lanes;
  const Phases phases_h{h, true}, phases_w{w, true};
  const ChannelPhases<T> blocks(N, C, phases_h, phases_w);
  const PixelBlocks& pixels = blocks.pixels;
  const Index task_rows = parts_of(rows_of_task(C, pixels.count(), B::rows), width) * width;
  const Index row_tasks = parts_of(C, task_rows);

  detail::parallel_for(pixels.count() * row_tasks, [&](Index number) {
    const PixelBlock block = pixels[number / row_tasks];
    const Index c_begin = number % row_tasks * task_rows;
    const Batch<T> out = dx.from(0, c_begin, 0, 0);
    const Axis all_h = blocks.h.part(block.row, block.rows, 0, blocks.h.taps);
    const Axis all_w = blocks.w.part(block.column, block.columns, 0, blocks.w.taps);
    detail::Workspace workspace;
    ChannelPhasesTask<T> task(k, phases_h, phases_w, block, std::min(task_rows, C - c_begin), workspace);
    for (Index m = 0; m < M; m += blocks.channels) {
      const Index channels = std::min(blocks.channels, M - m);
      const Laid<const T> laid =
          lay_out(k, dy.from(block.image, m, 0, 0), block.images, channels, all_h, all_w, task.copy);
      task.place_phases(laid, m, channels);
      for (Index c = 0; c < task.channels; c += width) {
        const Index wide = task.channels - c > k.lanes ? width : k.lanes;
        pack_filters_in_order(k, a, c_begin + c, std::min(wide, task.channels - c), Taps{h, w, m, channels}, T(1),
                              task.places, B::l1, task.part, task.b, wide);
        for (Index phase = 0; phase < h.stride * w.stride; ++phase) {
          if (task.phases[phase].taps.count() > 0) task.sum_phase(task.phases[phase], laid, c, wide, m == 0);
        }
        if (m + channels < M) continue;
        for (Index n = 0; n < block.images; ++n) {
          for (Index r = 0; r < task.dx_rows.count; ++r) task.store_row(r, n, c, wide, out, overwrite);
        }
      }
    }
  });
}

}  // namespace unfold::engine
