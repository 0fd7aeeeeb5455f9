// SPDX-License-Identifier: MIT
// The three products of a convolution, for one group of channels or for several, group by group; each is run in the
// form that suits the geometry, on which alone the choice depends.
//   forward           y  (+)= a * im2col(x)           a [M, K], y [M, P]
//   weight_gradient   dw (+)= dy * im2col(x)^T        dy [M, P], dw [M, K]
//   input_gradient    dx (+)= col2im(a * dy)          a [K, M], dy [M, P]
// Every element's sum runs in an order that the geometry alone fixes.
#pragma once

#include <unfold/core/geometry.hpp>
#include <unfold/engine/channel_phases.hpp>
#include <unfold/engine/few_phases.hpp>
#include <unfold/engine/few_pixels.hpp>
#include <unfold/engine/group_lanes.hpp>
#include <unfold/engine/scatter.hpp>

namespace unfold::engine {

/// im2col of one group, or of several neighbours, as a pointer and a geometry. `x` is the batch of their channels. The
/// other factor and the result of a product hold the groups' M rows (of a [K, M]: columns) one after another.
template <class T>
struct Patches {
  Batch<T> x;
  Conv2DGeometry g;
  Index groups = 1;

  Index channels() const { return g.IC / g.G; }
  Axis height() const { return {g.OH, g.IH, g.SH, g.KH, -g.PT, g.DH}; }
  Axis width() const { return {g.OW, g.IW, g.SW, g.KW, -g.PL, g.DW}; }
};

/// The axes of a convolution of patches to y, or back, that sums over so many channels. A single tap that reads every
/// pixel sees an image as one row, where neither tensor has gaps between its rows: but only if all channels are summed
/// in one block, whatever its pixels are, so that strides have no say in the order of a sum.
template <class T, class U>
struct Axes {
  Axis h, w;

