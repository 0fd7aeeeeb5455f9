// SPDX-License-Identifier: MIT
// Patches: im2col(x) of one group as a pointer and a geometry, never filled; blocks of it are packed
// into the layout of the tiles, and the adjoint adds a block back. With a 1x1 kernel at stride 1 it
// is the channels-by-pixels matrix of a tensor, so y and dy take the same road.
#pragma once

#include <unfold/core/geometry.hpp>
#include <unfold/core/view.hpp>
#include <unfold/engine/tile.hpp>

#include <algorithm>  // std::min, std::max, std::fill_n, std::copy_n

namespace unfold::engine {

/// The K x P matrix of the patches of one group. `data` is the group's first channel, `stride` that
/// of the [N, C, H, W] batch in elements, and `g` has the sizes: g.IC/g.G channels are the group's.
template <class T>
struct Patches {
  T* data;
  Shape<4> stride;
  Conv2DGeometry g;

  Index rows() const { return g.K(); }
  Index cols() const { return g.P(); }
};

/// The rows x P matrix of `channels` channels of a [N, C, OH, OW] batch.
template <class T>
Patches<T> channel_patches(T* data, const Shape<4>& stride, Index N, Index channels, Index OH, Index OW) {
  Conv2DGeometry g{};
  g.N = N, g.G = 1;
  g.IC = channels, g.IH = g.OH = OH, g.IW = g.OW = OW;
  g.OC = channels;
  g.KH = g.KW = g.SH = g.SW = g.DH = g.DW = 1;
  return {data, stride, g};
}

/// A row tap of im2col(x): the input channel and the place in the kernel.
struct Tap {
  Index c, kh, kw;

  Tap(const Conv2DGeometry& g, Index row) : c(row / (g.KH * g.KW)), kh(row / g.KW % g.KH), kw(row % g.KW) {}
  void next(const Conv2DGeometry& g) {
    if (++kw < g.KW) return;
    kw = 0;
    if (++kh < g.KH) return;
    kh = 0;
    ++c;
  }
};

/// A stretch of output pixels in one output row: pixels [at, at + count) of the block it was cut from.
template <class T>
struct PixelRun {
  T* image;      // of the image's element (0, 0) in channel 0 of the group
  Index ih, iw;  // where kernel element (0, 0) of its first pixel stands; may lie in the padding
  Index at, count;
};

/// Cuts the pixels [begin, begin + count) at the ends of output rows; returns the number of runs.
template <class T>
Index pixel_runs(const Patches<T>& x, Index begin, Index count, PixelRun<T>* runs) {
  const Conv2DGeometry& g = x.g;
  Index n = begin / (g.OH * g.OW), oh = begin / g.OW % g.OH, ow = begin % g.OW;
  Index used = 0;
  for (Index at = 0; at < count; ++used) {
    const Index length = std::min(count - at, g.OW - ow);
    runs[used] = {x.data + n * x.stride[0], oh * g.SH - g.PT, ow * g.SW - g.PL, at, length};
    at += length;
    ow = 0;
    if (++oh == g.OH) oh = 0, ++n;
  }
  return used;
}

/// The elements of x under one tap along one run: those of pixels [low, high); the rest is padding.
template <class T>
struct RunElements {
  T* first;  // of pixel `low`
  Index low, high, step;

