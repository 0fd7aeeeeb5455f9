// SPDX-License-Identifier: MIT
// The same products where a group has few channels: pixels as the vectors, read where they lie in the
// padded copy, rows of the image one after the other with the few columns between them computed along.
#pragma once

#include <unfold/engine/packed.hpp>

namespace unfold::engine {

/// From how many rows, or taps, on the packed products serve better.
inline constexpr Index most_few_rows = 4, most_few_taps = 36;

/// Blocks of the few-channel products: whole rows, one image at a time.
template <class T>
struct FewBlocks {
  static constexpr Index gap = most_columns<T>;
  static constexpr Index row = 16384 / static_cast<Index>(sizeof(T));  // pixels and junk of a block, about
};

/// `convolve` for M <= most_few_rows.
template <FloatOrDouble T>
void convolve_few_rows(const Filters<const T>& a, Index M, const Batch<const T>& x, Index N, Index C, const Axis& h,
                       const Axis& w, const Batch<T>& y, T alpha, bool overwrite) {
  using B = Blocks<T>;
  const Tiles<T>& set = tiles<T>();
  PixelBlocks pixels(1, h.outputs, w.outputs, FewBlocks<T>::row);
  const StencilBlocks stencil = StencilBlocks::of<T>(h, w, pixels, C, B::depth);
  detail::parallel_for(N * pixels.count(), [&](Index task) {
    const PixelBlock block = pixels[task % pixels.count()];
    const Index n = task / pixels.count();
    detail::Workspace workspace;
    T* const packed_a = workspace.take<T>(B::depth * 4);
    T* const copy = workspace.take<T>(B::laid);
    T* const c = workspace.take<T>(B::laid);
    Index offsets[B::depth];
    bool first = true;
    Index pitch = 0, flat = 0, c_row = 0;
    stencil.for_each(h, w, C, [&](const Axis& hs, const Axis& ws, Index channel, Index channels) {
      const Axis hp = hs.part(block.row, block.rows, 0, hs.taps), wp = ws.part(block.column, block.columns, 0, ws.taps);
      const Laid<T> laid = lay_out(x.from(n, channel, 0, 0), 1, channels, hp, wp, FewBlocks<T>::gap, copy);
      const Index depth = laid.offsets(channels, offsets);
      pack_filters(a, 0, M, M, M, channel, channels, hp, wp, alpha, packed_a);
      pitch = laid.row;
      flat = (block.rows - 1) * pitch + block.columns;
      c_row = flat + FewBlocks<T>::gap;
      set.few_rows[static_cast<std::size_t>(M - 1)](depth, packed_a, laid.data, offsets, flat, c, c_row, first);
      first = false;
    });
    const Batch<T> out = y.from(n, 0, block.row, block.column);
    for (Index m = 0; m < M; ++m) {
      for (Index r = 0; r < block.rows; ++r) {
        T* const to = out.data + m * y.c + r * y.h;
        const T* const from = c + m * c_row + r * pitch;
        if (overwrite && y.w == 1) {
          std::copy_n(from, block.columns, to);
        } else {
          for (Index i = 0; i < block.columns; ++i) to[i * y.w] = overwrite ? from[i] : to[i * y.w] + from[i];
        }
      }
    }
  });
}

/// `contract` by dot products along the rows of the image: for few filters or few taps.
template <FloatOrDouble T>
void contract_dots(const Batch<const T>& dy, Index M, const Batch<const T>& x, Index N, Index C, const Axis& h,
                   const Axis& w, const Strided<T>& dw, T alpha, bool overwrite) {
  using B = Blocks<T>;
  const Tiles<T>& set = tiles<T>();
  const Index L = set.columns / 2;
  PixelBlocks pixels(1, h.outputs, w.outputs, FewBlocks<T>::row);
  const StencilBlocks stencil = StencilBlocks::of<T>(h, w, pixels, C, 128);
  const std::size_t form = M == 1 ? 0 : 1;  // tiles of 1 or 4 rows
  const Index row_task = M == 1 ? 1 : 4, tile_taps = set.dots_taps[form];
  const Index m_tasks = (M + row_task - 1) / row_task;
  detail::parallel_for(m_tasks, [&](Index task) {
    const Index m = task * row_task, rows = std::min(row_task, M - m);
    detail::Workspace workspace;
    T* const copy = workspace.take<T>(B::laid);
    T* const d = workspace.take<T>(B::laid);
    T* const sums = workspace.take<T>(4 * 160 * most_columns<T>);
    Index offsets[160];
    stencil.for_each(h, w, C, [&](const Axis& hs, const Axis& ws, Index c, Index channels) {
      const Index taps = channels * hs.taps * ws.taps;
      const Index padded_taps = (taps + tile_taps - 1) / tile_taps * tile_taps, sums_row = padded_taps * L;
      bool first = true;
      for (Index n = 0; n < N; ++n) {
        for (Index p = 0; p < pixels.count(); ++p) {
          const PixelBlock block = pixels[p];
          const Axis hp = hs.part(block.row, block.rows, 0, hs.taps), wp = ws.part(block.column, block.columns, 0, ws.taps);
          const Laid<T> laid = lay_out(x.from(n, c, 0, 0), 1, channels, hp, wp, FewBlocks<T>::gap, copy);
          laid.offsets(channels, offsets);
          std::fill_n(offsets + taps, padded_taps - taps, offsets[0]);
          const Index flat = (block.rows - 1) * laid.row + block.columns, d_row = flat + FewBlocks<T>::gap;
          for (Index r = 0; r < row_task; ++r) {
            T* to = d + r * d_row;
            if (r >= rows) {
              std::fill_n(to, d_row, T(0));
              continue;
            }
            for (Index i = 0; i < block.rows; ++i, to += laid.row) {
              const T* const from = dy.data + n * dy.n + (m + r) * dy.c + (block.row + i) * dy.h + block.column * dy.w;
              for (Index q = 0; q < block.columns; ++q) to[q] = from[q * dy.w];
              std::fill_n(to + block.columns, i + 1 < block.rows ? laid.row - block.columns : FewBlocks<T>::gap, T(0));
            }
          }
          for (Index k = 0; k < taps; k += tile_taps) {
            set.dots[form](flat, d, d_row, laid.data, offsets + k, sums + k * L, sums_row, first);
          }
          first = false;
        }
      }
      Index k = 0;
      for (Index q = 0; q < channels; ++q) {
        for (Index i = 0; i < hs.taps; ++i) {
          for (Index j = 0; j < ws.taps; ++j, ++k) {
            for (Index r = 0; r < rows; ++r) {
              T sum(0);
              for (Index l = 0; l < L && !first; ++l) sum += sums[r * sums_row + k * L + l];
              T& to = dw(m + r, ((c + q) * h.taps + hs.kernel_first + i) * w.taps + ws.kernel_first + j);
              to = overwrite ? alpha * sum : to + alpha * sum;
            }
          }
        }
      }
    });
  });
}

}  // namespace unfold::engine
