// SPDX-License-Identifier: MIT
// convolve and contract where a group has few filters: the pixels of a whole row are the vectors, read where they lie
// in the laid-out source, and nothing is packed.
#pragma once

#include <unfold/engine/contract.hpp>

namespace unfold::engine {

/// Block sizes in elements.
template <class T>
struct FewChannelsBlocks {
  static constexpr Index unit = static_cast<Index>(sizeof(T));
  static constexpr Index widest = 2 * most_lanes<T>;
  static constexpr Index depth = 256;            // taps of a block
  static constexpr Index pixels = 16384 / unit;  // of a block: rows of one image
  static constexpr Index copy = (Index{1} << 20) / unit;
  static constexpr Index sums_taps = 128;       // of a block of the weight gradient
  static constexpr Index dy_rows = 4;           // of a tile of the weight gradient
  static constexpr Index rows = most_lanes<T>;  // of one of its tasks, at most
  static constexpr Index long_image = 256;      // pixels of one that is read where it lies, at least
  static constexpr Index small = 8192;          // elements of im2col, of which it makes a single task
  static_assert((3 * copy + 8 * widest + depth * 4 + rows * (sums_taps + 16) * widest) * unit + 4096 <= workspace_bytes,
                "the blocks fit the workspace");
};

/// `convolve`, a few filters at a time: for M <= Kernels<T>::most_few_rows. For more, x is laid out again for every few
/// of them, unless it is read where it lies.
template <FloatOrDouble T>
void convolve_few_rows(const Filters<const T>& a, Index M, const Batch<const T>& x, Index N, Index C, const Axis& h,
                       const Axis& w, const Batch<T>& y, T alpha, bool overwrite) {
  using B = FewChannelsBlocks<T>;
  const Kernels<T>& k = kernels<T>();
  const Index few = std::min(M, Kernels<T>::most_few_rows);
  const PixelBlocks pixels(1, h.outputs, w.outputs, B::pixels);
  const TapBlocks taps(h, w, pixels, C, B::depth, B::copy);
  detail::parallel_for(N * pixels.count(), [&](Index task) {
    const PixelBlock block = pixels[task % pixels.count()];
    detail::Workspace workspace;
    T* const packed = workspace.take<T>(B::depth * 4);  // [depth, filters]
    T* const copy = workspace.take<T>(B::copy + 2 * B::widest);
    T* const c = workspace.take<T>(2 * B::copy);  // [filters, c_row]
    Index offsets[B::depth + gather_ahead];
    const Index image = task / pixels.count();
    // Rows that are whole vectors, or nearly, go straight to y. Else all rows are one stretch, the few columns between
    // them computed along, or padded to whole vectors each, by way of c.
    const Index in_vectors = parts_of(block.columns, k.lanes) * k.lanes, laid_row = w.length(block.columns);
    const Index flat = (block.rows - 1) * laid_row + block.columns;
    const bool direct =
        taps.count() == 1 && overwrite && y.w == 1 && block.columns >= k.lanes && 4 * in_vectors <= 5 * block.columns;
    const bool in_one =
        !direct && taps.kernel_columns == w.taps && laid_row < in_vectors && few * (flat + k.lanes) <= 2 * B::copy;
    const Index lines = in_one ? 1 : block.rows, length = in_one ? flat : block.columns;
    const Index pitch = in_one ? laid_row : in_vectors, c_row = in_one ? flat + k.lanes : block.rows * in_vectors;
    for (Index m = 0; m < M; m += few) {
      const Index filters = std::min(few, M - m);
      const FewRowsFunction<T> few_rows = k.few_rows[filters - 1];
      const Batch<T> out = y.from(image, m, block.row, block.column);
      for (Index t = 0; t < taps.count(); ++t) {
        const Taps seen = seen_from(block, taps[t]);
        // Vectors read past the end of a row: in the tensor's own memory only where they end with it.
        const auto lay = direct ? lay_out<T> : lay_out_copy<T>;
        const Laid<const T> laid = lay(k, x.from(image, seen.channel, 0, 0), 1, seen.channels, seen.h, seen.w, copy);
        laid.offsets(seen.channels, offsets);
        pack_filters(k, a, m, filters, seen, alpha, packed, filters);
        if (direct) {
          few_rows(seen.count(), packed, laid.data, offsets, length, lines, laid.row, out.data, y.c, y.h, true, true);
        } else {
          few_rows(seen.count(), packed, laid.data, offsets, length, lines, laid.row, c, c_row, pitch, t == 0, false);
        }
      }
      if (direct) continue;
      constexpr Index some = 64;
      const Run row{0, 0, block.columns};
      for (Index r = 0; r < block.rows; r += some) {
        Index to[some];
        const Index n = std::min(some, block.rows - r);
        for (Index i = 0; i < n; ++i) to[i] = (r + i) * y.h;
        for (Index i = 0; i < filters; ++i) {
          store_rows(k, c + i * c_row + r * pitch, pitch, to, n, &row, 1, out.data + i * y.c, y.w, overwrite);
        }
      }
    }
  });
}

/// row[i] = the sum of the lanes of sums[i], for n vectors, and some more elements up to a vector's end; `turned` has
/// room for as many vectors.
template <class T>
void add_lanes(const Kernels<T>& k, const T* sums, Index n, T* turned, T* row) {
  const Index L = k.lanes, pitch = parts_of(n, L) * L;
  T ones[most_lanes<T>];
  Index lanes[most_lanes<T>];
  for (Index l = 0; l < L; ++l) ones[l] = T(1), lanes[l] = l * pitch;
  k.transpose(sums, L, n, L, turned, pitch);
  k.few_rows[0](L, ones, turned, lanes, n, 1, 0, row, 0, 0, true, false);
}

/// ends[c, :] = the `n` elements of channel c from `begin` on, and zeros up to a vector's end.
template <class T>
void copy_ends(const Laid<const T>& laid, Index channels, Index begin, Index n, Index lanes, T* ends) {
  for (Index c = 0; c < channels; ++c, ends += lanes) {
    std::fill_n(std::copy_n(laid.data + c * laid.channel + begin, n, ends), lanes - n, T(0));
  }
}

/// The tiles of dot products: of one row, or of four.
template <class T>
struct DotTiles {
  DotsFunction<T> dots;
  Index rows, taps;  // of a tile

