// SPDX-License-Identifier: MIT
// Where memory runs out, at whichever allocation of a layer's or a network's first step, std::bad_alloc comes out, the
// parameters are what they were, and the same step can be taken then.
#include "support/allocation_failure.hpp"
#include "support/fill.hpp"

#include <unfold/unfold.hpp>

#include <functional>

using namespace unfold;
using test::for_each_failing_allocation;

namespace {

using Bits = std::vector<float>;

template <class View>
void append(Bits& bits, const View& view) {
  view.for_each_run([&](const float* run, Index n, Index step) {
    for (Index i = 0; i < n; ++i) bits.push_back(run[i * step]);
  });
}

template <class Layer>
Bits parameters(Layer& layer) {
  Bits bits;
  layer.visit_parameters([&](std::string_view, const auto& value, const auto&) { append(bits, value); });
  return bits;
}

/// Compared so that a failure prints one place, not both lists.
std::ptrdiff_t first_difference(const Bits& a, const Bits& b) {
  if (a.size() != b.size()) return 0;
  const auto place = std::mismatch(a.begin(), a.end(), b.begin()).first - a.begin();
  return place == static_cast<std::ptrdiff_t>(a.size()) ? -1 : place;
}

constexpr SgdArgs args{.learning_rate = 0.01, .momentum = 0.9, .decay = 0.001, .batch = 2};

/// A layer, its input, and what has been done with it.
template <class Layer>
struct Training {
  Layer layer;
  Tensor<float, 4> x;

  /// y, dx, all gradients and the parameters after the update, of a step whose gradients begin at zero.
  Bits step() {
    layer.visit_parameters([](std::string_view, const auto&, const auto& gradient) { gradient.fill(0); });
    Bits bits;
    const auto& y = layer.forward(x);
    append(bits, y.view());
    append(bits, layer.backward(y).view());
    layer.visit_parameters([&](std::string_view, const auto&, const auto& gradient) { append(bits, gradient); });
    layer.update(args);
    const Bits after = parameters(layer);
    bits.insert(bits.end(), after.begin(), after.end());
    return bits;
  }
};

/// Each phase of the first step with every allocation failing once.
template <class Make>
void check(const Shape<4>& shape, const Make& make) {
  using Layer = decltype(make());
  const auto made = [&] {
    Training<Layer> t{make(), Tensor<float, 4>(shape)};
    Random random(2);
    test::fill_normal(t.x.view(), random);
    return t;
  };
  const auto initialized = [&] {
    auto t = made();
    t.layer.initialize(1);
    return t;
  };
  const auto forwarded = [&] {
    auto t = initialized();
    t.layer.forward(t.x);
    return t;
  };
  auto whole = initialized();
  const Bits start = parameters(whole.layer), expected = whole.step();
  REQUIRE(std::count(expected.begin(), expected.end(), 0.0f) < static_cast<std::ptrdiff_t>(expected.size()) / 2);

  for (const int threads : {1, 3}) {
    const auto unchanged = [&](auto& t, bool thrown) {
      if (thrown) CHECK(first_difference(parameters(t.layer), start) == -1);
      CHECK(first_difference(t.step(), expected) == -1);
    };
    const auto again = [&](auto& t, bool) {
      t.layer.initialize(1);
      CHECK(first_difference(t.step(), expected) == -1);
    };
    const auto nothing = [](int, bool) {};
    CHECK(for_each_failing_allocation(threads, [] { return 0; }, [&](int) { make(); }, nothing) > 0);
    CHECK(for_each_failing_allocation(threads, made, [](auto& t) { t.layer.initialize(1); }, again) > 0);
    CHECK(for_each_failing_allocation(threads, initialized, [](auto& t) { t.layer.forward(t.x); }, unchanged) > 0);
    CHECK(for_each_failing_allocation(
              threads, forwarded,
              [](auto& t) {
                const Tensor<float, 4>& y = t.layer.forward(t.x);
                t.layer.backward(y);
              },
              unchanged) > 0);
    CHECK(for_each_failing_allocation(
              threads, initialized,
              [](auto& t) {
                t.layer.backward(t.layer.forward(t.x));
                t.layer.update(args);
              },
              [&](auto& t, bool thrown) {
                if (thrown) unchanged(t, thrown);
              }) > 0);
  }
}

Conv2DOptions conv(BatchNorm batch_norm, Activation f, Index groups) {
  return {.in_channels = 6,
          .out_channels = 6,
          .kernel = {3, 2},
          .padding = {1, 1, 0, 1},
          .groups = groups,
          .batch_norm = batch_norm,
          .activation = f};
}

}  // namespace

TEST_CASE("A convolution that gets no memory keeps its parameters, and works when there is memory again") {
  const Shape<4> x{3, 6, 7, 5};
  check(x, [] { return Conv2D<float>(conv(BatchNorm::none, Activation::linear, 1)); });
  check(x, [] { return Conv2D<float>(conv(BatchNorm::none, Activation::leaky, 6)); });
  check(x, [] { return Conv2D<float>(conv(BatchNorm::standard, Activation::gelu, 2)); });
}

TEST_CASE("A convolution that gets no memory to begin anew keeps its weights") {
  const auto prepare = [] {
    Conv2D<float> layer(conv(BatchNorm::standard, Activation::linear, 1));
    layer.initialize(1);
    return layer;
  };
  auto whole = prepare();
  const Bits start = parameters(whole);
  const auto judge = [&](Conv2D<float>& layer, bool thrown) { CHECK((parameters(layer) == start) == thrown); };
  CHECK(for_each_failing_allocation(1, prepare, [](auto& layer) { layer.initialize(5); }, judge) > 0);
}

TEST_CASE("A network that gets no memory keeps its parameters, and works when there is memory again") {
  check({3, 6, 8, 6}, [] {
    return Sequential(Conv2D<float>(conv(BatchNorm::standard, Activation::relu, 3)),
                      Residual(Sequential(Conv2D<float>(conv(BatchNorm::none, Activation::linear, 1)))),
                      MaxPool2D<float>({.kernel = {2, 2}}), AvgPool2D<float>({.kernel = {2, 2}}),
                      Sequential(Conv2D<float>({.in_channels = 6, .out_channels = 4, .activation = Activation::silu})));
  });
}

TEST_CASE("A pooling layer whose threads got no memory forgets the image before") {
  const Tensor<float, 4> large({1, 5, 12, 12}, 1.0f), small({2, 3, 2, 2}, 1.0f), dy({1, 5, 6, 6}, 1.0f);
  const auto prepare = [&] {
    set_threads(1);  // no pool yet
    MaxPool2D<float> pool({.kernel = {2, 2}});
    pool.forward(large);
    set_threads(3);
    return pool;
  };
  const auto judge = [&](MaxPool2D<float>& pool, bool thrown) {
    if (thrown) CHECK_THROWS_AS(pool.backward(dy), StateError);
    CHECK(pool.forward(large).array().sum() == 5 * 36);
    CHECK(pool.backward(dy).array().sum() == 5 * 36);
  };
  CHECK(for_each_failing_allocation(3, prepare, [&](auto& pool) { pool.forward(small); }, judge) > 0);
}
