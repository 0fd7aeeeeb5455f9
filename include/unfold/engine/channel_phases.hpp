// SPDX-License-Identifier: MIT
// The input gradient at a stride, channels in the lanes: all phases of a block are made from one padded copy of dy,
// with filters packed once for all, and go to dx interleaved, in whole rows.
#pragma once

#include <unfold/engine/channel_lanes.hpp>

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

  ChannelPhases(Index N, Index C, const Axis& forward_h, const Axis& forward_w)
      : h(axis_of_phases(forward_h)),
        w(axis_of_phases(forward_w)),
        pixels(N, h.outputs, w.outputs, most_pixels(C, forward_h.phases() * forward_w.phases())) {
    const Index copy = laid_size(h.part(0, pixels.rows, 0, h.taps), w.part(0, pixels.columns, 0, w.taps));
    const bool fits = forward_h.stride * forward_w.stride <= B::phases;
    channels = fits ? std::min(B::depth / (forward_h.taps * forward_w.taps), B::copy / (pixels.most_images * copy)) : 0;
  }
};

/// Whether gradient_in_channel_lanes can run and is of use, for C channels of dx and M of dy.
template <class T>
bool has_channel_phases(Index C, Index M, const Axis& h, const Axis& w, const Batch<T>& dx) {
  const Index lanes = kernels<T>().lanes, taps = h.taps * w.taps;
  return h.stride * w.stride > 1 && dx.w == 1 && M * taps >= (taps == 1 ? 512 : 64 * h.stride * w.stride) &&
         C > Kernels<T>::most_few_rows && parts_of(C, lanes) * lanes * 5 <= C * 7 &&
         ChannelPhases<T>(1, C, h, w).channels > 0;
}

/// One phase: what a block has of it, and what stands before it: taps of phases, and phases that have taps.
struct Phase {
  Taps taps;
  Index first_tap, number;
};

/// The outputs [begin, begin + n) of an axis, as far as there are any.
inline Axis part_of(const Axis& axis, Index begin, Index n) {
  return axis.part(begin, std::clamp<Index>(axis.outputs - begin, 0, n), 0, axis.taps);
}

/// What a task of gradient_in_channel_lanes works on: `rows` channels of dx over a block of pixels of each phase.
template <class T>
struct ChannelPhasesTask {
  using B = ChannelLanesBlocks<T>;
  const Kernels<T>& k;
  const Axis &h, &w;  // of the forward stencil
  Axis all_h, all_w;  // of all phases, in the block
  PixelBlock block;
  Index rows;
  T *b, *sums, *copy, *part;  // [taps of each phase, wide]; [rows/width, phases with taps, pixels, wide]
  Index offsets[B::depth], places[B::depth];
  Phase phases[B::phases];  // [SH, SW]
  Index with_taps = 0;

  ChannelPhasesTask(const Kernels<T>& kernels, const Axis& forward_h, const Axis& forward_w,
                    const ChannelPhases<T>& blocks, const PixelBlock& pixels, Index channels,
                    detail::Workspace& workspace)
      : k(kernels),
        h(forward_h),
        w(forward_w),
        all_h(blocks.h.part(pixels.row, pixels.rows, 0, blocks.h.taps)),
        all_w(blocks.w.part(pixels.column, pixels.columns, 0, blocks.w.taps)),
        block(pixels),
        rows(channels),
        b(workspace.take<T>(B::b)),
        sums(workspace.take<T>(B::c)),
        copy(workspace.take<T>(B::copy + 2 * B::widest)),
        part(workspace.take<T>(B::part)) {}

  /// The places of a phase's taps, from `place` on, and where they find dy; returns the place after them.
  Index place_taps(const Taps& taps, const Laid<const T>& laid, Index place) {
    for (Index q = 0; q < taps.w.taps; ++q) {
      for (Index p = 0; p < taps.h.taps; ++p) {
        const Index from =
            laid.offset(taps.h.first + p * taps.h.step - all_h.first, taps.w.first + q * taps.w.step - all_w.first);
        places[(taps.h.kernel_first + p * taps.h.kernel_step) * w.taps + taps.w.kernel_first + q * taps.w.kernel_step] =
            place;
        for (Index d = 0; d < taps.channels; ++d) offsets[place++] = d * laid.channel + from;
      }
    }
    return place;
  }
  void place_phases(const Laid<const T>& laid, Index channel, Index channels) {
    Index place = 0;
    with_taps = 0;
    for (Index i = 0; i < h.stride; ++i) {
      for (Index j = 0; j < w.stride; ++j) {
        const Taps taps{part_of(gradient_axis(h, i), block.row, block.rows),
                        part_of(gradient_axis(w, j), block.column, block.columns), channel, channels};
        phases[i * w.stride + j] = {taps, place, with_taps};
        if (taps.count() > 0) ++with_taps;
        place = place_taps(taps, laid, place);
      }
    }
  }

