// SPDX-License-Identifier: MIT
// The bits of every result are the same for any number of threads, in any run, at any address, and for an image in a
// batch as for the image alone. The numbers are real, so another order of any sum would show.
#include <unfold/nn/conv2d.hpp>

#include "support/catch.hpp"
#include "support/fill.hpp"
#include "support/shared_data.hpp"
#include "support/thread_count.hpp"

#include <cstring>  // std::memcmp

using namespace unfold;
using test::ThreadCount;

namespace {

/// The named problems, and larger ones of several blocks or tasks along every axis.
std::vector<test::Problem> problems() {
  auto list = test::problems();
  list.push_back(
      {.name = "many_blocks", .x = {3, 47, 29, 31}, .out_channels = 117, .kernel = {3, 3}, .padding = {1, 1, 1, 1}});
  list.push_back({.name = "one_image", .x = {1, 5, 61, 43}, .out_channels = 19, .kernel = {5, 4}, .stride = {2, 1}});
  list.push_back({.name = "many_groups", .x = {5, 66, 13, 11}, .out_channels = 99, .kernel = {3, 2}, .groups = 33});
  list.push_back({.name = "many_depthwise",
                  .x = {2, 37, 23, 19},
                  .out_channels = 37,
                  .kernel = {3, 3},
                  .padding = {1, 1, 1, 1},
                  .groups = 37});
  list.push_back({.name = "few_groups",
                  .x = {2, 21, 17, 18},
                  .out_channels = 27,
                  .kernel = {3, 3},
                  .dilation = {2, 1},
                  .groups = 3});
  // So many images in a block that its padded copy would not hold the channels that it holds of one image.
  list.push_back({.name = "many_tiny_images",
                  .x = {300, 190, 2, 3},
                  .out_channels = 31,
                  .kernel = {4, 5},
                  .stride = {3, 3},
                  .padding = {2, 1, 3, 1}});
  // So many channels that the padding beside a tap is spared or not, as the images of a tile are counted.
  for (const Index width : {3, 7}) {
    list.push_back({.name = "pairs_of_images",
                    .x = {3, 40, width, width},
                    .out_channels = 32,
                    .kernel = {3, 3},
                    .padding = {1, 1, 1, 1}});
  }
  list.push_back({.name = "wide_1x1", .x = {2, 131, 14, 15}, .out_channels = 259});
  return list;
}

/// All that a layer computes in a training step, one after the other.
template <class T>
using Bits = std::vector<T>;

template <class T, class View>
void append(Bits<T>& bits, const View& view) {
  ReadableView<View>(view).for_each_run([&](const T* run, Index n, Index step) {
    for (Index i = 0; i < n; ++i) bits.push_back(run[i * step]);
  });
}

template <class T>
bool same(const Bits<T>& a, const Bits<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

/// y, dx, dw, db and dscales of one step, and the state after `updates`.
template <class T, class X>
Bits<T> train(const Conv2DOptions& options, const X& x, int updates) {
  Conv2D<T> layer(options);
  layer.initialize(7);
  Bits<T> bits;
  for (int i = 0; i < updates; ++i) {
    const auto& y = layer.forward(x);
    const auto& dx = layer.backward(y);  // of the loss |y|^2 / 2
    if (i == 0) {
      append(bits, y);
      append(bits, dx);
      append(bits, layer.weight_gradient());
      append(bits, layer.bias_gradient());
      append(bits, layer.scale_gradient());
    }
    layer.update({.learning_rate = 1e-4, .momentum = 0.9, .decay = 1e-3, .batch = x.shape(0)});
  }
  layer.visit_state([&](std::string_view, const auto& view) { append(bits, view); });
  return bits;
}

template <class T>
Tensor<T, 4> normal(const Shape<4>& shape, std::uint64_t seed) {
  Random random(seed);
  Tensor<T, 4> x(shape);
  test::fill_normal(x.view(), random);
  return x;
}

/// The numbers of threads to compare: some, or in the long tests 1 to 16, and 64.
std::vector<int> thread_counts() {
  if (!test::long_tests()) return {1, 2, 3, 4, 8};
  return {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 64};
}

}  // namespace

TEMPLATE_TEST_CASE("A step, and the weights after several updates, have the same bits for every number of threads", "",
                   float, double) {
  using T = TestType;
  for (const auto& problem : problems()) {
    INFO(problem);
    const auto x = normal<T>(problem.x, 1);
    const bool large = problem.geometry().P() * problem.geometry().K() > 100000;
    const int updates = test::long_tests() ? (large ? 10 : 50) : large ? 2 : 20;
    Bits<T> expected;
    for (const int n : thread_counts()) {
      CAPTURE(n);
      const ThreadCount set(n);
      const auto bits = train<T>(problem.options(), x, updates);
      if (n == 1) expected = bits;
      CHECK(same(bits, expected));
    }
    CHECK(std::count(expected.begin(), expected.end(), expected.front()) <
          static_cast<std::ptrdiff_t>(expected.size()));
  }
}

TEMPLATE_TEST_CASE("Updates with batch norm and activations have the same bits for every number of threads", "", float,
                   double) {
  using T = TestType;
  const auto x = normal<T>({3, 12, 11, 9}, 1);
  for (const BatchNorm batch_norm : {BatchNorm::none, BatchNorm::standard, BatchNorm::darknet}) {
    for (const Activation f : {Activation::leaky, Activation::logistic, Activation::gelu}) {
      const Conv2DOptions options{.in_channels = 12,
                                  .out_channels = 18,
                                  .kernel = {3, 2},
                                  .groups = f == Activation::gelu ? 6 : 1,
                                  .batch_norm = batch_norm,
                                  .activation = f};
      CAPTURE(static_cast<int>(batch_norm), static_cast<int>(f));
      Bits<T> expected;
      for (const int n : thread_counts()) {
        const ThreadCount set(n);
        const auto bits = train<T>(options, x, test::long_tests() ? 50 : 20);
        if (n == 1) expected = bits;
        CHECK(same(bits, expected));
      }
    }
  }
}

TEMPLATE_TEST_CASE("The bits do not depend on the run, on where x lies, or on its strides", "", float, double) {
  using T = TestType;
  const ThreadCount set(3);
  auto problems = test::problems();
  problems.push_back({.name = "1x1_of_images_on_their_own", .x = {2, 17, 9, 8}, .out_channels = 40});
  problems.push_back({.name = "1x1_few_filters", .x = {1, 256, 40, 220}, .out_channels = 3});
  problems.push_back({.name = "1x1_few_filters_of_small_images", .x = {2, 7, 17, 18}, .out_channels = 3});
  problems.push_back({.name = "1x1_few_channels", .x = {2, 3, 33, 35}, .out_channels = 9});
  for (const auto& problem : problems) {
    INFO(problem);
    const auto x = normal<T>(problem.x, 1);
    const auto expected = train<T>(problem.options(), x, 2);
    CHECK(same(train<T>(problem.options(), x, 2), expected));
    Tensor<T, 1> memory({16 + 2 * x.size()});
    for (const Index offset : {1, 3, 8, 15}) {
      const TensorView<T, 4> moved(memory.data() + offset, x.shape());
      std::copy_n(x.data(), x.size(), moved.data());
      CHECK(same(train<T>(problem.options(), moved, 2), expected));
    }
    Shape<4> stride = x.strides();
    for (Index& step : stride) step *= 2;
    const TensorView<T, 4> spread(memory.data(), x.shape(), stride);
    const T* next = x.data();
    test::fill_with(spread, [&] { return *next++; });
    CHECK(same(train<T>(problem.options(), spread, 2), expected));
  }
}

TEMPLATE_TEST_CASE("An image has the same y and dx in a batch and alone", "", float, double) {
  using T = TestType;
  for (const auto& problem : problems()) {
    INFO(problem);
    const auto x = normal<T>(problem.x, 1);
    const auto dy = normal<T>(problem.geometry().y_shape(), 2);
    Conv2D<T> batch(problem.options()), alone(problem.options());
    batch.initialize(7);
    alone.initialize(7);
    const auto& y = batch.forward(x);
    const auto& dx = batch.backward(dy);
    for (Index n = 0; n < problem.x[0]; ++n) {
      Bits<T> in_batch, by_itself;
      append(in_batch, y.slice(0, n, 1));
      append(in_batch, dx.slice(0, n, 1));
      const auto image = x.slice(0, n, 1);
      append(by_itself, alone.forward(image));
      append(by_itself, alone.backward(dy.slice(0, n, 1)));
      CHECK(same(in_batch, by_itself));
    }
  }
}

TEST_CASE("Layers of several user threads at once give the bits of one") {
  const ThreadCount set(2);
  const auto problem = problems().back();
  const auto x = normal<float>(problem.x, 1);
  const auto expected = train<float>(problem.options(), x, 3);
  std::vector<std::thread> users;
  std::atomic<int> equal = 0;
  for (int u = 0; u < 4; ++u) {
    users.emplace_back([&] { equal += same(train<float>(problem.options(), x, 3), expected); });
  }
  for (auto& user : users) user.join();
  CHECK(equal == 4);
}
