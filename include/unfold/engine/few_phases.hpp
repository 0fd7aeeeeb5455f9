// SPDX-License-Identifier: MIT
// The input gradient of few channels at a stride: all its phases are made from one padded copy of dy, and go to dx
// interleaved, in whole rows.
#pragma once

#include <unfold/engine/few_channels.hpp>
#include <unfold/engine/phases.hpp>

namespace unfold::engine {

/// How gradient_few_rows cuts C channels of dx: into blocks of pixels of a phase, and of channels of dy.
template <class T>
struct PhaseBlocks {
  using B = FewChannelsBlocks<T>;
  Axis h, w;  // of all phases
  PixelBlocks pixels;
  bool in_one;       // the lines of a block are one stretch, the few columns between them computed along
  Index line, sums;  // of sums: a line, and the lines of a phase and channel
  Index channels;    // none, if the blocks do not fit

  PhaseBlocks(Index C, const Phases& rows, const Phases& columns, Index lanes)
      : h(axis_of_all(rows)), w(axis_of_all(columns)), pixels(1, h.outputs, w.outputs, B::pixels) {
    const Index in_vectors = parts_of(pixels.columns, lanes) * lanes, laid_row = w.length(pixels.columns);
    in_one = laid_row < in_vectors;
    line = in_one ? laid_row : in_vectors;
    sums = pixels.rows * line + lanes;
    const Index copy = laid_size(h.part(0, pixels.rows, 0, h.taps), w.part(0, pixels.columns, 0, w.taps));
    const bool fits = rows.count() * columns.count() * C * sums <= 2 * B::copy;
    channels = fits ? std::min(B::depth / (h.taps * w.taps), B::copy / copy) : 0;
  }
};

/// Whether gradient_few_rows can run, for C channels of dx.
template <class T>
bool has_few_phases(Index C, const Axis& h, const Axis& w, const Batch<T>& dx) {
  return C <= Kernels<T>::most_few_rows && h.stride * w.stride > 1 && dx.w == 1 &&
         PhaseBlocks<T>(C, {h, true}, {w, true}, kernels<T>().lanes).channels > 0;
}

/// Where the taps of a phase find dy, in the order of pack_filters.
template <class T>
void phase_offsets(const Laid<T>& laid, const Taps& phase, Index* to) {
  for (Index c = 0; c < phase.channels; ++c) {
    for (Index i = 0; i < phase.h.taps; ++i) {
      for (Index j = 0; j < phase.w.taps; ++j) *to++ = c * laid.channel + offset_of_phase(laid, phase, i, j);
    }
  }
}

/// dx = or += the sum over m and the taps and outputs that read it of a(c, m, tap) * dy(n, m, output), for few channels
/// C of dx. The axes are those of the forward stencil, from dx to dy.
template <FloatOrDouble T>
void gradient_few_rows(const Filters<const T>& a, Index C, const Batch<const T>& dy, Index N, Index M, const Axis& h,
                       const Axis& w, const Batch<T>& dx, bool overwrite) {
  using B = FewChannelsBlocks<T>;
  const Kernels<T>& k = kernels<T>();
  const Phases phases_h{h, true}, phases_w{w, true};
  const PhaseBlocks<T> blocks(C, phases_h, phases_w, k.lanes);
  const PixelBlocks& pixels = blocks.pixels;
  detail::parallel_for(N * pixels.count(), [&](Index task) {
    const PixelBlock block = pixels[task % pixels.count()];
    const Index image = task / pixels.count();
    detail::Workspace workspace;
    T* const packed = workspace.take<T>(B::depth * 4);  // [depth, C]
    T* const copy = workspace.take<T>(B::copy + 2 * B::widest);
    T* const sums = workspace.take<T>(2 * B::copy);  // [phases of rows, C, phases of columns, lines]
    Index offsets[B::depth + gather_ahead];
    const Index row = block.row * h.stride, rows = std::min(block.rows * h.stride, h.source - row);
    const Index column = block.column * w.stride, columns = std::min(block.columns * w.stride, w.source - column);
    const Index lines = blocks.in_one ? 1 : block.rows;
    const Index length = blocks.in_one ? (block.rows - 1) * blocks.line + block.columns : block.columns;
    for (Index m = 0; m < M; m += blocks.channels) {
      const Index channels = std::min(blocks.channels, M - m);
      const Laid<const T> laid =
          lay_out_copy(k, dy.from(image, m, 0, 0), 1, channels, blocks.h.part(block.row, block.rows, 0, blocks.h.taps),
                       blocks.w.part(block.column, block.columns, 0, blocks.w.taps), copy);
      for (Index i = 0; i < h.stride; ++i) {
        const Axis of_rows = phases_h.part(i, row, row + rows);
        for (Index j = 0; j < w.stride; ++j) {
          const Taps phase{of_rows, phases_w.part(j, column, column + columns), m, channels};
          T* const c = sums + (i * C * w.stride + j) * blocks.sums;
          const Index c_row = w.stride * blocks.sums;
          if (phase.count() == 0) {
            for (Index r = 0; r < C; ++r) std::fill_n(c + r * c_row, blocks.sums, T(0));
            continue;
          }
          phase_offsets(laid, phase, offsets);
          pack_filters(k, a, 0, C, phase, T(1), packed, C);
          k.few_rows[C - 1](phase.count(), packed, copy, offsets, length, lines, laid.row, c, c_row, blocks.line,
                            m == 0, false);
        }
      }
    }
    for (Index r = 0; r < rows; ++r) {
      const T* const of_row = sums + r % h.stride * C * w.stride * blocks.sums + r / h.stride * blocks.line;
      for (Index c = 0; c < C; ++c) {
        const T* const from = of_row + c * w.stride * blocks.sums;
        k.interleave(from, blocks.sums, w.stride, dx.from(image, c, row + r, column).data, columns, overwrite);
      }
    }
  });
}

}  // namespace unfold::engine
