// SPDX-License-Identifier: MIT
// convolve with the pixels in the lanes: panels of pixels are packed from the laid-out source, filters are the rows of
// the tiles. It serves any geometry; what it packs is worth it from about a dozen filters on.
#pragma once

#include <unfold/core/threads.hpp>
#include <unfold/engine/blocks.hpp>

namespace unfold::engine {

/// Block sizes in elements: b takes 0.5 MiB, half of a usual second-level cache.
template <class T>
struct PixelLanesBlocks {
  static constexpr Index unit = static_cast<Index>(sizeof(T));
  static constexpr Index depth = 256;  // taps of a packed block
  static constexpr Index long_sum = 128, many_rows = 56, rows_packing = 128;
  static constexpr Index pixels = 2048 / unit;  // of a block
  static constexpr Index rows = 2048 / unit;    // filters of a task
  static constexpr Index few_panels = 4;        // with no more, filters are read where they lie
  static constexpr Index ahead = 4;             // panels
  static constexpr Index widest = 2 * most_lanes<T>;
  static constexpr Index panels = parts_of(pixels, Index{2} * 16 / unit);  // of a block, at most
  static constexpr Index a = depth * (rows + Tiles<T>::most_rows);
  static constexpr Index b = depth * (pixels + widest);
  static constexpr Index c = rows * (pixels + widest);
  static constexpr Index copy = (Index{1} << 20) / unit;
  static_assert((a + b + c + copy + 3 * widest) * unit + 4096 <= workspace_bytes, "the blocks fit the workspace");
};

/// The image in which results stand `rows` and `columns` apart, zeros filling the rest of its height x width pixels.
struct Spread {
  Index rows, columns, height, width;
};

/// The M rows of each of `pixel_blocks` blocks are cut into tasks: enough for many threads, while a task has still 256
/// rows or so, and at most `most` rows each.
constexpr Index rows_of_task(Index M, Index pixel_blocks, Index most) {
  const Index wanted = std::max<Index>(1, 16 / std::max<Index>(1, pixel_blocks));
  return std::min(equal_part(M, most), parts_of(M, std::min(wanted, parts_of(M, 256))));
}

/// The pixels of a block in panels.
struct PixelPanels : Panels {
  PixelBlock block;

