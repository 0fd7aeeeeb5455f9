// SPDX-License-Identifier: MIT
// A stencil: which source elements the outputs of a convolution read, axis by axis. The forward pass
// and, for each phase of its strides, the input gradient are stencils. A block of the source is copied
// once with its padding, split by stride, so that a run of outputs under any tap is contiguous.
#pragma once

#include <unfold/engine/kernels.hpp>

#include <numeric>  // std::gcd

namespace unfold::engine {

/// A matrix of any two strides, in elements.
template <class T>
struct Strided {
  T* data;
  Index row, col;

  T& operator()(Index i, Index j) const { return data[i * row + j * col]; }
  Strided from(Index i, Index j) const { return {data + i * row + j * col, row, col}; }
  operator Strided<const T>() const { return {data, row, col}; }
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

/// b(n, c, h, w) = 0 for all of the [N, C, H, W] elements.
template <class T>
void clear(const Batch<T>& b, Index N, Index C, Index H, Index W) {
  for (Index n = 0; n < N; ++n) {
    for (Index c = 0; c < C; ++c) {
      T* const plane = b.data + n * b.n + c * b.c;
      for (Index h = 0; h < H; ++h) {
        if (b.w == 1) {
          std::fill_n(plane + h * b.h, W, T(0));
        } else {
          for (Index w = 0; w < W; ++w) plane[h * b.h + w * b.w] = T(0);
        }
      }
    }
  }
}

/// to[offsets[r] + run.from + i*step] = or += rows[r, run.at + i] for all runs of all n rows.
template <class T>
void store_rows(const Kernels<T>& k, const T* rows, Index row, const Index* offsets, Index n, const Run* runs,
                Index used, T* to, Index step, bool overwrite) {
  if (step == 1) return k.scatter(rows, row, offsets, n, runs, used, to, overwrite);
  for (Index r = 0; r < n; ++r) {
    for (Index u = 0; u < used; ++u) {
      T* const element = to + offsets[r] + runs[u].from;
      const T* const from = rows + r * row + runs[u].at;
      for (Index i = 0; i < runs[u].count; ++i) {
        element[i * step] = overwrite ? from[i] : element[i * step] + from[i];
      }
    }
  }
}

/// One axis: output o under tap t reads source element o*stride + first + t*step, 0 outside [0, source);
/// tap t is the kernel's element kernel_first + t*kernel_step.
struct Axis {
  Index outputs, source, stride, taps, first, step;
  Index kernel_first = 0, kernel_step = 1;

  Index lowest() const { return step < 0 ? first + (taps - 1) * step : first; }
  Index reach() const { return (taps - 1) * (step < 0 ? -step : step); }  // highest tap less the lowest
  /// A copy is split by the remainders of the taps' distances by the stride. Tap t, counted from the lowest, has the
  /// remainder of t*|step|: number t % period(), and no other is copied.
  Index period() const { return stride == 1 ? 1 : stride / std::gcd(stride, step); }
  Index phases() const { return std::min(taps, period()); }
  Index phase_of(Index t) const { return stride == 1 ? 0 : (step < 0 ? taps - 1 - t : t) % period(); }
  Index remainder(Index phase) const { return phase * (step < 0 ? -step : step) % stride; }
  /// Elements of one phase for n outputs.
  Index length(Index n) const { return n + reach() / stride; }
  /// Where tap t finds its element of output 0: its distance from the lowest.
  Index distance(Index t) const { return first + t * step - lowest(); }
  /// No output reads the padding.
  bool inside() const { return lowest() >= 0 && lowest() + (outputs - 1) * stride + reach() < source; }
  /// Whether tap t finds an element of the source for some output in [begin, begin + n).
  bool reads(Index t, Index begin, Index n) const {
    const Index at = first + t * step + begin * stride;
    return at < source && at + (n - 1) * stride >= 0;
  }
  /// Whether it does for all of them.
  bool reads_all(Index t, Index begin, Index n) const {
    const Index at = first + t * step + begin * stride;
    return at >= 0 && at + (n - 1) * stride < source;
  }
  /// The axis of the outputs [begin, begin + n) under the taps [tap, tap + m).
  Axis part(Index begin, Index n, Index tap, Index m) const {
    return {n,          source, stride, m, first + begin * stride + tap * step, step, kernel_first + tap * kernel_step,
            kernel_step};
  }
};

/// One phase of an axis of the input gradient: the source elements p, p + stride, ... of a forward axis, as outputs of
/// a stencil over dy. The taps of the phase are those kernel elements that reach it.
inline Axis gradient_axis(const Axis& forward, Index phase) {
  const Index S = forward.stride, D = forward.step, step = S / std::gcd(S, D);
  Axis axis{(forward.source - phase + S - 1) / S, forward.outputs, 1, 0, 0, 0, 0, step};
  while (axis.kernel_first < step && (phase - forward.first - axis.kernel_first * D) % S != 0) ++axis.kernel_first;
  if (axis.kernel_first >= std::min(step, forward.taps)) return axis;
  axis.taps = (forward.taps - axis.kernel_first + step - 1) / step;
  axis.first = (phase - forward.first - axis.kernel_first * D) / S;
  axis.step = -(step * D / S);
  return axis;
}

/// Source elements laid out for runs: output (n, oh, ow) under tap (i, j) of channel c reads
/// data[c*channel + offset(i, j) + n*image + oh*row + ow].
template <class T>
struct Laid {
  T* data;
  Index channel, image, row;
  Index row_phase, column_phase;  // strides of the phases
  Axis h, w;
  bool copied;  // with room for a vector's end past any run

