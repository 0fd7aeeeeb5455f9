// SPDX-License-Identifier: MIT
// A stencil: which source elements the outputs of a convolution read, axis by axis. The forward pass
// and, for each phase of its strides, the input gradient are stencils. A block of the source is copied
// once with its padding, split by stride, so that a run of outputs under any tap is contiguous.
#pragma once

#include <unfold/core/geometry.hpp>
#include <unfold/engine/tile.hpp>

#include <algorithm>  // std::min, std::max

namespace unfold::engine {

/// One axis: output o under tap t reads source element o*stride + first + t*step, 0 outside [0, source);
/// tap t is the kernel's element kernel_first + t*kernel_step.
struct Axis {
  Index outputs, source, stride, taps, first, step;
  Index kernel_first = 0, kernel_step = 1;

  Index lowest() const { return step < 0 ? first + (taps - 1) * step : first; }
  Index reach() const { return (taps - 1) * (step < 0 ? -step : step); }  // highest tap less the lowest
  Index phases() const { return std::min(stride, reach() + 1); }
  /// Elements of one phase for n outputs.
  Index length(Index n) const { return n + reach() / stride; }
  /// Where tap t finds its element of output 0: the phase, and the place in it.
  Index distance(Index t) const { return first + t * step - lowest(); }
  /// The axis of the outputs [begin, begin + n) under the taps [tap, tap + m).
  Axis part(Index begin, Index n, Index tap, Index m) const {
    return {n, source, stride, m, first + begin * stride + tap * step, step, kernel_first + tap * kernel_step, kernel_step};
  }
};

/// A [N, C, H, W] batch of any strides, in elements.
template <class T>
struct Batch {
  T* data;
  Index n, c, h, w;

  Batch from(Index image, Index channel, Index row, Index column) const {
    return {data + image * n + channel * c + row * h + column * w, n, c, h, w};
  }
  operator Batch<const T>() const { return {data, n, c, h, w}; }
};

/// Source elements laid out for runs: output (n, oh, ow) under tap (i, j) of channel c reads
/// data[c*channel + offset(i, j) + n*image + oh*row + ow].
template <class T>
struct Laid {
  const T* data;
  Index channel, image, row;
  Index row_phase, column_phase;  // strides of the phases
  Axis h, w;