  DotTiles(const Kernels<T>& k, Index M)
      : dots(M == 1 ? k.dots_one : k.dots_four),
        rows(M == 1 ? 1 : FewChannelsBlocks<T>::dy_rows),
        taps(M == 1 ? k.taps_of_one : k.taps_of_four) {}

  /// sums [rows, all, lanes] = or += the lanes of d [rows, count] * the source at `all` offsets, whole tiles of them.
  void add(Index all, Index lanes, Index count, const T* d, Index d_row, const T* source, const Index* offsets, T* sums,
           bool overwrite) const {
    for (Index t = 0; t < all; t += taps) {
      dots(count, d, d_row, source, offsets + t, sums + t * lanes, all * lanes, overwrite);
    }
  }

  /// d [rows, d_row]: n channels of a block of dy, rows `laid_row` apart with zeros between, and a vector of zeros; all
  /// others are zero.
  void lay_rows(const Kernels<T>& k, const Batch<const T>& dy, Index n, const PixelBlock& block, Index laid_row, T* d,
                Index d_row) const {
    const Index flat = (block.rows - 1) * laid_row + block.columns;
    for (Index i = 0; i < n; ++i) {
      k.pad(dy.data + i * dy.c, dy.c, dy.h, dy.w, {block.rows, 0, 1, block.rows}, {block.columns, 0, 1, laid_row},
            d + i * d_row);
      std::fill_n(d + i * d_row + flat, k.lanes, T(0));
    }
    if (n < rows) std::fill_n(d + n * d_row, (rows - n) * d_row, T(0));
  }
};

/// `contract` by dot products along the rows of the image, for few filters or few taps. What stands beside a row of x
/// is multiplied by zeros.
template <FloatOrDouble T>
void contract_few(const Batch<const T>& dy, Index M, const Batch<const T>& x, Index N, Index C, const Axis& h,
                  const Axis& w, const Strided<T>& dw, T alpha, bool overwrite) {
  using B = FewChannelsBlocks<T>;
  const Kernels<T>& k = kernels<T>();
  const Index L = k.lanes;
  const PixelBlocks pixels(1, h.outputs, w.outputs, B::pixels);
  const TapBlocks blocks(h, w, pixels, C, B::sums_taps, B::copy / 2);  // so that the rows of dy fit `d`, as wide as x's
  const DotTiles<T> tiles(k, M);
  // Under a single tap an image may be one line of x already. Then, and whatever its strides are, the pixels of a block
  // that fill no vector are a sum of their own: nothing past them is read.
  const bool one_tap = h.taps * w.taps == 1 && h.stride * w.stride == 1 && h.inside() && w.inside() &&
                       h.outputs * w.outputs >= B::long_image;
  const bool in_place = one_tap && x.w == 1 && x.h == w.outputs;
  // Tiles share what is laid out of x where that is not much less work than their sums.
  const bool small = M <= B::rows && N * h.outputs * w.outputs * C * h.taps * w.taps <= B::small;
  const Index task_rows = small ? parts_of(M, tiles.rows) * tiles.rows : tiles.rows, row_tasks = parts_of(M, task_rows);
  detail::parallel_for(row_tasks * blocks.count(), [&](Index task) {
    const Index m = task % row_tasks * task_rows, rows = std::min(task_rows, M - m);
    const Taps all = blocks[task / row_tasks];
    const Index taps = all.count(), padded_taps = parts_of(taps, tiles.taps) * tiles.taps, sums_row = padded_taps * L;
    detail::Workspace workspace;
    T* const copy = workspace.take<T>(B::copy + 2 * B::widest);
    T* const d = workspace.take<T>(B::dy_rows * (B::copy / 2 + B::widest));        // [tiles.rows, d_row]
    T* const sums = workspace.take<T>(B::rows * (B::sums_taps + 16) * B::widest);  // [rows, padded_taps, L]
    Index offsets[B::sums_taps + 16 + gather_ahead], of_ends[B::sums_taps + 16];
    T ends[B::sums_taps * most_lanes<T>];
    for (Index t = 0; t < padded_taps; ++t) of_ends[t] = std::min(t, taps - 1) * L;
    bool first = true;
    for (Index i = 0; i < N * pixels.count(); ++i, first = false) {
      const Index n = i / pixels.count();
      const PixelBlock block = pixels[i % pixels.count()];
      const Taps seen = seen_from(block, all);
      const auto lay = in_place ? lay_out<T> : lay_out_copy<T>;
      const Laid<const T> laid = lay(k, x.from(n, seen.channel, 0, 0), 1, seen.channels, seen.h, seen.w, copy);
      if (!in_place) std::fill_n(copy + seen.channels * laid.channel, L, T(0));  // the last vector reads past it
      laid.offsets(seen.channels, offsets);
      std::fill_n(offsets + taps, padded_taps - taps, offsets[0]);
      const Index laid_row = block.rows == 1 ? seen.w.length(block.columns) : laid.row;
      const Index flat = (block.rows - 1) * laid_row + block.columns, d_row = block.rows * laid_row + B::widest;
      const Index whole = one_tap ? flat / L * L : flat;
      if (whole < flat) copy_ends(laid, seen.channels, whole, flat - whole, L, ends);
      for (Index r = 0; r < rows; r += tiles.rows) {
        T* const to = sums + r * sums_row;
        tiles.lay_rows(k, dy.from(n, m + r, block.row, block.column), std::min(tiles.rows, rows - r), block, laid_row,
                       d, d_row);
        tiles.add(padded_taps, L, whole, d, d_row, laid.data, offsets, to, first);
        if (whole < flat) tiles.add(padded_taps, L, L, d + whole, d_row, ends, of_ends, to, false);
      }
    }
    if (first) std::fill_n(sums, rows * sums_row, T(0));
    T* const added = copy;  // [rows, padded_taps]
    add_lanes(k, sums, rows * padded_taps, d, added);
    Run runs[B::sums_taps];
    const Index used = tap_runs(all, h, w, runs);
    store_sums(k, added, padded_taps, rows, runs, used, dw.from(m, 0), alpha, overwrite);
  });
}

}  // namespace unfold::engine
