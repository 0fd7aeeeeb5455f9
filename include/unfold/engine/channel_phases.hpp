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

/// dx = or += the sum over m and the taps and outputs that read it of a(c, m, tap) * dy(n, m, output). The axes are
/// those of the forward stencil, from dx to dy; dx has C channels, dy has M.
template <FloatOrDouble T>
void gradient_in_channel_lanes(const Filters<const T>& a, Index C, const Batch<const T>& dy, Index N, Index M,
                               const Axis& h, const Axis& w, const Batch<T>& dx, bool overwrite) {
  using B = ChannelLanesBlocks<T>;
  const Kernels<T>& k = kernels<T>();
  const Index width = 2 * k.lanes, SH = h.stride, SW = w.stride;
  const ChannelPhases<T> blocks(N, C, h, w);
  const PixelBlocks& pixels = blocks.pixels;
  const Index task_rows = parts_of(rows_of_task(C, pixels.count(), B::rows), width) * width;
  const Index row_tasks = parts_of(C, task_rows);

  detail::parallel_for(pixels.count() * row_tasks, [&](Index task) {
    const PixelBlock block = pixels[task / row_tasks];
    const Index c_begin = task % row_tasks * task_rows, rows = std::min(task_rows, C - c_begin);
    detail::Workspace workspace;
    T* const b = workspace.take<T>(B::b);     // [taps of each phase, wide]
    T* const sums = workspace.take<T>(B::c);  // [rows/width, phases with taps, pixels, wide]
    T* const copy = workspace.take<T>(B::copy + 2 * B::widest);
    T* const part = workspace.take<T>(B::part);
    Index offsets[B::depth], places[B::depth];
    const Axis all_h = blocks.h.part(block.row, block.rows, 0, blocks.h.taps);
    const Axis all_w = blocks.w.part(block.column, block.columns, 0, blocks.w.taps);
    for (Index m = 0; m < M; m += blocks.channels) {
      const Index channels = std::min(blocks.channels, M - m);
      const Laid<const T> laid = lay_out(k, dy.from(block.image, m, 0, 0), block.images, channels, all_h, all_w, copy);
      Phase phases[B::phases];  // [SH, SW]
      Index place = 0, with_taps = 0;
      for (Index i = 0; i < SH; ++i) {
        for (Index j = 0; j < SW; ++j) {
          const Axis hp = part_of(gradient_axis(h, i), block.row, block.rows);
          const Axis wp = part_of(gradient_axis(w, j), block.column, block.columns);
          phases[i * SW + j] = {{hp, wp, m, channels}, place, with_taps};
          if (hp.taps * wp.taps > 0) ++with_taps;
          for (Index q = 0; q < wp.taps; ++q) {
            for (Index p = 0; p < hp.taps; ++p) {
              const Index from =
                  laid.offset(hp.first + p * hp.step - all_h.first, wp.first + q * wp.step - all_w.first);
              places[(hp.kernel_first + p * hp.kernel_step) * w.taps + wp.kernel_first + q * wp.kernel_step] = place;
              for (Index d = 0; d < channels; ++d) offsets[place++] = d * laid.channel + from;
            }
          }
        }
      }
      for (Index c = 0; c < rows; c += width) {
        const Index wide = rows - c > k.lanes ? width : k.lanes, used = std::min(wide, rows - c);
        const Tiles<T>& tiles = k.tiles.neighbours[wide / k.lanes - 1];
        pack_filters_in_order(k, a, c_begin + c, used, Taps{h, w, m, channels}, T(1), places, B::l1, part, b, wide);
        // The sums of row r of a phase, of image n.
        const auto sums_of = [&](Index phase, Index r, Index n) {
          return sums + (c * with_taps + phases[phase].number * wide) * block.pixels() +
                 (r * block.images + n) * phases[phase].taps.w.outputs * wide;
        };
        for (Index phase = 0; phase < SH * SW; ++phase) {
          const Taps& taps = phases[phase].taps;
          const Index columns = taps.w.outputs, first = phases[phase].first_tap;
          const bool pairs = 2 * columns <= tiles.rows && tiles.of_height[2 * columns] != nullptr;
          const Index tile = pairs ? columns : tile_columns(tiles, taps.w, columns);
          for (Index r = 0; r < taps.h.outputs && taps.count() > 0; ++r) {
            for (Index n = 0; n < block.images; n += pairs ? 2 : 1) {
              sum_row(tiles, taps, laid, offsets + first, laid.data + n * laid.image + r * laid.row, r,
                      pairs ? std::min<Index>(2, block.images - n) : 1, columns, tile, b + first * wide, wide,
                      sums_of(phase, r, n), m == 0);
            }
          }
        }
        if (m + channels < M) continue;
        T* const turned = part;  // [SW, wide, block.columns]
        const Index first_row = block.row * SH, end_row = std::min(first_row + block.rows * SH, h.source);
        const Index column = block.column * SW, columns = std::min(block.columns * SW, w.source - column);
        for (Index n = 0; n < block.images; ++n) {
          for (Index row = first_row; row < end_row; ++row) {
            for (Index j = 0; j < SW; ++j) {
              const Index phase = row % SH * SW + j;
              T* const to = turned + j * wide * block.columns;
              if (phases[phase].taps.count() > 0) {
                k.transpose(sums_of(phase, (row - first_row) / SH, n), wide, phases[phase].taps.w.outputs, used, to,
                            block.columns);
              } else {
                std::fill_n(to, used * block.columns, T(0));
              }
            }
            const Batch<T> to = dx.from(block.image + n, c_begin + c, row, column);
            for (Index q = 0; q < used; ++q) {
              k.interleave(turned + q * block.columns, wide * block.columns, SW, to.data + q * to.c, columns,
                           overwrite);
            }
          }
        }
      }
    }
  });
}

}  // namespace unfold::engine