  Index runs(Index panel, Index image_stride, Index row_stride, Index step, Run* runs) const {
    return block.runs(panel * whole(), used(panel), image_stride, row_stride, step, runs);
  }
};

/// Packs the panels [begin, end) from the laid-out source: b [panels, depth, width]. `runs` has room for all of theirs.
template <class T>
void pack_panels(const Kernels<T>& k, const Laid<const T>& laid, const Index* offsets, Index depth,
                 const PixelPanels& panels, Index begin, Index end, Run* runs, T* b) {
  Index first_run[PixelLanesBlocks<T>::panels + 1] = {0};  // of each panel
  for (Index j = begin, i = 0; j < end; ++j, ++i) {
    first_run[i + 1] = first_run[i] + panels.runs(j, laid.image, laid.row, 1, runs + first_run[i]);
  }
  // Far rows are read some at a time along the whole block, a copy at hand panel by panel.
  const Index step = laid.copied ? depth : 8;
  for (Index d = 0; d < depth; d += step) {
    for (Index j = begin, i = 0; j < end; ++j, ++i) {
      k.gather(laid.data, offsets + d, std::min(step, depth - d), runs + first_run[i], first_run[i + 1] - first_run[i],
               b + i * depth * panels.whole() + d * panels.width(j), panels.width(j), !laid.copied);
    }
  }
}

/// What is read after the t-th taps of a block of pixels, where that lies in the source; nullptr where it is copied
/// first.
template <class T>
const T* read_next(const Batch<const T>& x, const Laid<const T>& laid, const PixelBlocks& pixels, const TapBlocks& taps,
                   Index block, Index t) {
  const bool last = t + 1 == taps.count();
  if (laid.copied || laid.h.taps * laid.w.taps != 1) return nullptr;
  if (last && block + 1 == pixels.count()) return laid.data;  // nothing any more
  const PixelBlock then = pixels[last ? block + 1 : block];
  return x.from(then.image, taps[last ? 0 : t + 1].channel, then.row, then.column).data;
}

/// Asks for two vectors of each of the rows [first, first + n), as far as there are any: they come from memory while
/// others are multiplied. (Not inlined, it would be dropped as a function without effect.)
template <class T>
[[gnu::always_inline]] inline void prefetch_rows(const T* rows, Index row, Index first, Index n, Index end,
                                                 Index lanes) {
  for (Index d = first; d < std::min(end, first + n); ++d) {
    __builtin_prefetch(rows + d * row + lanes - 1, 0, 2);
    __builtin_prefetch(rows + d * row + 2 * lanes - 1, 0, 2);
  }
}

/// What a thread of convolve_in_pixel_lanes works on: the filters [m_begin, m_begin + rows), for one block of pixels
/// after another, into `out`.
template <class T>
struct PixelLanesTask {
  using B = PixelLanesBlocks<T>;
  const Kernels<T>& k;
  bool one_block, overwrite;  // the sums of a tile are whole, and go to `out` at once; they overwrite it
  const Spread* spread;       // of the results in `out`; nullptr: they are alone there
  T* packed_a;                // [tiles of rows, depth, rows of a tile]
  T* b;                       // [panels at once, depth, width]
  T* c;                       // [panels, rows, width]
  T* zeros;                   // [B::widest]
  PixelPanels panels{};
  Index m_begin = 0, rows = 0;
  Batch<T> out{};
  Strided<const T> placed{};  // the filters where they lie, [rows, depth]; nullptr: they are in packed_a
  Index of_a[std::max(B::depth + gather_ahead, B::rows)];  // of the taps of a filter, or of the filters
  Index row_offsets[B::rows], direct[B::panels];
  Run runs[B::pixels + B::widest];

  PixelLanesTask(const Kernels<T>& kernels, bool at_once, bool overwritten, const Spread* spreading,
                 detail::Workspace& workspace)
      : k(kernels),
        one_block(at_once),
        overwrite(overwritten),
        spread(spreading),
        packed_a(workspace.take<T>(B::a)),
        b(workspace.take<T>(B::b)),
        c(workspace.take<T>(B::c + B::widest)),
        zeros(c + B::c) {
    std::fill_n(zeros, B::widest, T(0));
  }

  /// Goes on with these pixels and filters; whether the filters are those of before.
  bool turn_to(const PixelBlock& block, Index m, Index count, const Batch<T>& y) {
    const bool same = m == m_begin && count == rows;
    panels = {{block.pixels(), k.lanes}, block};
    m_begin = m, rows = count;
    out = y.from(block.image, m, block.row, block.column);
    find_places();
    return same;
  }

  const Tiles<T>& tiles() const { return k.tiles.of_vectors[1]; }

  /// Where the sum is one block, tiles write straight to `out` if a panel is contiguous there, and nothing between.
  void find_places() {
    for (Index r = 0; r < rows; ++r) row_offsets[r] = r * out.c;
    for (Index j = 0; j < panels.count(); ++j) {
      const bool contiguous =
          panels.runs(j, out.n, out.h, out.w, runs) == 1 && out.w == 1 && panels.used(j) == panels.whole();
      direct[j] = one_block && contiguous ? runs[0].from : -1;
    }
  }

  /// The sums of rows [r, r + n) of a panel go to `out`.
  void store(Index j, Index r, Index n) {
    const Index used = panels.runs(j, out.n, out.h, out.w, runs), wide = panels.width(j);
    store_rows(k, c + j * rows * panels.whole() + r * wide, wide, row_offsets + r, n, runs, used, out.data, out.w,
               overwrite);
  }

  /// All sums go to `out`.
  void store_all() {
    if (spread != nullptr) return store_spread();
    const Index height = tiles().rows;  // so many rows of `out` at a time: each is a page of memory
    for (Index r = 0; r < rows; r += height) {
      for (Index j = 0; j < panels.count(); ++j) store(j, r, std::min(height, rows - r));
    }
  }