  Index offset(Index i, Index j) const {
    const Index dh = h.distance(i), dw = w.distance(j);
    return dh % h.stride * row_phase + dh / h.stride * row + dw % w.stride * column_phase + dw / w.stride;
  }
  /// The offsets of all taps of the channels, in order; returns how many.
  Index offsets(Index channels, Index* to) const {
    Index k = 0;
    for (Index c = 0; c < channels; ++c) {
      for (Index i = 0; i < h.taps; ++i) {
        for (Index j = 0; j < w.taps; ++j) to[k++] = c * channel + offset(i, j);
      }
    }
    return k;
  }
};

/// The elements that a padded copy takes for one image and channel.
inline Index laid_size(const Axis& h, const Axis& w) {
  return h.phases() * h.length(h.outputs) * w.phases() * w.length(w.outputs);
}

/// The layout of a padded copy at `copy`.
template <class T>
Laid<T> laid_at(const T* copy, Index images, const Axis& h, const Axis& w, Index gap) {
  const Index columns = w.length(w.outputs), plane = h.length(h.outputs) * columns;
  const Index image = h.phases() * w.phases() * plane + gap;
  return {copy, images * image, image, columns, w.phases() * plane, plane, h, w};
}

/// Copies the elements first, first + step, ... of a row of `size` elements, zeros for those outside it.
template <class T>
void copy_padded(const T* row, Index size, Index row_step, Index first, Index step, Index count, T* to) {
  const Index low = std::min(count, first < 0 ? (step - 1 - first) / step : 0);
  const Index high = std::max(low, std::min(count, first < size ? (size - 1 - first) / step + 1 : 0));
  std::fill_n(to, low, T(0));
  const Index stride = step * row_step;
  if (stride == 1) {
    std::copy_n(row + first + low, high - low, to + low);
  } else {
    for (Index i = low; i < high; ++i) to[i] = row[first * row_step + i * stride];
  }
  std::fill_n(to + high, count - high, T(0));
}

/// Copies what the stencil reads of `images` images and `channels` channels, with zeros for the padding, and `gap`
/// zeros after each image; without a gap, a source that already lies so is used where it is.
template <class T>
Laid<T> lay_out(const Batch<const T>& x, Index images, Index channels, const Axis& h, const Axis& w, Index gap, T* copy) {
  const bool inside = h.lowest() >= 0 && w.lowest() >= 0 &&
                      h.lowest() + (h.outputs - 1) * h.stride + h.reach() < h.source &&
                      w.lowest() + (w.outputs - 1) * w.stride + w.reach() < w.source;
  if (gap == 0 && inside && h.stride == 1 && w.stride == 1 && x.w == 1) {
    return {x.data + h.lowest() * x.h + w.lowest(), x.c, x.n, x.h, 0, 0, h, w};
  }
  const Index columns = w.length(w.outputs), rows = h.length(h.outputs);
  const Laid<T> laid = laid_at<T>(copy, images, h, w, gap);
  for (Index c = 0; c < channels; ++c) {
    for (Index n = 0; n < images; ++n) {
      for (Index i = 0; i < h.phases(); ++i) {
        for (Index j = 0; j < w.phases(); ++j) {
          for (Index r = 0; r < rows; ++r, copy += columns) {
            const Index ih = r * h.stride + h.lowest() + i;
            if (ih < 0 || ih >= h.source) {
              std::fill_n(copy, columns, T(0));
            } else {
              copy_padded(x.data + n * x.n + c * x.c + ih * x.h, w.source, x.w, w.lowest() + j, w.stride, columns, copy);
            }
          }
        }
      }
      std::fill_n(copy, gap, T(0));
      copy += gap;
    }
  }
  return laid;
}

/// The adjoint of lay_out: adds what lies in the padded copy to the elements that it would have come from.
template <class T>
void add_back(const Laid<T>& laid, Index images, Index channels, const Batch<T>& x) {
  const Axis &h = laid.h, &w = laid.w;
  const Index columns = w.length(w.outputs), rows = h.length(h.outputs);
  for (Index c = 0; c < channels; ++c) {
    for (Index n = 0; n < images; ++n) {
      for (Index i = 0; i < h.phases(); ++i) {
        for (Index j = 0; j < w.phases(); ++j) {
          const T* from = laid.data + c * laid.channel + n * laid.image + i * laid.row_phase + j * laid.column_phase;
          for (Index r = 0; r < rows; ++r, from += columns) {
            const Index ih = r * h.stride + h.lowest() + i;
            if (ih < 0 || ih >= h.source) continue;
            T* const to = x.data + n * x.n + c * x.c + ih * x.h;
            for (Index q = 0; q < columns; ++q) {
              const Index iw = q * w.stride + w.lowest() + j;
              if (iw >= 0 && iw < w.source) to[iw * x.w] += from[q];
            }
          }
        }
      }
    }
  }
}

/// n cut into equal parts of at most `most`: the size of a part.
constexpr Index equal_part(Index n, Index most) {
  const Index parts = (n + most - 1) / most;
  return parts == 0 ? 1 : (n + parts - 1) / parts;
}

/// A block of output pixels in row-major order: whole images, or rows and columns of one.
struct PixelBlock {
  Index image, images, row, rows, column, columns;
  Index pixels() const { return images * rows * columns; }

  /// Cuts the pixels [begin, begin + count) at the ends of rows; the strides of image, row and column give `from`.
  Index runs(Index begin, Index count, Index image_stride, Index row_stride, Run* runs, Index step = 1) const {
    Index n = begin / (rows * columns), r = begin / columns % rows, c = begin % columns;
    Index used = 0;
    for (Index at = 0; at < count; ++used) {
      const Index length = std::min(count - at, columns - c);
      runs[used] = {n * image_stride + r * row_stride + c * step, at, length};
      at += length;
      c = 0;
      if (++r == rows) r = 0, ++n;
    }
    return used;
  }
};

/// Cuts N images of OH x OW outputs into blocks of about `wanted` pixels: images where they are small, else rows,
/// else columns. A function of the geometry alone.
struct PixelBlocks {
  Index N, OH, OW;
  Index images, rows, columns;              // of a block
  Index image_blocks, row_blocks, column_blocks;

  PixelBlocks(Index N_, Index OH_, Index OW_, Index wanted) : N(N_), OH(OH_), OW(OW_) {
    const auto cut = [](Index total, Index most, Index& blocks, Index& each) {  // into equal parts of at most `most`
      blocks = (total + most - 1) / most;
      each = blocks == 0 ? 0 : (total + blocks - 1) / blocks;
      blocks = each == 0 ? 0 : (total + each - 1) / each;
    };
    cut(OW, std::min(OW, wanted), column_blocks, columns);
    cut(OH, std::min(OH, std::max<Index>(1, wanted / columns)), row_blocks, rows);
    cut(N, row_blocks == 1 && column_blocks == 1 ? std::max<Index>(1, wanted / (OH * OW)) : 1, image_blocks, images);
  }
  Index count() const { return image_blocks * row_blocks * column_blocks; }
  PixelBlock operator[](Index i) const {
    const Index c = i % column_blocks * columns, r = i / column_blocks % row_blocks * rows;
    const Index n = i / column_blocks / row_blocks * images;
    return {n, std::min(images, N - n), r, std::min(rows, OH - r), c, std::min(columns, OW - c)};
  }
};

}  // namespace unfold::engine