  RunElements(const Patches<T>& x, const Tap& tap, const PixelRun<T>& run) {
    const Conv2DGeometry& g = x.g;
    const Index ih = run.ih + tap.kh * g.DH, iw = run.iw + tap.kw * g.DW;
    step = g.SW * x.stride[3];
    low = iw < 0 ? std::min((g.SW - 1 - iw) / g.SW, run.count) : 0;
    high = iw < g.IW ? std::min((g.IW - 1 - iw) / g.SW + 1, run.count) : 0;
    if (ih < 0 || ih >= g.IH || high < low) high = low = 0;
    first =
        low == high ? nullptr : run.image + tap.c * x.stride[1] + ih * x.stride[2] + (iw + low * g.SW) * x.stride[3];
  }
};

/// Packs rows [row, row + depth) of columns [begin, begin + count) for the tiles' b: panels of `width`
/// pixels, each [depth, width], the last filled up with zeros.
template <class T>
void pack_pixels(const Patches<const T>& x, Index row, Index depth, Index begin, Index count, Index width, T* packed) {
  PixelRun<const T> runs[most_columns<T>];
  for (Index at = 0; at < count; at += width) {
    const Index pixels = std::min(width, count - at);
    const Index used = pixel_runs(x, begin + at, pixels, runs);
    Tap tap(x.g, row);
    for (Index k = 0; k < depth; ++k, tap.next(x.g), packed += width) {
      for (Index r = 0; r < used; ++r) {
        const RunElements<const T> run(x, tap, runs[r]);
        T* const to = packed + runs[r].at;
        std::fill_n(to, run.low, T(0));
        if (run.step == 1) {
          std::copy_n(run.first, run.high - run.low, to + run.low);
        } else {
          for (Index p = run.low; p < run.high; ++p) to[p] = run.first[(p - run.low) * run.step];
        }
        std::fill_n(to + run.high, runs[r].count - run.high, T(0));
      }
      std::fill_n(packed + pixels, width - pixels, T(0));
    }
  }
}

/// Packs the same block transposed, scaled by alpha: panels of `width` rows, each [count, width] with
/// the pixels as the depth; `height(n)` gives the width of the panel for the n rows left.
template <class T, class Width>
void pack_taps(const Patches<const T>& x, Index row, Index rows, Index begin, Index count, const Width& width, T alpha,
               T* packed) {
  PixelRun<const T> runs[most_columns<T>];
  for (Index i = 0; i < rows;) {
    const Index panel = width(rows - i);
    const Index taps = std::min(panel, rows - i);
    for (Index at = 0; at < count; at += most_columns<T>) {
      const Index pixels = std::min(most_columns<T>, count - at);
      const Index used = pixel_runs(x, begin + at, pixels, runs);
      Tap tap(x.g, row + i);
      for (Index t = 0; t < panel; ++t, tap.next(x.g)) {
        T* const column = packed + at * panel + t;
        if (t >= taps) {
          for (Index p = 0; p < pixels; ++p) column[p * panel] = T(0);
          continue;
        }
        for (Index r = 0; r < used; ++r) {
          const RunElements<const T> run(x, tap, runs[r]);
          T* const to = column + runs[r].at * panel;
          for (Index p = 0; p < run.low; ++p) to[p * panel] = T(0);
          for (Index p = run.low; p < run.high; ++p) to[p * panel] = alpha * run.first[(p - run.low) * run.step];
          for (Index p = run.high; p < runs[r].count; ++p) to[p * panel] = T(0);
        }
      }
    }
    packed += panel * count;
    i += taps;
  }
}

/// The adjoint: adds (or, where no two patches share an element, writes) the row-major block
/// [rows, count], with row stride `block_row`, to the elements that its entries were taken from.
template <class T>
void unpack_pixels(const Patches<T>& x, Index row, Index rows, Index begin, Index count, const T* block,
                   Index block_row, bool overwrite) {
  PixelRun<T> runs[most_columns<T>];
  for (Index at = 0; at < count; at += most_columns<T>) {
    const Index used = pixel_runs(x, begin + at, std::min(most_columns<T>, count - at), runs);
    Tap tap(x.g, row);
    for (Index k = 0; k < rows; ++k, tap.next(x.g)) {
      for (Index r = 0; r < used; ++r) {
        const RunElements<T> run(x, tap, runs[r]);
        const T* const from = block + k * block_row + at + runs[r].at + run.low;
        for (Index p = 0; p < run.high - run.low; ++p) {
          T& to = run.first[p * run.step];
          to = overwrite ? from[p] : to + from[p];
        }
      }
    }
  }
}

}  // namespace unfold::engine
