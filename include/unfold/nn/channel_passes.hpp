// SPDX-License-Identifier: MIT
// The passes around a product, each over the memory once: bias and activation after it, the gradients of both before
// its gradients. takes z [N, C, H, W], b [C] -> gives y = f(z + b); takes dy -> gives dz, and adds to db.
#pragma once

#include <unfold/core/tensor.hpp>
#include <unfold/core/threads.hpp>
#include <unfold/nn/activation.hpp>
#include <unfold/nn/lanes.hpp>
#include <unfold/nn/scalar.hpp>

#include <algorithm>  // std::clamp, std::fill_n, std::max, std::min
#include <array>

namespace unfold::detail {

/// [N, C, H, W] without gaps, as N*C planes of S = H*W elements.
struct Planes {
  Index N, C, S;
  explicit Planes(const Shape<4>& shape) : N(shape[0]), C(shape[1]), S(shape[2] * shape[3]) {}
  Index M() const { return N * S; }
  Index at(Index n, Index c) const { return (n * C + c) * S; }

  /// f(at, count) for the pieces of channel c, image by image: `count` elements from `at` on.
  template <class F>
  void for_each_piece(Index c, const F& f) const {
    for (Index n = 0; n < N; ++n) {
      const Index plane = at(n, c);
      detail::for_each_piece(S, [&](Index begin, Index count) { f(plane + begin, count); });
    }
  }

  static constexpr Index most_channels = 256;  // of a task

  /// f(first, count) for ranges of channels that are worth a task, on all threads.
  template <class F>
  void for_each_range(const F& f) const {
    const Index lowest = S == 1 ? 64 : 1;  // rows of channels, or planes
    const Index channels = std::clamp(Index{16384} / std::max(M(), Index{1}), lowest, most_channels);
    parallel_for((C + channels - 1) / channels,
                 [&](Index task) { f(task * channels, std::min(channels, C - task * channels)); });
  }
};

/// y = f(y + b), and z = y + b before that unless it is null.
///
/// Shape   y, z [N, C, H, W] without gaps; b [C], or [0]: no bias
template <class T>
void activate_channels(Activation f, const TensorView<const T, 1>& b, const TensorView<T, 4>& y, T* z) {
  const Planes planes(y.shape());
  const bool biased = b.size() != 0;
  if (!biased && f == Activation::linear && z == nullptr) return;
  const auto activate_piece = [&](Index at, const T& bias, Index n) {
    T* const to = y.data() + at;
    if (z != nullptr) activate_biased("activate", Activation::linear, to, bias, z + at, n);
    activate_biased("activate", f, to, bias, to, n);
  };
  const T none = T(-T(0));  // to add it changes nothing
  planes.for_each_range([&](Index first, Index count) {
    if (planes.S == 1) {  // rows of channels
      for (Index n = 0; n < planes.N; ++n) {
        const Index at = planes.at(n, first);
        if (biased) {
          T* const row = y.data() + at;
          const T* const bias = b.data() + first;
          map_lanes(row, count, [=](Index i) { return T(row[i] + bias[i]); });
        }
        activate_piece(at, none, count);
      }
      return;
    }
    for (Index c = first; c < first + count; ++c) {
      const T bias = biased ? b(c) : none;
      planes.for_each_piece(c, [&](Index at, Index n) { activate_piece(at, bias, n); });
    }
  });
}

/// dy without gaps: itself, or copied to `room`.
template <class T>
TensorView<const T, 4> without_gaps(const TensorView<const T, 4>& dy, Tensor<T, 4>& room) {
  if (dy.contiguous()) return dy;
  room.assign(dy);
  return room;
}

/// dz = dy * f'(z) in pieces: gives where dz is, which is dy for the linear f.
template <class T>
struct ActivationGradient {
  Activation f;
  const T* y_or_z;
  const T* dy;
  T* dz;

  const T* operator()(Index at, Index n) const {
    if (f == Activation::linear) return dy + at;
    activation_gradient(f, y_or_z + at, dy + at, dz + at, n);
    return dz + at;
  }
};

/// dz = dy * f'(z) and db += the sum of dz over n, h, w. Gives dz: `room`, or dy itself where that is dz already.
///
/// Shape   dy [N, C, H, W] of any strides, y_or_z [N, C, H, W] without gaps; db [C], or [0]: not wanted
template <class T>
TensorView<const T, 4> channel_gradients(Activation f, const T* y_or_z, TensorView<const T, 4> dy,
                                         const TensorView<T, 1>& db, Tensor<T, 4>& room) {
  using A = Accumulator<T>;
  const Planes planes(dy.shape());
  const bool summed = db.size() != 0;
  dy = without_gaps(dy, room);
  if (f == Activation::linear && !summed) return dy;
  if (f != Activation::linear) room.reshape_for_overwrite(dy.shape());
  const ActivationGradient<T> gradient{f, y_or_z, dy.data(), room.data()};
  planes.for_each_range([&](Index first, Index count) {
    if (planes.S == 1) {  // rows of channels
      std::array<A, Planes::most_channels> sums_of_range;
      A* const sums = sums_of_range.data();
      std::fill_n(sums, count, A(0));
      for (Index n = 0; n < planes.N; ++n) {
        const T* const dz = gradient(planes.at(n, first), count);
        if (summed) map_lanes(sums, count, [=](Index i) { return A(sums[i] + A(dz[i])); });
      }
      for (Index i = 0; summed && i < count; ++i) db(first + i) += T(sums[i]);
      return;
    }
    for (Index c = first; c < first + count; ++c) {
      A sum(0);
      planes.for_each_piece(c, [&](Index at, Index n) {
        const T* const dz = gradient(at, n);
        if (summed) sum += lane_sum<A>(n, [=](Index i) { return A(dz[i]); });
      });
      if (summed) db(c) += T(sum);
    }
  });
  return f == Activation::linear ? dy : TensorView<const T, 4>(room);
}

}  // namespace unfold::detail
