// SPDX-License-Identifier: MIT
// Rows of windows of every length around the vectors, against the definition.
#include <unfold/core/eigen_map.hpp>
#include <unfold/nn/pooling.hpp>

#include "support/catch.hpp"
#include "support/fill.hpp"
#include "support/tensor_matcher.hpp"
#include "support/thread_count.hpp"

#include <cmath>
#include <limits>
#include <vector>

using namespace unfold;
using test::equals;
using test::integers;

namespace {

const Pool2DOptions windows[] = {
    {.kernel = {2, 2}},
    {.kernel = {3, 2}},
    {.kernel = {2, 2}, .padding = {0, 1, 0, 1}},  // side by side, and cut off on the right and below
    {.kernel = {3, 3}, .stride = {2, 2}},
    {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1, 1, 1}},
    {.kernel = {2, 3}, .stride = {1, 1}, .padding = {1, 0, 2, 1}},
    {.kernel = {1, 4}, .stride = {2, 3}},
    {.kernel = {17, 16}, .stride = {5, 2}, .padding = {16, 16, 15, 15}},  // more than 256 taps
};

/// The window's pixels inside the image: f(ih, iw) in row-major order.
template <class F>
void for_each_pixel(const Pool2DOptions& o, const Shape<4>& x, Index oh, Index ow, F&& f) {
  for (Index kh = 0; kh < o.kernel.height; ++kh) {
    for (Index kw = 0; kw < o.kernel.width; ++kw) {
      const Index ih = oh * o.stride.height + kh - o.padding.top, iw = ow * o.stride.width + kw - o.padding.left;
      if (ih >= 0 && ih < x[2] && iw >= 0 && iw < x[3]) f(ih, iw);
    }
  }
}

template <class T>
struct Definition {
  Tensor<T, 4> largest, largest_gradient, mean, mean_gradient;

  Definition(const Pool2DOptions& o, const Tensor<T, 4>& x, const Tensor<T, 4>& dy)
      : largest(dy.shape()), largest_gradient(x.shape()), mean(dy.shape()), mean_gradient(x.shape()) {
    const T area = T(o.kernel.height * o.kernel.width);
    for (Index n = 0; n < dy.shape(0); ++n) {
      for (Index oh = 0; oh < dy.shape(2); ++oh) {
        for (Index ow = 0; ow < dy.shape(3); ++ow) {
          Index h = -1, w = -1;
          T sum(0);
          for_each_pixel(o, x.shape(), oh, ow, [&](Index ih, Index iw) {
            const T value = x(n, 0, ih, iw);
            if (h < 0 || value > x(n, 0, h, w) || (std::isnan(value) && !std::isnan(x(n, 0, h, w)))) h = ih, w = iw;
            sum += value;
            mean_gradient(n, 0, ih, iw) += dy(n, 0, oh, ow) / area;
          });
          largest(n, 0, oh, ow) = x(n, 0, h, w);
          largest_gradient(n, 0, h, w) += dy(n, 0, oh, ow);
          mean(n, 0, oh, ow) = sum / area;
        }
      }
    }
  }
};

/// Bits, so that zeros have a sign and every NaN is one.
template <class T>
std::vector<int> classes(const Tensor<T, 4>& x) {
  std::vector<int> all;
  for (Index i = 0; i < x.size(); ++i) all.push_back(std::fpclassify(x.data()[i]) * 2 + std::signbit(x.data()[i]));
  return all;
}

}  // namespace

TEMPLATE_TEST_CASE("Windows in rows of every length are pooled as defined", "", float, double, long double) {
  using T = TestType;
  for (const auto& o : windows) {
    for (Index IW = 4; IW <= 70; ++IW) {
      const Index IH = 4 + IW % 3;
      const auto x = integers<T>({2, 1, IH, IW}, 1, 2);
      MaxPool2D<T> max_pool(o);
      AvgPool2D<T> mean_pool(o);
      const Tensor<T, 4>& y = max_pool.forward(x);
      auto dy = integers<T>(y.shape(), 2, 8);
      dy.array() *= T(o.kernel.height * o.kernel.width);  // so that shares are integers
      INFO("kernel " << to_string(o.kernel) << ", stride " << to_string(o.stride) << ", x " << to_string(x.shape()));
      const Definition<T> expected(o, x, dy);
      CHECK_THAT(y, equals(expected.largest));
      CHECK_THAT(max_pool.backward(dy), equals(expected.largest_gradient));
      CHECK_THAT(mean_pool.forward(x), equals(expected.mean));
      CHECK_THAT(mean_pool.backward(dy), equals(expected.mean_gradient));

      // The same from views with gaps.
      Tensor<T, 4> wide({2, 2, IH, 2 * IW}), wide_dy({2, 1, y.shape(2), 2 * y.shape(3)});
      const TensorView<T, 4> part(wide.data(), x.shape(), {wide.stride(0), wide.stride(1), wide.stride(2), 2});
      const TensorView<T, 4> dy_part(wide_dy.data(), dy.shape(),
                                     {wide_dy.stride(0), wide_dy.stride(1), wide_dy.stride(2), 2});
      test::copy_into(part, x);
      test::copy_into(dy_part, dy);
      CHECK_THAT(max_pool.forward(part), equals(expected.largest));
      CHECK_THAT(max_pool.backward(dy_part), equals(expected.largest_gradient));
      CHECK_THAT(mean_pool.forward(part), equals(expected.mean));
      CHECK_THAT(mean_pool.backward(dy_part), equals(expected.mean_gradient));
    }
  }
}

TEMPLATE_TEST_CASE("In vectors too a NaN is the largest, and of zeros the first counts with its sign", "", float,
                   double) {
  using T = TestType;
  const T values[] = {T(0), T(-0.0), T(-1), std::numeric_limits<T>::quiet_NaN(), -std::numeric_limits<T>::infinity()};
  for (const auto& o : windows) {
    Random random(3);
    Tensor<T, 4> x({1, 1, 9, 41});
    test::fill_with(x.view(), [&] { return values[random.below(5)]; });
    MaxPool2D<T> pool(o);
    const Tensor<T, 4>& y = pool.forward(x);
    Tensor<T, 4> dy(y.shape());
    test::fill_with(dy.view(), [&] { return random.below(2) == 0 ? -0.0 : 1.0; });
    INFO("kernel " << to_string(o.kernel) << ", stride " << to_string(o.stride));
    const Definition<T> expected(o, x, dy);
    CHECK(classes(y) == classes(expected.largest));
    CHECK(classes(pool.backward(dy)) == classes(expected.largest_gradient));
    CHECK_THAT(pool.backward(dy), equals(expected.largest_gradient));
  }
}

TEST_CASE("The mean of a whole image is the same bits for any number of threads") {
  Random random(4);
  Tensor<float, 4> x({3, 5, 33, 37});
  test::fill_normal(x.view(), random);
  Tensor<float, 4> first;
  for (int n = 1; n <= 8; ++n) {
    const test::ThreadCount threads(n);
    auto pool = AvgPool2D<float>::global();
    if (n == 1) first = pool.forward(x);
    CHECK_THAT(pool.forward(x), equals(first));
  }
}
