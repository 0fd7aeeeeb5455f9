// SPDX-License-Identifier: MIT
// Batch normalisation by plain loops in long double, with the backward in the listing's own three steps;
// and how far a computation in another precision may be from it.
#pragma once

#include "support/fill.hpp"

#include <unfold/core/conv2d_options.hpp>
#include <unfold/core/tensor.hpp>

#include <algorithm>  // std::max
#include <cmath>

namespace unfold::test {

struct NormData {
  Tensor<double, 4> x, dy;
  Tensor<double, 1> scales, bias;
};

struct NormResults {
  explicit NormResults(const Shape<4>& x)
      : y(x), dx(x), mean({x[1]}), variance({x[1]}), dscales({x[1]}), dbias({x[1]}) {}
  Tensor<double, 4> y, dx;
  Tensor<double, 1> mean, variance, dscales, dbias;
};

/// Normal numbers that are exact in float, with another mean and deviation in each channel.
inline NormData norm_data(const Shape<4>& shape, std::uint64_t seed) {
  Random random(seed);
  NormData data{Tensor<double, 4>(shape), Tensor<double, 4>(shape), Tensor<double, 1>({shape[1]}),
                Tensor<double, 1>({shape[1]})};
  const auto next = [&] { return static_cast<double>(static_cast<float>(random.normal())); };
  for (Index c = 0; c < shape[1]; ++c) {
    const auto number = static_cast<double>(c);
    fill_with(data.x.slice(1, c, 1), [&] { return static_cast<float>((number + 0.5) * next() + 3 - number); });
  }
  fill_with(data.dy.view(), next);
  fill_with(data.scales.view(), next);
  fill_with(data.bias.view(), next);
  return data;
}

/// f(n, h, w) for every sample of a channel.
template <class F>
void for_each_sample(const Shape<4>& shape, F&& f) {
  for (Index n = 0; n < shape[0]; ++n) {
    for (Index h = 0; h < shape[2]; ++h) {
      for (Index w = 0; w < shape[3]; ++w) f(n, h, w);
    }
  }
}

inline NormResults batch_norm_reference(BatchNorm kind, const NormData& data) {
  const Shape<4> shape = data.x.shape();
  const bool standard = kind == BatchNorm::standard;
  const long double M = static_cast<long double>(shape[0] * shape[2] * shape[3]);
  NormResults r(shape);
  for (Index c = 0; c < shape[1]; ++c) {
    const auto x = [&](Index n, Index h, Index w) { return static_cast<long double>(data.x(n, c, h, w)); };
    const auto dy = [&](Index n, Index h, Index w) { return static_cast<long double>(data.dy(n, c, h, w)); };
    const auto sum = [&](auto&& term) {
      long double total = 0;
      for_each_sample(shape, [&](auto... at) { total += term(at...); });
      return total;
    };
    const long double scale = data.scales(c);
    const long double mean = sum(x) / M;
    const auto centred = [&](auto... at) { return x(at...) - mean; };
    const long double variance =
        sum([&](auto... at) { return centred(at...) * centred(at...); }) / (standard ? M : M - 1);
    const long double root = std::sqrt(variance + 1e-5L);
    const long double divisor = standard ? root : std::sqrt(variance) + 1e-6L;
    const long double mean_delta = -sum([&](auto... at) { return dy(at...) * scale; }) / root;
    const long double variance_delta =
        -0.5L / (root * root * root) * sum([&](auto... at) { return dy(at...) * scale * centred(at...); });

    r.mean(c) = static_cast<double>(mean);
    r.variance(c) = static_cast<double>(variance);
    r.dbias(c) = static_cast<double>(sum(dy));
    r.dscales(c) = static_cast<double>(sum([&](auto... at) { return dy(at...) * centred(at...) / divisor; }));
    for_each_sample(shape, [&](Index n, Index h, Index w) {
      const long double d = centred(n, h, w);
      r.y(n, c, h, w) = static_cast<double>(scale * d / divisor + static_cast<long double>(data.bias(c)));
      r.dx(n, c, h, w) = static_cast<double>(dy(n, h, w) * scale / root + variance_delta * 2 * d / M + mean_delta / M);
    });
  }
  return r;
}

/// How far two computations of batch normalisation may differ, whose sums over a channel carry relative errors up to
/// `terms`*epsilon each. The mean is off by e = terms*epsilon*max|x|, the variance by terms*epsilon of itself and e^2,
/// so a normalised value xn = r*(x - mean) by E = terms*epsilon*(r*max|x| + max|xn| + 1), and
/// dx = scale*q*(dy - mean of dy - (q/r)^2*xn*mean of dy*xn) by the errors of its three terms, at most
/// |scale|*q*max|dy|*(1 + max|xn|)*E each, and once more for the factors before them: 8 for two computations.
inline NormResults batch_norm_bounds(BatchNorm kind, const NormData& data, Index terms, double epsilon) {
  const Shape<4> shape = data.x.shape();
  const auto M = static_cast<double>(shape[0] * shape[2] * shape[3]);
  const double u = static_cast<double>(terms) * epsilon;
  const NormResults exact = batch_norm_reference(kind, data);
  NormResults bound(shape);
  for (Index c = 0; c < shape[1]; ++c) {
    const double scale = std::abs(data.scales(c)), bias = std::abs(data.bias(c)), variance = exact.variance(c);
    const double q = 1 / std::sqrt(variance + 1e-5);
    const double r = kind == BatchNorm::standard ? q : 1 / (std::sqrt(variance) + 1e-6);
    double x_max = 0, xn_max = 0, dy_max = 0;
    for_each_sample(shape, [&](Index n, Index h, Index w) {
      x_max = std::max(x_max, std::abs(data.x(n, c, h, w)));
      xn_max = std::max(xn_max, std::abs(data.x(n, c, h, w) - exact.mean(c)) * r);
      dy_max = std::max(dy_max, std::abs(data.dy(n, c, h, w)));
    });
    const double E = u * (r * x_max + xn_max + 1);
    bound.mean(c) = u * x_max;
    bound.variance(c) = 2 * u * variance + 2 * (u * x_max) * (u * x_max);
    bound.dbias(c) = u * M * dy_max;
    bound.dscales(c) = 2 * M * dy_max * E;
    bound.y.slice(1, c, 1).fill(2 * scale * E + 2 * u * (scale * xn_max + bias));
    bound.dx.slice(1, c, 1).fill(8 * scale * q * dy_max * (1 + xn_max) * E);
  }
  return bound;
}

}  // namespace unfold::test
