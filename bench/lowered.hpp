// SPDX-License-Identifier: MIT
// The way of the listing: each image's im2col matrix is filled, and a library's matrix product is run on it.
// A 1x1 convolution of stride 1 without padding needs no filling, as there.
#pragma once

#include "contender.hpp"

#include <algorithm>
#include <memory>

namespace unfold::bench {

/// Calls f(columns, image, count, step) for each run of one row of the K x OH*OW matrix of a group: `count` elements of
/// `columns` that are every step-th of `image`; f is given count elements of padding where image is null.
template <class T, class Image, class F>
void for_each_run(const Conv2DGeometry& g, T* columns, Image* image, const F& f) {
  for (Index ic = 0; ic < g.IC / g.G; ++ic) {
    for (Index kh = 0; kh < g.KH; ++kh) {
      for (Index kw = 0; kw < g.KW; ++kw) {
        // The ow with 0 <= ow*SW + first < IW: before them and behind them stands padding.
        const Index first = kw * g.DW - g.PL;
        const Index begin = std::clamp<Index>((-first + g.SW - 1) / g.SW, 0, g.OW);
        const Index end = first >= g.IW ? begin : std::clamp<Index>((g.IW - 1 - first) / g.SW + 1, begin, g.OW);
        for (Index oh = 0; oh < g.OH; ++oh, columns += g.OW) {
          const Index ih = oh * g.SH + kh * g.DH - g.PT;
          if (ih < 0 || ih >= g.IH) {
            f(columns, static_cast<Image*>(nullptr), g.OW, g.SW);
            continue;
          }
          f(columns, static_cast<Image*>(nullptr), begin, g.SW);
          f(columns + begin, image + (ic * g.IH + ih) * g.IW + begin * g.SW + first, end - begin, g.SW);
          f(columns + end, static_cast<Image*>(nullptr), g.OW - end, g.SW);
        }
      }
    }
  }
}

/// C = A*B + beta*C for row-major matrices [m, n], [m, k], [k, n], with A or B transposed where stored so.
template <class T>
struct MatrixProduct {
  Index m, n, k;
  bool transpose_a, transpose_b;
  const T *a, *b;
  T beta;
  T* c;
};

/// One direction over all images and groups; `product` is the library's.
template <class T, class Product>
void run_lowered(const Operands<T>& o, Tensor<T, 4>& result, Direction d, T* columns, const Product& product) {
  const Conv2DGeometry& g = o.g;
  const Index K = g.K(), P = g.OH * g.OW, OC = g.OC / g.G;
  for (Index n = 0; n < g.N; ++n) {
    for (Index group = 0; group < g.G; ++group) {
      const Index x_at = (n * g.IC + group * (g.IC / g.G)) * g.IH * g.IW, y_at = (n * g.OC + group * OC) * P;
      const Index w_at = group * OC * K;
      const T* const x = o.x.data() + x_at;  // [IC/G, IH, IW]
      const T* const y = o.y.data() + y_at;  // [OC/G, P]
      const T* const w = o.w.data() + w_at;  // [OC/G, K]
      const bool plain = columns == nullptr;
      if (d != Direction::backward_input && !plain) {
        for_each_run(g, columns, x, [](T* column, const T* image, Index count, Index step) {
          if (image == nullptr) {
            std::fill_n(column, count, T(0));
          } else if (step == 1) {
            std::copy_n(image, count, column);
          } else {
            for (Index i = 0; i < count; ++i) column[i] = image[i * step];
          }
        });
      }
      const T* const X = plain ? x : columns;  // [K, P]
      switch (d) {
        case Direction::forward: product({OC, P, K, false, false, w, X, T(0), result.data() + y_at}); break;
        case Direction::backward_weights:
          product({OC, K, P, false, true, y, X, T(n == 0 ? 0 : 1), result.data() + w_at});
          break;
        case Direction::backward_input:
          T* const dx = result.data() + x_at;  // [IC/G, IH, IW]
          product({K, P, OC, true, false, w, y, T(0), plain ? dx : columns});
          if (plain) break;
          std::fill_n(dx, g.IC / g.G * g.IH * g.IW, T(0));
          for_each_run(g, columns, dx, [](const T* column, T* image, Index count, Index step) {
            if (image == nullptr) return;
            for (Index i = 0; i < count; ++i) image[i * step] += column[i];
          });
          break;
      }
    }
  }
}

template <class T, class Product>
void add_lowered(const char* name, std::vector<Contender>& to, Operands<T>& o, Direction d, Product product) {
  const Conv2DGeometry& g = o.g;
  const bool plain = g.KH == 1 && g.KW == 1 && g.SH == 1 && g.SW == 1 && o.options.padding == Padding2D{0, 0, 0, 0};
  const auto columns = std::make_shared<Tensor<T, 1>>(Shape<1>{plain ? 0 : g.K() * g.OH * g.OW});  // [K, P] of an image
  T* const at = plain ? nullptr : columns->data();
  to.push_back({name,
                [&o, d, columns, at, product] { run_lowered(o, o.result(d), d, at, product); },
                {},
                columns->size() * static_cast<Index>(sizeof(T))});
}

}  // namespace unfold::bench