  /// to[i * step] = from[i] for i < count, 0 elsewhere in [0, n).
  void spread_row(const T* from, Index count, Index step, T* to, Index n) const {
    if (step == 2) return k.interleave(from, zeros - from, step, to, n, true);
    std::fill_n(to, n, T(0));
    for (Index i = 0; i < count; ++i) to[i * step] = from[i];
  }

  /// `store_all` with the zeros to the right of the sums and below, in the order of the memory.
  void store_spread() const {
    const PixelBlock& block = panels.block;
    const Index dx_row = out.h / spread->rows, step = spread->columns;
    const Index right = std::min(block.columns * step, spread->width - block.column * step);
    for (Index i = 0; i < rows; ++i) {
      Index j = 0, at = 0;  // the panel and the place in it
      for (Index line = 0; line < block.images * block.rows; ++line) {
        const Index image = line / block.rows, row = line % block.rows;
        T* const to = out.data + image * out.n + i * out.c + row * out.h;
        for (Index column = 0, n = 0; column < block.columns; column += n) {
          n = std::min(block.columns - column, panels.whole() - at);
          spread_row(c + j * rows * panels.whole() + i * panels.width(j) + at, n, step, to + column * step,
                     std::min(n * step, right - column * step));
          at += n;
          if (at == panels.whole()) at = 0, ++j;
        }
        const Index below = std::min(spread->rows, spread->height - (block.row + row) * spread->rows);
        for (Index h = 1; h < below; ++h) std::fill_n(to + h * dx_row, right, T(0));
      }
    }
  }

  /// The rows of a tile of the filters.
  Index height() const {
    return placed.data != nullptr && placed.col == 1 ? k.line_tiles.of_vectors[1].rows : tiles().rows;
  }

  /// `of_a` for so many taps.
  void find_filters(Index depth) {
    if (placed.data == nullptr) return packed_offsets(depth, height(), of_a);
    if (placed.col != 1) return packed_offsets(depth, placed.col, of_a);
    for (Index r = 0; r < rows; ++r) of_a[r] = r * placed.row;
  }

  /// The rows [r, r + n) of a panel. With a tile of rows comes what else is to be done: the panel is packed from
  /// `source`, or what is read soon is asked for there, at the offsets of a part of the depth, at this `pace`.
  void multiply(Index j, Index r, Index n, Index depth, PanelTileFunction<T> panel_tile, const T* source,
                const Index* offsets, Index pace, T* panel, bool first) {
    const Index wide = panels.width(j), to_row = direct[j] < 0 ? wide : out.c;
    T* const to = direct[j] < 0 ? c + j * rows * panels.whole() + r * wide : out.data + row_offsets[r] + direct[j];
    const bool start = direct[j] < 0 ? first : overwrite;
    const T* const of_rows = packed_a + r * depth;
    const Index vectors = wide / k.lanes;
    if (placed.data != nullptr && placed.col == 1) {
      k.line_tiles.of_vectors[vectors - 1].run(n, Lines::one(depth), placed.data, of_a + r, panel, to, to_row, start);
    } else if (placed.data != nullptr) {
      k.tiles.of_vectors[vectors - 1].run(n, depth, placed.data + r, of_a, panel, to, to_row, start);
    } else if (panel_tile != nullptr) {
      panel_tile(depth, of_rows, source, offsets, pace, panel, to, to_row, start);
    } else {
      k.tiles.of_vectors[vectors - 1].run(n, depth, of_rows, of_a, panel, to, to_row, start);
    }
    if (one_block && direct[j] < 0) store(j, r, n);
  }

  /// What is read soon, so many channels for each row of tiles. A tile may go along them once for 2^slower steps.
  struct Soon {
    Index channels, slower = 1;
    Soon(Index depth, Index tiles_high) : channels(parts_of(depth, tiles_high)) {
      while (tiles_high >> (slower + 1) > 0) ++slower;
    }
  };

