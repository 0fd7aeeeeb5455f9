// SPDX-License-Identifier: MIT
// Implicit matrix products over a stencil: a block of pixels is packed from a padded copy of the source,
// panel by panel, and multiplied by the register tiles; K x P is never filled.
//   convolve   y (+)= a * stencil(x)      contract   dw (+)= dy * stencil(x)^T      scatter   dx += stencil^T(a * dy)
// Blocks and tasks depend on the geometry alone; every element's sum runs in one fixed order.
#pragma once

#include <unfold/core/threads.hpp>
#include <unfold/engine/packing.hpp>


namespace unfold::engine {

/// n rows cut into panels of equal height, each one tile high (the last perhaps less): that height.
template <class Heights>
Index equal_height(const Heights& tiles, Index n) {
  return tile_for(tiles, equal_part(n, tiles[0].rows)).rows;
}

/// Block sizes, in elements; what a product takes from the workspace is the sum of its buffers.
template <class T>
struct Blocks {
  static constexpr Index unit = static_cast<Index>(sizeof(T));
  static constexpr Index depth = 256;                      // taps of a packed block
  static constexpr Index pixels = 4096 / unit;             // of a block
  static constexpr Index rows = 256;                       // filters of a packed block
  static constexpr Index laid = (Index{1} << 20) / unit;   // of a padded copy
  static constexpr Index sums = (Index{3} << 18) / unit;   // of a weight gradient in the making
  static constexpr Index run = 1280 / unit;                // pixels of a block whose weight gradient is summed
  static_assert((depth * (pixels + most_columns<T>) + (rows + most_rows) * depth + laid) * unit + 4096 <= workspace_bytes,
                "the blocks of every product fit the workspace");
};

/// A stencil cut along the kernel, and the channels of a block, so that the taps of a packed block are at most
/// `depth` and the padded copy fits its buffer.
struct StencilBlocks {
  Index kernel_rows, kernel_columns, channels;

  template <class T>
  static StencilBlocks of(const Axis& h, const Axis& w, const PixelBlocks& pixels, Index C, Index depth) {
    StencilBlocks s{};
    s.kernel_columns = std::min(w.taps, depth);
    s.kernel_rows = std::min(h.taps, std::max<Index>(1, depth / s.kernel_columns));
    const auto copy_size = [&] {
      return pixels.images * laid_size(h.part(0, pixels.rows, 0, s.kernel_rows), w.part(0, pixels.columns, 0, s.kernel_columns));
    };
    while (s.kernel_rows > 1 && copy_size() > Blocks<T>::laid) s.kernel_rows = (s.kernel_rows + 1) / 2;
    while (s.kernel_columns > 1 && copy_size() > Blocks<T>::laid) s.kernel_columns = (s.kernel_columns + 1) / 2;
    const Index most = std::max<Index>(1, std::min(depth / (s.kernel_rows * s.kernel_columns), Blocks<T>::laid / copy_size()));
    s.channels = equal_part(C, most);
    return s;
  }

