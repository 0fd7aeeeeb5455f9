// SPDX-License-Identifier: MIT
// The three products where an image has a few output pixels: dense layers, the last layers of a network. For a small
// batch they do little with each filter but read it, so the filters are read where they lie, and im2col^T, a few rows
// [pixels, K], is filled.
#pragma once

#include <unfold/engine/contract.hpp>

namespace unfold::engine {

/// Sizes in elements.
template <class T>
struct FewPixelsBlocks {
  static constexpr Index unit = static_cast<Index>(sizeof(T));
  static constexpr Index pixels = Kernels<T>::most_few_rows;
  static constexpr Index taps = (Index{256} << 10) / unit;    // of a filter
  static constexpr Index filters = (Index{64} << 10) / unit;  // that an input gradient sums over
  static constexpr Index rows = 72;                           // filters of a task: whole tiles of dots
  static constexpr Index block = (Index{256} << 10) / unit;   // of the filters, that the second-level cache keeps
  static constexpr Index sums = pixels * rows * most_lanes<T>;
  static_assert((pixels * taps + pixels * filters + sums) * unit + filters * 8 + 4096 <= workspace_bytes,
                "the blocks fit the workspace");
};

/// Whether the products of this header can run and are of use, for M filters of K taps and P pixels. Where an image in
/// a batch is to be the same as the image alone, P must be the pixels of an image.
template <class T>
bool has_few_pixels(Index M, Index K, Index P) {
  using B = FewPixelsBlocks<T>;
  return 0 < P && P <= B::pixels && K <= B::taps && M <= B::filters;
}

/// The pixels [begin, begin + count) of a batch of H x W outputs.
struct SomePixels {
  Index begin, count, H, W;