  /// `multiply`, while the part of the channels at `at` that falls to these rows is asked for: unless that is nullptr.
  void multiply_and_ask(Index j, Index r, Index n, Index depth, const T* at, const Soon& soon, Index channel,
                        const Index* offsets, T* panel, bool first) {
    const Index from = r / tiles().rows * soon.channels;
    if (at != nullptr && n == tiles().rows && n < rows && panels.width(j) == panels.whole()) {
      const Index begin = std::min(from, depth - (depth >> soon.slower));
      return multiply(j, r, n, depth, k.tiles.prefetching, at, offsets + begin, soon.slower, panel, first);
    }
    if (at != nullptr) prefetch_rows(at, channel, from, soon.channels, depth, k.lanes);
    multiply(j, r, n, depth, nullptr, nullptr, nullptr, 0, panel, first);
  }

  /// How many of the panels [begin, end) the first tile of rows packs: whole ones, all in one run, which begins at
  /// `from`. Several panels of many rows are asked for so long before that packing them alone is faster.
  Index packed_by_tile(Index begin, Index end, const Laid<const T>& laid, Index& from) {
    if (placed.data != nullptr || rows < height() || (end - begin > 1 && rows > B::rows_packing)) return 0;
    const Index first = begin * panels.whole(), size = std::min(panels.size, end * panels.whole()) - first;
    const bool one_run = panels.block.runs(first, size, laid.image, laid.row, 1, runs) == 1;
    from = runs[0].from;
    return one_run ? size / panels.whole() : 0;
  }