  Index row_offset(Index i) const { return h.phase_of(i) * row_phase + h.distance(i) / h.stride * row; }
  Index column_offset(Index j) const { return w.phase_of(j) * column_phase + w.distance(j) / w.stride; }
  Index offset(Index i, Index j) const { return row_offset(i) + column_offset(j); }
  /// The offsets of all taps of the channels, in order, and the last one gather_ahead times more.
  void offsets(Index channels, Index* to) const {
    const Index each = h.taps * w.taps, all = channels * each;
    for (Index j = 0; j < w.taps; ++j) to[j] = column_offset(j);
    for (Index i = h.taps; i-- > 0;) {  // the first row last
      const Index of_row = row_offset(i);
      for (Index j = 0; j < w.taps; ++j) to[i * w.taps + j] = of_row + to[j];
    }
    for (Index k = each; k < all; ++k) to[k] = to[k - each] + channel;
    std::fill_n(to + all, gather_ahead, to[all - 1]);
  }
};

/// The elements that a padded copy takes for one image and channel.
inline Index laid_size(const Axis& h, const Axis& w) {
  return h.phases() * h.length(h.outputs) * w.phases() * w.length(w.outputs);
}

/// The layout of a padded copy at `copy`.
template <class T>
Laid<T> laid_at(T* copy, Index images, const Axis& h, const Axis& w) {
  const Index columns = w.length(w.outputs), plane = h.length(h.outputs) * columns;
  const Index image = h.phases() * w.phases() * plane;
  return {copy, images * image, image, columns, w.phases() * plane, plane, h, w, true};
}

/// Calls f(plane of x, how much further the next one is, rows, columns, plane of the copy) for every plane of a padded
/// copy of `images` images and `channels` channels: one for each phase of the strides.
template <class T, class Copy, class F>
void for_each_padded_plane(const Batch<T>& x, Index images, Index channels, const Axis& h, const Axis& w, Copy* copy,
                           const F& f) {
  const Index rows = h.length(h.outputs), columns = w.length(w.outputs), h_phases = h.phases(), w_phases = w.phases();
  const bool one = h_phases * w_phases == 1;
  Padded of_rows{h.source, h.lowest(), h.stride, rows}, of_columns{w.source, w.lowest(), w.stride, columns};
  for (Index c = 0; c < channels; ++c) {
    for (Index n = 0; n < images; ++n) {
      const Index next = n + 1 < images ? x.n : x.c - n * x.n;
      for (Index i = 0; i < h_phases; ++i) {
        for (Index j = 0; j < w_phases; ++j, copy += rows * columns) {
          if (!one) of_rows.first = h.lowest() + h.remainder(i), of_columns.first = w.lowest() + w.remainder(j);
          f(x.data + n * x.n + c * x.c, next, of_rows, of_columns, copy);
        }
      }
    }
  }
}

/// Copies what the stencil reads of `images` images and `channels` channels, with zeros for the padding. `copy` has
/// room for two vectors more.
template <class T>
Laid<const T> lay_out_copy(const Kernels<T>& k, const Batch<const T>& x, Index images, Index channels, const Axis& h,
                           const Axis& w, T* copy) {
  for_each_padded_plane(x, images, channels, h, w, copy,
                        [&](const T* plane, Index next, const Padded& rows, const Padded& columns, T* to) {
                          k.pad(plane, next, x.h, x.w, rows, columns, to);
                        });
  return laid_at<const T>(copy, images, h, w);
}

/// The same, where the source does not lie so already: it is used where it is then.
template <class T>
Laid<const T> lay_out(const Kernels<T>& k, const Batch<const T>& x, Index images, Index channels, const Axis& h,
                      const Axis& w, T* copy) {
  if (h.inside() && w.inside() && h.stride == 1 && w.stride == 1 && x.w == 1) {
    return {x.data + h.lowest() * x.h + w.lowest(), x.c, x.n, x.h, 0, 0, h, w, false};
  }
  return lay_out_copy(k, x, images, channels, h, w, copy);
}

/// The adjoint of lay_out: adds what lies in the padded copy to the elements that it would have come from.
template <class T>
void add_back(const Kernels<T>& k, const Laid<T>& laid, Index images, Index channels, const Batch<T>& x) {
  for_each_padded_plane(x, images, channels, laid.h, laid.w, laid.data,
                        [&](T* plane, Index, const Padded& rows, const Padded& columns, const T* from) {
                          k.add_padded(from, rows, columns, plane, x.h, x.w);
                        });
}

}  // namespace unfold::engine