  /// The sums of row r of a phase, of image n, for the channels [c, c + wide).
  T* sums_of(const Phase& phase, Index r, Index n, Index c, Index wide) const {
    return sums + (c * with_taps + phase.number * wide) * block.pixels() +
           (r * block.images + n) * phase.taps.w.outputs * wide;
  }

  void sum_phase(const Phase& phase, const Laid<const T>& laid, Index c, Index wide, bool first) const {
    const Tiles<T>& tiles = k.tiles.neighbours[wide / k.lanes - 1];
    const Taps& taps = phase.taps;
    const Index columns = taps.w.outputs;
    const bool pairs = 2 * columns <= tiles.rows && tiles.of_height[2 * columns] != nullptr;
    const Index tile = pairs ? columns : tile_columns(tiles, taps.w, columns), most_images = pairs ? 2 : 1;
    for (Index r = 0; r < taps.h.outputs; ++r) {
      for (Index n = 0; n < block.images; n += most_images) {
        sum_row(tiles, taps, laid, offsets + phase.first_tap, laid.data + n * laid.image + r * laid.row, r,
                std::min(most_images, block.images - n), columns, tile, b + phase.first_tap * wide, wide,
                sums_of(phase, r, n, c, wide), first);
      }
    }
  }

  /// Row `row` of image n goes to dx, from channel c on.
  void store_row(Index row, Index n, Index c, Index wide, const Batch<T>& dx, bool overwrite) const {
    const Index used = std::min(wide, rows - c), column = block.column * w.stride;
    T* const turned = part;  // [SW, wide, block.columns]
    for (Index j = 0; j < w.stride; ++j) {
      const Phase& phase = phases[row % h.stride * w.stride + j];
      T* const to = turned + j * wide * block.columns;
      if (phase.taps.count() > 0) {
        k.transpose(sums_of(phase, row / h.stride - block.row, n, c, wide), wide, phase.taps.w.outputs, used, to,
                    block.columns);
      } else {
        std::fill_n(to, used * block.columns, T(0));
      }
    }
    const Batch<T> to = dx.from(block.image + n, c, row, column);
    for (Index q = 0; q < used; ++q) {
      k.interleave(turned + q * block.columns, wide * block.columns, w.stride, to.data + q * to.c,
                   std::min(block.columns * w.stride, w.source - column), overwrite);
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
  const ChannelPhases<T> blocks(N, C, h, w);
  const PixelBlocks& pixels = blocks.pixels;
  const Index task_rows = parts_of(rows_of_task(C, pixels.count(), B::rows), width) * width;
  const Index row_tasks = parts_of(C, task_rows);

  detail::parallel_for(pixels.count() * row_tasks, [&](Index number) {
    const PixelBlock block = pixels[number / row_tasks];
    const Index c_begin = number % row_tasks * task_rows;
    const Batch<T> out = dx.from(0, c_begin, 0, 0);
    const Index first_row = block.row * h.stride, end_row = std::min(first_row + block.rows * h.stride, h.source);
    detail::Workspace workspace;
    ChannelPhasesTask<T> task(k, h, w, blocks, block, std::min(task_rows, C - c_begin), workspace);
    for (Index m = 0; m < M; m += blocks.channels) {
      const Index channels = std::min(blocks.channels, M - m);
      const Laid<const T> laid =
          lay_out(k, dy.from(block.image, m, 0, 0), block.images, channels, task.all_h, task.all_w, task.copy);
      task.place_phases(laid, m, channels);
      for (Index c = 0; c < task.rows; c += width) {
        const Index wide = task.rows - c > k.lanes ? width : k.lanes;
        pack_filters_in_order(k, a, c_begin + c, std::min(wide, task.rows - c), Taps{h, w, m, channels}, T(1),
                              task.places, B::l1, task.part, task.b, wide);
        for (Index phase = 0; phase < h.stride * w.stride; ++phase) {
          if (task.phases[phase].taps.count() > 0) task.sum_phase(task.phases[phase], laid, c, wide, m == 0);
        }
        if (m + channels < M) continue;
        for (Index n = 0; n < block.images; ++n) {
          for (Index row = first_row; row < end_row; ++row) task.store_row(row, n, c, wide, out, overwrite);
        }
      }
    }
  });
}

}  // namespace unfold::engine
