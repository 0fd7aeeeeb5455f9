// SPDX-License-Identifier: MIT
// How the engine cuts a convolution into blocks that fit the caches and its workspace: functions of the
// geometry alone.
#pragma once

#include <unfold/core/workspace.hpp>
#include <unfold/engine/filters.hpp>

namespace unfold::engine {

/// n cut into equal parts of at most `most`: the size of a part.
constexpr Index equal_part(Index n, Index most) {
  if (0 < n && n <= most) return n;  // the usual case of small images, without a division
  const Index parts = (n + most - 1) / most;
  return parts == 0 ? 1 : (n + parts - 1) / parts;
}
constexpr Index parts_of(Index n, Index part) { return 0 < n && n <= part ? 1 : (n + part - 1) / part; }

/// `size` neighbours in panels of two vectors, the last of one where that is enough.
struct Panels {
  Index size, lanes;

  Index whole() const { return 2 * lanes; }
  Index count() const { return parts_of(size, whole()); }
  Index used(Index panel) const { return std::min(whole(), size - panel * whole()); }
  Index width(Index panel) const { return used(panel) > lanes ? whole() : lanes; }
};

/// A block of output pixels in row-major order: whole images, or rows and columns of one.
struct PixelBlock {
  Index image, images, row, rows, column, columns;
  Index pixels() const { return images * rows * columns; }

  /// Cuts the pixels [begin, begin + count) where they are not contiguous in a tensor of these strides; returns the
  /// number of runs, at most `count`.
  Index runs(Index begin, Index count, Index image_stride, Index row_stride, Index step, Run* runs) const {
    Index wide = columns, high = rows;  // rows that follow each other without a gap are one
    if (row_stride == columns * step) {
      wide *= rows, high = 1;
      if (image_stride == wide * step) wide *= images;
    }
    Index n = begin / (high * wide), r = begin / wide % high, c = begin % wide;
    Index used = 0;
    for (Index at = 0; at < count; ++used) {
      const Index length = std::min(count - at, wide - c);
      runs[used] = {n * image_stride + r * row_stride + c * step, at, length};
      at += length;
      c = 0;
      if (++r == high) r = 0, ++n;
    }
    return used;
  }
};

/// N images of OH x OW outputs cut into equal blocks of at most `most` pixels: images where they are small, else
/// rows, else columns.
struct PixelBlocks {
  Index N, OH, OW;
  Index images, rows, columns;  // of a block
  Index most_images;            // that a block would have of any number
  Index image_blocks, row_blocks, column_blocks;

  PixelBlocks(Index all_images, Index height, Index width, Index most) : N(all_images), OH(height), OW(width) {
    columns = equal_part(OW, most);
    column_blocks = parts_of(OW, columns);
    rows = equal_part(OH, std::max<Index>(1, most / columns));
    row_blocks = parts_of(OH, rows);
    most_images = row_blocks == 1 && column_blocks == 1 ? std::max<Index>(1, most / (OH * OW)) : 1;
    images = equal_part(N, most_images);
    image_blocks = parts_of(N, images);
  }
  Index count() const { return image_blocks * row_blocks * column_blocks; }
  PixelBlock operator[](Index i) const {
    const Index c = i % column_blocks * columns, r = i / column_blocks % row_blocks * rows;
    const Index n = i / column_blocks / row_blocks * images;
    return {n, std::min(images, N - n), r, std::min(rows, OH - r), c, std::min(columns, OW - c)};
  }
};

/// A stencil cut along the kernel and the channels into blocks of at most `depth` taps, whose padded copy for a block
/// of pixels takes at most `room` elements (or is one tap's). The number of images has no say in it: the sums of an
/// image are cut in the same places in a batch and alone.
struct TapBlocks {
  Axis h, w;
  Index C, kernel_rows, kernel_columns, channels;

  TapBlocks(const Axis& height, const Axis& width, const PixelBlocks& pixels, Index input_channels, Index depth,
            Index room)
      : h(height), w(width), C(input_channels) {
    kernel_columns = std::min(w.taps, depth);
    kernel_rows = std::min(h.taps, std::max<Index>(1, depth / kernel_columns));
    const auto copy_size = [&] {
      return pixels.most_images *
             laid_size(h.part(0, pixels.rows, 0, kernel_rows), w.part(0, pixels.columns, 0, kernel_columns));
    };
    while (kernel_rows > 1 && copy_size() > room) kernel_rows = (kernel_rows + 1) / 2;
    while (kernel_columns > 1 && copy_size() > room) kernel_columns = (kernel_columns + 1) / 2;
    const Index most = std::min(depth / (kernel_rows * kernel_columns), room / copy_size());
    channels = equal_part(C, std::max<Index>(1, most));
  }

  Index count() const {
    return parts_of(h.taps, kernel_rows) * parts_of(w.taps, kernel_columns) * parts_of(C, channels);
  }
  /// The blocks in the order of the sum.
  Taps operator[](Index i) const {
    if (channels == C && kernel_rows == h.taps && kernel_columns == w.taps) return {h, w, 0, C};
    const Index c_blocks = parts_of(C, channels), w_blocks = parts_of(w.taps, kernel_columns);
    const Index c = i % c_blocks * channels, kw = i / c_blocks % w_blocks * kernel_columns;
    const Index kh = i / c_blocks / w_blocks * kernel_rows;
    return {h.part(0, h.outputs, kh, std::min(kernel_rows, h.taps - kh)),
            w.part(0, w.outputs, kw, std::min(kernel_columns, w.taps - kw)), c, std::min(channels, C - c)};
  }
};

/// The taps of a block, as seen from the pixels of a block.
inline Taps seen_from(const PixelBlock& block, const Taps& taps) {
  return {taps.h.part(block.row, block.rows, 0, taps.h.taps), taps.w.part(block.column, block.columns, 0, taps.w.taps),
          taps.channel, taps.channels};
}

}  // namespace unfold::engine