  Axes(const Patches<T>& x, const Batch<U>& y, Index channels) : h(x.height()), w(x.width()) {
    using B = FewChannelsBlocks<U>;
    const auto reads_all = [](const Axis& a) {
      return a.taps == 1 && a.stride == 1 && a.inside() && a.outputs == a.source;
    };
    if (channels <= B::copy / B::pixels && reads_all(h) && reads_all(w) && x.x.w == 1 && y.w == 1 &&
        x.x.h == w.source && y.h == w.outputs) {
      w.source = w.outputs = h.outputs * w.outputs;
      h.source = h.outputs = 1;
    }
  }
};

/// How many groups a product takes best at once: as many as a vector has lanes, or one. One, if the turning of the
/// images is most of the work, or where long rows of pixels fill the lanes as well.
template <FloatOrDouble T>
Index groups_at_once(const Conv2DGeometry& g) {
  const Index lanes = kernels<T>().lanes, M = g.OC / g.G, C = g.IC / g.G;
  constexpr Index short_row = 64, small_image = 64, small_group = 4096, few = Kernels<T>::most_few_rows;
  if (g.G == 1 || (2 * g.G < lanes && g.OH * g.OW * M * g.K() > small_group)) return 1;
  if (g.KH * g.KW == 1 && (g.OH * g.OW >= small_image || 2 * g.G < lanes)) return 1;
  if (g.OW >= short_row && g.SH * g.SW == 1 && 2 < M && M <= few && 2 < C && C <= few) return 1;
  const Patches<const T> p{{}, g};
  const Phases h{p.height(), false}, w{p.width(), false}, gradient_h{p.height(), true}, gradient_w{p.width(), true};
  const bool fit = fit_group_lanes<T>(M, C, h, w) && fit_group_lanes<T>(C, M, gradient_h, gradient_w);
  return fit ? equal_part(g.G, lanes) : 1;
}

/// Whether M filters of C channels serve better in the lanes than the pixels: long sums of several taps pay for the
/// transposition of the result, if the filters fill most of the lanes, and spare the packing of the pixels. With one
/// tap a pixel is packed once anyway, and what is packed is read from nearer by.
template <FloatOrDouble T>
bool in_channel_lanes(Index M, Index C, const Axis& h, const Axis& w) {
  const Index taps = h.taps * w.taps, long_sum = C > 3 ? 64 : 288;
  return taps > 1 && C * taps >= long_sum && fill_lanes<T>(M);
}

/// Whether sums of one tap are so short that the writing of the results is most of the work: long rows of few filters
/// at a time then, instead of pieces of the rows of many.
inline bool has_short_sums(Index C, const Axis& h, const Axis& w) {
  constexpr Index short_sum = 4, long_row = 1024;
  return h.taps * w.taps == 1 && C <= short_sum && w.outputs >= long_row && h.stride * w.stride == 1 && h.inside() &&
         w.inside();
}

/// The form of `convolve` for M filters of C channels.
template <FloatOrDouble T>
auto convolution_form(Index M, Index C, const Axis& h, const Axis& w) {
  return M <= Kernels<T>::most_few_rows || has_short_sums(C, h, w) ? convolve_few_rows<T>
         : in_channel_lanes<T>(M, C, h, w)                         ? convolve_in_channel_lanes<T>
                                                                   : convolve_in_pixel_lanes<T>;
}

/// y (+)= alpha * a * stencil(x), see convolve_in_pixel_lanes.
template <FloatOrDouble T>
void convolve(const Filters<const T>& a, Index M, const Batch<const T>& x, Index N, Index C, const Axis& h,
              const Axis& w, const Batch<T>& y, T alpha, bool overwrite) {
  convolution_form<T>(M, C, h, w)(a, M, x, N, C, h, w, y, alpha, overwrite);
}

/// y [M, P] = or += alpha * a [M, K] * im2col(x) [K, P].
template <FloatOrDouble T>
void forward(const Strided<const T>& a, Index M, const Patches<const T>& x, const Batch<T>& y, T alpha,
             bool overwrite) {
  const Conv2DGeometry& g = x.g;
  const Filters<const T> filters{a.data, a.row, g.KH * g.KW * a.col, g.KW * a.col, a.col};
  if (x.groups > 1) {
    return convolve_in_group_lanes(filters, M * a.row, x.groups, M, x.x, g.N, x.channels(), {x.height(), false},
                                   {x.width(), false}, y, alpha, overwrite);
  }
  const Axes axes(x, y, x.channels());
  if (a.col == 1 && has_few_pixels<T>(M, g.K(), g.OH * g.OW)) {
    return convolve_few_pixels(a.data, a.row, M, x.x, g.N, x.channels(), axes.h, axes.w, y, alpha, overwrite);
  }
  convolve(filters, M, x.x, g.N, x.channels(), axes.h, axes.w, y, alpha, overwrite);
}

/// The form of weight_gradient for M filters of K taps.
template <FloatOrDouble T>
auto contraction_form(Index M, Index K) {
  constexpr Index few_taps = 36;
  return M <= Kernels<T>::most_few_rows || (M <= kernels<T>().lanes && K <= few_taps) ? contract_few<T> : contract<T>;
}

/// dw [M, K] = or += alpha * dy [M, P] * im2col(x)^T [P, K].
template <FloatOrDouble T>
void weight_gradient(const Batch<const T>& dy, Index M, const Patches<const T>& x, const Strided<T>& dw, T alpha,
                     bool overwrite) {
  if (x.groups > 1) {
    return contract_in_group_lanes(dy, x.groups, M, x.x, x.g.N, x.channels(), x.height(), x.width(), dw, alpha,
                                   overwrite);
  }
  if (dw.col == 1 && has_few_pixels<T>(M, x.g.K(), x.g.P())) {
    return contract_few_pixels(dy, M, x.x, x.g.N, x.channels(), x.height(), x.width(), dw.data, dw.row, alpha,
                               overwrite);
  }
  contraction_form<T>(M, x.g.K())(dy, M, x.x, x.g.N, x.channels(), x.height(), x.width(), dw, alpha, overwrite);
}

/// Whether input_gradient adds the taps one by one: its phases would mostly multiply padding. M: channels of dy.
template <FloatOrDouble T>
bool scatters(const Patches<T>& dx, Index M) {
  const Conv2DGeometry& g = dx.g;
  const Axis h = dx.height(), w = dx.width();
  const Index channels = dx.channels(), lanes = kernels<T>().lanes;
  if (g.KH * g.KW * channels <= 4) return false;
  Index multiplied = 0;
  for (Index i = 0; i < g.SH; ++i) {
    for (Index j = 0; j < g.SW; ++j) {
      const Axis hp = gradient_axis(h, i), wp = gradient_axis(w, j);
      // The channel lanes leave out most of the padding, but multiply lanes that no channel fills.
      multiplied += in_channel_lanes<T>(channels, M, hp, wp)
                        ? multiplied_taps<T>(Taps{hp, wp, 0, M}) * parts_of(channels, lanes) * lanes
                        : hp.outputs * hp.taps * wp.outputs * wp.taps * channels;
    }
  }
  return multiplied * 3 > g.OH * g.OW * g.KH * g.KW * channels * 4;
}

/// dx = or += col2im(a [K, M] * dy [M, P]).
///
/// At stride 1 this is a convolution of dy with the turned filters, at stride s one for each of the s*s phases, all
/// together where they fit. Where those would mostly multiply padding, the products of the taps are added one by one.
template <FloatOrDouble T>
void input_gradient(const Strided<const T>& a, const Batch<const T>& dy, Index M, const Patches<T>& dx,
                    bool overwrite) {
  const Conv2DGeometry& g = dx.g;
  const Axes axes(dx, dy, M);
  const Axis &h = axes.h, &w = axes.w;
  const Filters<const T> filters{a.data, g.KH * g.KW * a.row, a.col, g.KW * a.row, a.row};
  if (dx.groups > 1) {
    return convolve_in_group_lanes(filters, M * a.col, dx.groups, dx.channels(), dy, g.N, M, {dx.height(), true},
                                   {dx.width(), true}, dx.x, T(1), overwrite);
  }
  if (a.row == 1 && has_few_pixels<T>(M, g.K(), g.OH * g.OW)) {
    return gradient_few_pixels(a.data, a.col, dy, M, dx.x, g.N, dx.channels(), h, w, overwrite);
  }
  if (scatters(dx, M)) return scatter(filters, dx.channels(), dy, g.N, M, h, w, dx.x, overwrite);
  if (has_few_phases(dx.channels(), h, w, dx.x)) {
    return gradient_few_rows(filters, dx.channels(), dy, g.N, M, h, w, dx.x, overwrite);
  }
  if (overwrite && has_one_phase(h, w, dx.x)) {
    return gradient_in_pixel_lanes(filters, dx.channels(), dy, g.N, M, h, w, dx.x, overwrite);
  }
  if (has_channel_phases(dx.channels(), M, h, w, dx.x)) {
    return gradient_in_channel_lanes(filters, dx.channels(), dy, g.N, M, h, w, dx.x, overwrite);
  }
  const auto taps = [&](Index i, Index j) { return gradient_axis(h, i).taps * gradient_axis(w, j).taps; };
  bool every_phase = true;  // has taps; else zeros stand between those that have
  for (Index i = 0; i < g.SH; ++i) {
    for (Index j = 0; j < g.SW; ++j) every_phase = every_phase && taps(i, j) > 0;
  }
  if (overwrite && !every_phase) clear(dx.x, g.N, dx.channels(), g.IH, g.IW);
  for (Index i = 0; i < g.SH; ++i) {
    for (Index j = 0; j < g.SW; ++j) {
      if (taps(i, j) == 0) continue;
      const Batch<T> phase{dx.x.data + i * dx.x.h + j * dx.x.w, dx.x.n, dx.x.c, g.SH * dx.x.h, g.SW * dx.x.w};
      convolve(filters, dx.channels(), dy, g.N, M, gradient_axis(h, i), gradient_axis(w, j), phase, T(1), overwrite);
    }
  }
}

}  // namespace unfold::engine