  /// The elements of y [N, C, H, W], of channel 0.
  template <class T>
  T* of(const Batch<T>& y, Index pixel) const {
    const Index p = begin + pixel;
    return y.from(p / (H * W), 0, p / W % H, p % W).data;
  }
};

/// Calls f(pixel, tap, element of x) for every entry of im2col outside the padding; tap counts the channels from
/// `channel` on.
template <class T, class F>
void for_each_patch_element(const Batch<T>& x, const SomePixels& pixels, Index channel, Index channels, const Axis& h,
                            const Axis& w, const F& f) {
  for (Index pixel = 0; pixel < pixels.count; ++pixel) {
    const Index p = pixels.begin + pixel, n = p / (pixels.H * pixels.W);
    const Index row = p / pixels.W % pixels.H * h.stride + h.first, column = p % pixels.W * w.stride + w.first;
    for (Index i = 0; i < h.taps; ++i) {
      for (Index j = 0; j < w.taps; ++j) {
        const Index ih = row + i * h.step, iw = column + j * w.step;
        if (ih < 0 || ih >= h.source || iw < 0 || iw >= w.source) continue;
        const Batch<T> from = x.from(n, channel, ih, iw);
        for (Index c = 0; c < channels; ++c) f(pixel, (c * h.taps + i) * w.taps + j, from.data[c * from.c]);
      }
    }
  }
}

/// im2col^T [rows, K], the rows beyond the pixels being zero.
template <class T>
void fill_patches(const Batch<const T>& x, const SomePixels& pixels, Index C, const Axis& h, const Axis& w, Index rows,
                  T* patches) {
  const Index K = C * h.taps * w.taps;
  std::fill_n(patches, rows * K, T(0));
  for_each_patch_element(x, pixels, 0, C, h, w,
                         [&](Index pixel, Index tap, const T& element) { patches[pixel * K + tap] = element; });
}

/// c[i, q] = or += the sum over k of a[k, i] * source[offsets[k] + q] for i < rows <= 4 and q < count; no other element
/// is written or read.
template <class T>
void multiply_few(const Kernels<T>& k, Index rows, Index depth, const T* a, const T* source, const Index* offsets,
                  Index count, T* c, Index c_row, bool overwrite) {
  const Index whole = count / k.lanes * k.lanes;
  k.few_rows[rows - 1](depth, a, source, offsets, whole, 1, 0, c, c_row, 0, overwrite, false);
  for (Index q = whole; q < count; ++q) {
    for (Index i = 0; i < rows; ++i) {
      T sum(0);
      for (Index d = 0; d < depth; ++d) sum += a[d * rows + i] * source[offsets[d] + q];
      T& to = c[i * c_row + q];
      to = overwrite ? sum : to + sum;
    }
  }
}

/// `convolve` with filters a [M, K] whose rows are contiguous.
template <FloatOrDouble T>
void convolve_few_pixels(const T* a, Index a_row, Index M, const Batch<const T>& x, Index N, Index C, const Axis& h,
                         const Axis& w, const Batch<T>& y, T alpha, bool overwrite) {
  using B = FewPixelsBlocks<T>;
  const Kernels<T>& k = kernels<T>();
  const Index L = k.lanes, P = N * h.outputs * w.outputs, K = C * h.taps * w.taps, whole = K / L * L;
  const Index rows = P == 1 ? 1 : B::pixels, tile = P == 1 ? k.taps_of_one : k.taps_of_four;
  const DotsFunction<T> dots = P == 1 ? k.dots_one : k.dots_four;
  detail::parallel_for(parts_of(M, B::rows), [&](Index task) {
    const Index m_begin = task * B::rows, count = std::min(B::rows, M - m_begin);
    detail::Workspace workspace;
    T* const patches = workspace.take<T>(B::pixels * B::taps);  // [rows, K]
    T* const sums = workspace.take<T>(B::sums);                 // [rows, filters, L]
    for (Index begin = 0; begin < P; begin += B::pixels) {
      const SomePixels pixels{begin, std::min(B::pixels, P - begin), h.outputs, w.outputs};
      fill_patches(x, pixels, C, h, w, rows, patches);
      for (Index m = 0; m < count; m += tile) {
        Index offsets[16];
        for (Index t = 0; t < tile; ++t) offsets[t] = std::min(m_begin + m + t, M - 1) * a_row;
        dots(whole, patches, K, a, offsets, sums + m * L, B::rows * L, true);
      }
      for (Index p = 0; p < pixels.count; ++p) {
        T* const of_pixel = pixels.of(y, p) + m_begin * y.c;
        for (Index m = 0; m < count; ++m) {
          const T* const lanes = sums + (p * B::rows + m) * L;
          T chains[2] = {};  // of additions
          for (Index l = 0; l < L; l += 2) chains[0] += lanes[l], chains[1] += lanes[l + 1];
          T sum = chains[0] + chains[1];
          for (Index i = whole; i < K; ++i) sum += a[(m_begin + m) * a_row + i] * patches[p * K + i];
          T& to = of_pixel[m * y.c];
          to = overwrite ? alpha * sum : to + alpha * sum;
        }
      }
    }
  });
}

/// `contract` into a dw [M, K] whose rows are contiguous, for a batch of at most FewPixelsBlocks::pixels pixels.
template <FloatOrDouble T>
void contract_few_pixels(const Batch<const T>& dy, Index M, const Batch<const T>& x, Index N, Index C, const Axis& h,
                         const Axis& w, T* dw, Index dw_row, T alpha, bool overwrite) {
  using B = FewPixelsBlocks<T>;
  const Kernels<T>& k = kernels<T>();
  const Index P = N * h.outputs * w.outputs, K = C * h.taps * w.taps;
  detail::parallel_for(parts_of(M, B::rows), [&](Index task) {
    const Index end = std::min(M, (task + 1) * B::rows);
    detail::Workspace workspace;
    T* const patches = workspace.take<T>(B::pixels * B::taps);  // [P, K]
    const SomePixels pixels{0, P, h.outputs, w.outputs};
    fill_patches(x, pixels, C, h, w, P, patches);
    Index offsets[B::pixels];
    for (Index p = 0; p < P; ++p) offsets[p] = p * K;
    for (Index m = task * B::rows; m < end; m += B::pixels) {
      const Index rows = std::min(B::pixels, end - m);
      T of_dy[B::pixels * B::pixels];  // [P, rows]
      for (Index p = 0; p < P; ++p) {
        const T* const of_pixel = pixels.of(dy, p) + m * dy.c;
        for (Index i = 0; i < rows; ++i) of_dy[p * rows + i] = alpha * of_pixel[i * dy.c];
      }
      multiply_few(k, rows, P, of_dy, patches, offsets, K, dw + m * dw_row, dw_row, overwrite);
    }
  });
}

/// dx = or += col2im(a^T * dy) for filters a [M, K] whose rows are contiguous; the axes are those of the forward
/// stencil.
template <FloatOrDouble T>
void gradient_few_pixels(const T* a, Index a_row, const Batch<const T>& dy, Index M, const Batch<T>& dx, Index N,
                         Index C, const Axis& h, const Axis& w, bool overwrite) {
  using B = FewPixelsBlocks<T>;
  const Kernels<T>& k = kernels<T>();
  const Index P = N * h.outputs * w.outputs, taps = h.taps * w.taps;
  const Index tile = 4 * k.lanes, most = B::block / std::max<Index>(1, M) / taps;
  const Index channels = std::min(C, most < tile ? std::max<Index>(1, most) : most / tile * tile);
  detail::parallel_for(parts_of(C, channels), [&](Index task) {
    const Index c = task * channels, count = std::min(channels, C - c);
    detail::Workspace workspace;
    T* const product = workspace.take<T>(B::pixels * B::taps);   // [pixels, count * taps]
    T* const of_dy = workspace.take<T>(B::pixels * B::filters);  // [M, pixels]
    Index* const offsets = workspace.take<Index>(B::filters);
    for (Index m = 0; m < M; ++m) offsets[m] = m * a_row;
    if (overwrite) clear(dx.from(0, c, 0, 0), N, count, h.source, w.source);
    for (Index begin = 0; begin < P; begin += B::pixels) {
      const SomePixels pixels{begin, std::min(B::pixels, P - begin), h.outputs, w.outputs};
      for (Index p = 0; p < pixels.count; ++p) {
        const T* const of_pixel = pixels.of(dy, p);
        for (Index m = 0; m < M; ++m) of_dy[m * pixels.count + p] = of_pixel[m * dy.c];
      }
      multiply_few(k, pixels.count, M, of_dy, a + c * taps, offsets, count * taps, product, count * taps, true);
      for_each_patch_element(dx, pixels, c, count, h, w, [&](Index pixel, Index tap, T& element) {
        element += product[pixel * count * taps + tap];
      });
    }
  });
}

}  // namespace unfold::engine
