// SPDX-License-Identifier: MIT
// scatter   dx (+)= stencil^T(a * dy): the product of every tap with a block of dy, added where the tap stands. It
// serves where the input gradient, written as a stencil over dy, would mostly multiply padding.
#pragma once

#include <unfold/core/threads.hpp>
#include <unfold/engine/blocks.hpp>

namespace unfold::engine {

/// Block sizes in elements.
template <class T>
struct ScatterBlocks {
  static constexpr Index unit = static_cast<Index>(sizeof(T));
  static constexpr Index widest = 2 * most_lanes<T>;
  static constexpr Index depth = 256;           // channels of dy of a packed block
  static constexpr Index taps = 256;            // of a block
  static constexpr Index pixels = 2048 / unit;  // of a block
  static constexpr Index b = depth * (pixels + widest);
  static constexpr Index sums = taps * (pixels + widest);
  static constexpr Index copy = (Index{1} << 20) / unit;
  static_assert((b + depth * Tiles<T>::most_rows + sums + 2 * (copy + 2 * widest)) * unit + 4096 <= workspace_bytes,
                "the blocks fit the workspace");
  static_assert(copy >= depth * pixels, "a packed block of dy fits its copy");
};

/// dx(n, c, ih, iw) = or += the sum over m and the taps and outputs that read it of a(c, m, tap) * dy(n, m, output).
/// The stencil of h and w is the forward one, from dx to dy; a.m is the stride of dx's channels, a.c of dy's.
template <FloatOrDouble T>
void scatter(const Filters<const T>& a, Index C, const Batch<const T>& dy, Index N, Index M, const Axis& h,
             const Axis& w, const Batch<T>& dx, bool overwrite) {
  using B = ScatterBlocks<T>;
  const Kernels<T>& k = kernels<T>();
  const Tiles<T>& tiles = k.tiles.of_vectors[1];
  const Index width = 2 * k.lanes;
  const PixelBlocks pixels(N, h.outputs, w.outputs, B::pixels);
  const TapBlocks taps(h, w, pixels, C, B::taps, B::copy);
  const Index blocks_of_image = pixels.row_blocks * pixels.column_blocks;
  const Index channel_tasks = parts_of(C, taps.channels);
  // A task owns some channels of some images: blocks of one image overlap in dx and are added one after another.
  detail::parallel_for(channel_tasks * pixels.image_blocks, [&](Index task) {
    const Index c = task % channel_tasks * taps.channels, channels = std::min(taps.channels, C - c);
    detail::Workspace workspace;
    T* const b = workspace.take<T>(B::b);                                 // [panels, depth, width]
    T* const packed = workspace.take<T>(B::depth * Tiles<T>::most_rows);  // [depth, height]
    T* const sums = workspace.take<T>(B::sums);                           // [taps, sums_row]
    T* const copy = workspace.take<T>(B::copy + 2 * B::widest);
    T* const dy_copy = workspace.take<T>(B::copy + 2 * B::widest);
    constexpr Index sums_row = B::pixels + B::widest;
    Run runs[B::pixels + B::widest];
    Index offsets[B::depth + gather_ahead];
    for (Index p = 0; p < blocks_of_image; ++p) {
      const PixelBlock block = pixels[task / channel_tasks * blocks_of_image + p];
      const Index count = block.pixels();
      const Batch<T> to = dx.from(block.image, c, 0, 0);
      if (overwrite && p == 0) clear(to, block.images, channels, h.source, w.source);
      for (Index i = 0; i < h.taps; i += taps.kernel_rows) {
        for (Index j = 0; j < w.taps; j += taps.kernel_columns) {
          const Taps seen =
              seen_from(block, {h.part(0, h.outputs, i, std::min(taps.kernel_rows, h.taps - i)),
                                w.part(0, w.outputs, j, std::min(taps.kernel_columns, w.taps - j)), c, channels});
          const Index rows = seen.count();
          for (Index m = 0; m < M; m += B::depth) {
            const Index depth = std::min(B::depth, M - m);
            const Axis rows_of_dy{block.rows, block.rows, 1, 1, 0, 1},
                columns_of_dy{block.columns, block.columns, 1, 1, 0, 1};
            const Laid<const T> laid_dy = lay_out(k, dy.from(block.image, m, block.row, block.column), block.images,
                                                  depth, rows_of_dy, columns_of_dy, dy_copy);
            laid_dy.offsets(depth, offsets);
            for (Index at = 0; at < count; at += width) {
              const Index used = block.runs(at, std::min(width, count - at), laid_dy.image, laid_dy.row, 1, runs);
              k.gather(laid_dy.data, offsets, depth, runs, used, b + at * depth, width, !laid_dy.copied);
            }
            for (Index r = 0; r < rows; r += tiles.rows) {
              const Index n = std::min(tiles.rows, rows - r);
              pack_tap_rows(a, seen, r, m, depth, packed, n);
              packed_offsets(depth, n, offsets);
              for (Index at = 0; at < count; at += width) {
                tiles.run(n, depth, packed, offsets, b + at * depth, sums + r * sums_row + at, sums_row, m == 0);
              }
            }
          }
          const Laid<T> laid = laid_at<T>(copy, block.images, seen.h, seen.w);
          laid.offsets(channels, offsets);
          std::fill_n(copy, channels * laid.channel, T(0));
          const Index used = block.runs(0, count, laid.image, laid.row, 1, runs);
          k.scatter(sums, sums_row, offsets, rows, runs, used, copy, false);
          add_back(k, laid, block.images, channels, to);
        }
      }
    }
  });
}

}  // namespace unfold::engine