  /// A block of taps: pack_rows(r, n, to) packs filters; at `next` lies what is read after it, or nullptr.
  /// Short sums go along whole rows of `out`, long ones panel by panel.
  template <class PackRows>
  void add_taps(const Laid<const T>& laid, const Index* offsets, Index depth, const T* next, bool first,
                const PackRows& pack_rows) {
    const Index height = this->height(), width = panels.whole(), count = panels.count();
    find_filters(depth);
    const Soon soon(depth, parts_of(rows, height));
    const bool at_once = depth < B::long_sum || rows < B::many_rows;
    const Index step = at_once ? count : 1;
    for (Index begin = 0; begin < count; begin += step) {
      const Index end = std::min(count, begin + step);
      Index from = 0;
      const Index by_tile = packed_by_tile(begin, end, laid, from);
      const T* const source = laid.data + from;
      pack_panels(k, laid, offsets, depth, panels, begin + by_tile, end, runs, b + by_tile * depth * width);
      for (Index r = 0; r < rows; r += height) {
        const Index n = std::min(height, rows - r);
        if (begin == 0 && placed.data == nullptr) pack_rows(r, n, packed_a + r * depth);
        for (Index j = begin; j < end; ++j) {
          T* const panel = b + (j - begin) * depth * width;
          if (r == 0 && j < begin + by_tile) {
            multiply(j, r, n, depth, k.tiles.packing, source + (j - begin) * width, offsets, at_once ? B::ahead : 0,
                     panel, first);
            continue;
          }
          const T* at = placed.data == nullptr ? next : nullptr;
          if (at != nullptr && step > 1) at += j * width;
          if (at != nullptr && step == 1 && end < count) at = source + width;
          multiply_and_ask(j, r, n, depth, at, soon, laid.channel, offsets, panel, first);
        }
      }
    }
  }
};

/// y(n, m, oh, ow) = or += alpha * sum over c and taps of a(m, c, tap) * x(n, c, oh, ow under the tap).
/// y has M channels and h.outputs x w.outputs pixels, x has C channels. Where they are spread, y's pixels are one phase
/// of an image whose rows have no gaps, and all of that is overwritten.
template <FloatOrDouble T>
void convolve_and_spread(const Filters<const T>& a, Index M, const Batch<const T>& x, Index N, Index C, const Axis& h,
                         const Axis& w, const Batch<T>& y, T alpha, bool overwrite, const Spread* spread) {
  using B = PixelLanesBlocks<T>;
  const Kernels<T>& k = kernels<T>();
  const PixelBlocks pixels(N, h.outputs, w.outputs, B::pixels);
  const TapBlocks taps(h, w, pixels, C, B::depth, B::copy);
  const Index task_rows = rows_of_task(M, pixels.count(), B::rows);
  const bool in_few_panels =
      pixels.images * h.outputs * w.outputs <= B::few_panels * 2 * k.lanes && pixels.count() == 1;

  detail::share_tasks(pixels.count() * parts_of(M, task_rows), [&](detail::Tasks& tasks) {
    Index number = 0;
    if (!tasks.take(number)) return;
    detail::Workspace workspace;
    PixelLanesTask<T> task(k, taps.count() == 1 && spread == nullptr, overwrite, spread, workspace);
    T* const copy = workspace.take<T>(B::copy + 2 * B::widest);
    Index offsets[B::depth + gather_ahead];
    for (bool left = true; left; left = tasks.take(number)) {
      const PixelBlock block = pixels[number % pixels.count()];
      const Index m = number / pixels.count() * task_rows;
      const bool packed = task.turn_to(block, m, std::min(task_rows, M - m), y) && taps.count() == 1;
      for (Index t = 0; t < taps.count(); ++t) {
        const Taps seen = seen_from(block, taps[t]);
        const Laid<const T> laid =
            lay_out(k, x.from(block.image, seen.channel, 0, 0), block.images, seen.channels, seen.h, seen.w, copy);
        laid.offsets(seen.channels, offsets);
        if (in_few_panels && alpha == T(1)) task.placed = placed_filters(a, m, seen);
        const T* const next = read_next(x, laid, pixels, taps, number % pixels.count(), t);
        task.add_taps(laid, offsets, seen.count(), next, t == 0, [&](Index r, Index n, T* to) {
          if (!packed) pack_filters(k, a, m + r, n, seen, alpha, to, task.tiles().rows);
        });
      }
      if (!task.one_block) task.store_all();
    }
  });
}

template <FloatOrDouble T>
void convolve_in_pixel_lanes(const Filters<const T>& a, Index M, const Batch<const T>& x, Index N, Index C,
                             const Axis& h, const Axis& w, const Batch<T>& y, T alpha, bool overwrite) {
  convolve_and_spread(a, M, x, N, C, h, w, y, alpha, overwrite, nullptr);
}

/// Whether gradient_in_pixel_lanes can run: a single tap at a stride, without padding before it, makes one phase of dx,
/// and all else is zero.
template <class T>
bool makes_one_phase(const Axis& h, const Axis& w, const Batch<T>& dx) {
  return h.taps * w.taps == 1 && h.first == 0 && w.first == 0 && h.stride * w.stride > 1 && dx.w == 1;
}

/// Whether it is of use besides. Images of few pixels are better off with the channels in the lanes.
template <class T>
bool has_one_phase(const Axis& h, const Axis& w, const Batch<T>& dx) {
  return makes_one_phase(h, w, dx) && h.outputs * w.outputs >= 8 * kernels<T>().lanes;
}

/// dx(n, c, SH*oh, SW*ow) = sum over m of a(c, m) * dy(n, m, oh, ow), all other elements of dx = 0: never adds. The
/// axes are those of the forward stencil, from dx to dy; dx has C channels, dy has M.
template <FloatOrDouble T>
void gradient_in_pixel_lanes(const Filters<const T>& a, Index C, const Batch<const T>& dy, Index N, Index M,
                             const Axis& h, const Axis& w, const Batch<T>& dx, bool /*overwrite*/) {
  const Batch<T> phase{dx.data, dx.n, dx.c, h.stride * dx.h, w.stride * dx.w};
  const Spread spread{h.stride, w.stride, h.source, w.source};
  convolve_and_spread(a, C, dy, N, M, gradient_axis(h, 0), gradient_axis(w, 0), phase, T(1), true, &spread);
}

}  // namespace unfold::engine