  /// Calls f(h part, w part, channel, channels) for every block of taps, in the order of the sum.
  template <class F>
  void for_each(const Axis& h, const Axis& w, Index C, const F& f) const {
    for (Index i = 0; i < h.taps; i += kernel_rows) {
      const Axis hp = h.part(0, h.outputs, i, std::min(kernel_rows, h.taps - i));
      for (Index j = 0; j < w.taps; j += kernel_columns) {
        const Axis wp = w.part(0, w.outputs, j, std::min(kernel_columns, w.taps - j));
        for (Index c = 0; c < C; c += channels) f(hp, wp, c, std::min(channels, C - c));
      }
    }
  }
};

/// y(n, m, oh, ow) = or += alpha * sum over c and taps of a(m, c, tap) * x(n, c, oh, ow under the tap).
/// y has M channels and h.outputs x w.outputs pixels, x has C channels.
template <FloatOrDouble T>
void convolve(const Filters<const T>& a, Index M, const Batch<const T>& x, Index N, Index C, const Axis& h,
              const Axis& w, const Batch<T>& y, T alpha, bool overwrite) {
  using B = Blocks<T>;
  const Tiles<T>& set = tiles<T>();
  const PixelBlocks pixels(N, h.outputs, w.outputs, B::pixels);
  const StencilBlocks stencil = StencilBlocks::of<T>(h, w, pixels, C, B::depth);
  const Index height = equal_height(set.multiply, std::min(M, B::rows));
  const Index row_step = B::rows / height * height;
  const Index row_task = pixels.count() >= 8 ? M : std::max<Index>(8 * height, row_step / 2 / height * height);
  const Index row_tasks = (M + row_task - 1) / row_task;

  detail::parallel_for(pixels.count() * row_tasks, [&](Index task) {
    const PixelBlock block = pixels[task % pixels.count()];
    const Index m_begin = task / pixels.count() * row_task, m_end = std::min(M, m_begin + row_task);
    const Index count = block.pixels();
    detail::Workspace workspace;
    T* const b = workspace.take<T>(B::depth * (B::pixels + most_columns<T>));
    T* const packed_a = workspace.take<T>(B::depth * (B::rows + most_rows));
    T* const copy = workspace.take<T>(B::laid);
    Run runs[most_columns<T>];
    Index offsets[B::depth];
    bool first = overwrite;
    stencil.for_each(h, w, C, [&](const Axis& hs, const Axis& ws, Index c, Index channels) {
      const Axis hp = hs.part(block.row, block.rows, 0, hs.taps), wp = ws.part(block.column, block.columns, 0, ws.taps);
      const Laid<T> laid = lay_out(x.from(block.image, c, 0, 0), block.images, channels, hp, wp, 0, copy);
      const Index depth = laid.offsets(channels, offsets);
      for (Index at = 0; at < count; at += set.columns) {
        const Index width = std::min(set.columns, count - at);
        const Index used = block.runs(at, width, laid.image, laid.row, runs);
        set.gather(laid.data, offsets, depth, runs, used, b + at * depth, set.columns);
        for (Index k = 0; k < depth && width < set.columns; ++k) {
          std::fill_n(b + at * depth + k * set.columns + width, set.columns - width, T(0));
        }
      }
      for (Index m = m_begin; m < m_end; m += row_step) {
        const Index rows = std::min(row_step, m_end - m);
        const Index last = tile_for(set.multiply, rows - (rows - 1) / height * height).rows;
        pack_filters(a, m, rows, height, last, c, channels, hp, wp, alpha, packed_a);
        const Batch<T> out = y.from(block.image, m, block.row, block.column);
        for (Index at = 0; at < count; at += set.columns) {
          const Index width = std::min(set.columns, count - at);
          const Index used = block.runs(at, width, y.n, y.h, runs, y.w);
          const bool direct = y.w == 1 && width == set.columns && runs[used - 1].from == runs[0].from + runs[used - 1].at;
          for (Index r = 0; r < rows; r += height) {
            const Index tile_rows = std::min(height, rows - r);
            const auto& tile = tile_for(set.multiply, tile_rows);
            T* const to = out.data + r * y.c;
            if (direct && tile.rows == tile_rows) {
              tile.run(depth, packed_a + r * depth, 0, b + at * depth, to + runs[0].from, y.c, first);
            } else {
              T result[most_rows * most_columns<T>];
              tile.run(depth, packed_a + r * depth, 0, b + at * depth, result, set.columns, true);
              store_tile(result, set.columns, tile_rows, runs, used, to, y.c, y.w, first);
            }
          }
        }
      }
      first = false;
    });
  });
}

/// dx(n, c, ...) += alpha * sum over m of a(m, c, tap) * dy(n, m, pixel), for every pixel and tap: the products of all
/// taps are formed and added where they belong. For strides or borders at which the stencil over dy would mostly
/// meet padding. dy has M channels and h.outputs x w.outputs pixels, dx has C channels; a(c, m, tap) as in convolve.
template <FloatOrDouble T>
void scatter(const Filters<const T>& a, Index C, const Batch<const T>& dy, Index N, Index M, const Axis& h,
             const Axis& w, const Batch<T>& dx, T alpha) {
  using B = Blocks<T>;
  const Tiles<T>& set = tiles<T>();
  const PixelBlocks pixels(N, h.outputs, w.outputs, B::pixels / 2);
  const StencilBlocks stencil = StencilBlocks::of<T>(h, w, pixels, C, B::depth);
  const Index tasks = (C + stencil.channels - 1) / stencil.channels;
  // A task owns some channels of some images: blocks of one image overlap in dx and are added one after another.
  detail::parallel_for(tasks * pixels.image_blocks, [&](Index task) {
    const Index c = task % tasks * stencil.channels, channels = std::min(stencil.channels, C - c);
    const Index image_block = task / tasks;
    detail::Workspace workspace;
    T* const b = workspace.take<T>(B::depth * (B::pixels / 2 + most_columns<T>));
    T* const packed_a = workspace.take<T>(B::depth * (B::rows + most_rows));
    T* const copy = workspace.take<T>(B::laid);
    T* const sums = workspace.take<T>((B::depth + most_rows) * (B::pixels / 2 + most_columns<T>));  // [taps, sums_row]
    constexpr Index sums_row = B::pixels / 2 + most_columns<T>;
    Run runs[B::pixels / 2];
    Index offsets[B::depth];
    for (Index p = 0; p < pixels.row_blocks * pixels.column_blocks; ++p) {
      const PixelBlock block = pixels[image_block * pixels.row_blocks * pixels.column_blocks + p];
      const Index count = block.pixels();
      stencil.for_each(h, w, channels, [&](const Axis& hs, const Axis& ws, Index, Index) {
        const Axis hp = hs.part(block.row, block.rows, 0, hs.taps), wp = ws.part(block.column, block.columns, 0, ws.taps);
        const Laid<T> laid = laid_at<T>(copy, block.images, hp, wp, 0);
        const Index taps = laid.offsets(channels, offsets);
        const Index height = equal_height(set.multiply, taps);
        const Index last = tile_for(set.multiply, taps - (taps - 1) / height * height).rows;
        for (Index m = 0; m < M; m += B::depth) {
          const Index depth = std::min(B::depth, M - m);
          const Batch<const T> in = dy.from(block.image, m, block.row, block.column);
          pack_pixels(set, in, block, depth, b);
          pack_taps(a, m, depth, height, last, c, channels, hp, wp, alpha, packed_a);
          for (Index at = 0; at < count; at += set.columns) {
            for (Index r = 0; r < taps; r += height) {
              const auto& tile = tile_for(set.multiply, std::min(height, taps - r));
              tile.run(depth, packed_a + r * depth, 0, b + at * depth, sums + r * sums_row + at, sums_row, m == 0);
            }
          }
        }
        std::fill_n(copy, channels * laid.channel, T(0));
        const Index used = block.runs(0, count, laid.image, laid.row, runs);
        set.scatter(sums, sums_row, offsets, taps, runs, used, copy);
        add_back(laid, block.images, channels, dx.from(block.image, c, 0, 0));
      });
    }
  });
}

/// dw(m, k) = or += alpha * sum over pixels of dy(m, pixel) * x(k, pixel), k running over channels and taps.
/// dy is a batch of M channels of h.outputs x w.outputs pixels, x has C channels.
template <FloatOrDouble T>
void contract(const Batch<const T>& dy, Index M, const Batch<const T>& x, Index N, Index C, const Axis& h,
              const Axis& w, const Strided<T>& dw, T alpha, bool overwrite) {
  using B = Blocks<T>;
  const Tiles<T>& set = tiles<T>();
  const PixelBlocks pixels(N, h.outputs, w.outputs, B::run);
  constexpr Index most_taps = 576;
  const Index row_task = std::min(M, std::max<Index>(set.columns, B::sums / (most_taps + most_rows) / set.columns * set.columns));
  const StencilBlocks stencil = StencilBlocks::of<T>(h, w, pixels, C, std::min<Index>(most_taps, 576));
  const Index h_tasks = (h.taps + stencil.kernel_rows - 1) / stencil.kernel_rows;
  const Index w_tasks = (w.taps + stencil.kernel_columns - 1) / stencil.kernel_columns;
  const Index c_tasks = (C + stencil.channels - 1) / stencil.channels, m_tasks = (M + row_task - 1) / row_task;
  detail::parallel_for(h_tasks * w_tasks * c_tasks * m_tasks, [&](Index task) {
    const Index m = task % m_tasks * row_task, rows = std::min(row_task, M - m);
    const Index c = task / m_tasks % c_tasks * stencil.channels, channels = std::min(stencil.channels, C - c);
    const Index i = task / m_tasks / c_tasks % h_tasks * stencil.kernel_rows, kernel_rows = std::min(stencil.kernel_rows, h.taps - i);
    const Index j = task / m_tasks / c_tasks / h_tasks * stencil.kernel_columns, kernel_columns = std::min(stencil.kernel_columns, w.taps - j);
    const Index taps = channels * kernel_rows * kernel_columns;
    const Index height = equal_height(set.contract, taps);
    const Index panels = (rows + set.columns - 1) / set.columns;
    const Index sums_rows = taps + most_rows;
    constexpr Index pitch = B::run + 16;
    detail::Workspace workspace;
    T* const sums = workspace.take<T>(B::sums + (most_taps + most_rows) * most_columns<T>);  // [panels, sums_rows, columns]
    T* const packed_x = workspace.take<T>((most_taps + most_rows) * pitch);                  // [taps, pitch]
    T* const packed_dy = workspace.take<T>(most_columns<T> * B::run);          // [pixels, columns]
    T* const copy = workspace.take<T>(B::laid);
    Run runs[B::run];
    Index offsets[most_taps];
    for (Index p = 0; p < pixels.count(); ++p) {
      const PixelBlock block = pixels[p];
      const Index count = block.pixels();
      const Axis hp = h.part(block.row, block.rows, i, kernel_rows), wp = w.part(block.column, block.columns, j, kernel_columns);
      const Laid<T> laid = lay_out(x.from(block.image, c, 0, 0), block.images, channels, hp, wp, 0, copy);
      laid.offsets(channels, offsets);
      Index used = block.runs(0, count, laid.image, laid.row, runs);
      set.gather(laid.data, offsets, taps, runs, used, packed_x, pitch);
      used = block.runs(0, count, dy.n, dy.h, runs, dy.w);
      for (Index panel = 0; panel < panels; ++panel) {
        const Index width = std::min(set.columns, rows - panel * set.columns);
        pack_transposed(dy.from(block.image, m + panel * set.columns, block.row, block.column), width, runs, used, count, set.columns, packed_dy);
        for (Index k = 0; k < taps; k += height) {
          const auto& tile = tile_for(set.contract, std::min(height, taps - k));
          tile.run(count, packed_x + k * pitch, pitch, packed_dy, sums + (panel * sums_rows + k) * set.columns, set.columns, p == 0);
        }
      }
    }
    for (Index r = 0; r < rows; ++r) {
      const T* const from = sums + r / set.columns * sums_rows * set.columns + r % set.columns;
      Index k = 0;
      for (Index q = 0; q < channels; ++q) {
        for (Index kh = 0; kh < kernel_rows; ++kh) {
          for (Index kw = 0; kw < kernel_columns; ++kw, ++k) {
            T& to = dw(m + r, ((c + q) * h.taps + i + kh) * w.taps + j + kw);
            const T sum = pixels.count() == 0 ? T(0) : alpha * from[k * set.columns];
            to = overwrite ? sum : to + sum;
          }
        }
      }
    }
  });
}

}  // namespace unfold::engine
