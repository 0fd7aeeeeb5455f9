// SPDX-License-Identifier: MIT
// After the first call with a shape, neither forward, backward nor update asks for memory.
#include <unfold/unfold.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/fill.hpp"
#include "support/thread_count.hpp"

using namespace unfold;
using test::allocations_of;

namespace {

struct Case {
  const char* name;
  Shape<4> x;
  Conv2DOptions options;
};

std::vector<Case> cases() {
  std::vector<Case> list{
      {"dense", {3, 5, 12, 13}, {.in_channels = 5, .out_channels = 7, .kernel = {3, 3}, .padding = {1, 1, 1, 1}}},
      {"without bias", {2, 3, 9, 8}, {.in_channels = 3, .out_channels = 4, .kernel = {2, 3}, .bias = false}},
      {"1x1", {2, 6, 9, 8}, {.in_channels = 6, .out_channels = 4}},
      {"strided and dilated",
       {2, 3, 17, 19},
       {.in_channels = 3, .out_channels = 4, .kernel = {3, 2}, .stride = {2, 3}, .dilation = {2, 1}}},
      {"grouped", {2, 6, 9, 8}, {.in_channels = 6, .out_channels = 8, .kernel = {3, 3}, .groups = 2}},
      {"depthwise", {2, 9, 9, 8}, {.in_channels = 9, .out_channels = 9, .kernel = {3, 3}, .groups = 9}},
      {"several blocks", {2, 45, 30, 31}, {.in_channels = 45, .out_channels = 120, .kernel = {3, 3}}},
      {"standard batch norm",
       {3, 4, 9, 8},
       {.in_channels = 4, .out_channels = 6, .kernel = {3, 3}, .batch_norm = BatchNorm::standard}},
      {"darknet batch norm and leaky",
       {3, 4, 9, 8},
       {.in_channels = 4,
        .out_channels = 6,
        .kernel = {3, 3},
        .groups = 2,
        .batch_norm = BatchNorm::darknet,
        .activation = Activation::leaky}}};
  for (int f = 0; f <= static_cast<int>(Activation::gelu); ++f) {
    list.push_back({"activation",
                    {2, 3, 6, 7},
                    {.in_channels = 3, .out_channels = 4, .kernel = {3, 3}, .activation = static_cast<Activation>(f)}});
  }
  return list;
}

constexpr SgdArgs args{.learning_rate = 0.01, .momentum = 0.9, .decay = 0.001, .batch = 2};

}  // namespace

TEMPLATE_TEST_CASE("A training step after the first asks for no memory, with one thread or several", "", float,
                   double) {
  for (const int threads : {1, 4}) {
    const test::ThreadCount set(threads);
    for (const Case& c : cases()) {
      CAPTURE(threads, c.name, static_cast<int>(c.options.activation));
      Conv2D<TestType> layer(c.options);
      layer.initialize(1);
      Random random(2);
      Tensor<TestType, 4> x(c.x);
      test::fill_normal(x.view(), random);
      const auto step = [&] {
        const auto& y = layer.forward(x);
        layer.backward(y);
        layer.update(args);
      };
      step();
      const auto later = allocations_of([&] {
        step();
        step();
      });
      CHECK(later.pieces == 0);
    }
  }
}

TEST_CASE("Smaller batches, inference, and backward without dx take the memory that is there") {
  for (const int threads : {1, 4}) {
    const test::ThreadCount set(threads);
    for (const Case& c : cases()) {
      CAPTURE(threads, c.name, static_cast<int>(c.options.activation));
      Conv2D<float> layer(c.options);
      layer.initialize(1);
      Random random(2);
      Tensor<float, 4> x(c.x);
      test::fill_normal(x.view(), random);
      const auto part = x.slice(0, 1, c.x[0] - 1);
      layer.backward(layer.forward(x));
      const auto later = allocations_of([&] {
        layer.forward(part, Mode::inference);
        layer.forward(part);
        layer.backward(layer.forward(part), InputGradient::skip);
        layer.update(args);
        layer.backward(layer.forward(x));
        layer.forward(x, Mode::inference);
      });
      CHECK(later.pieces == 0);
    }
  }
}

TEST_CASE("Reading parameters and visiting the state asks for no memory") {
  Conv2D<float> layer({.in_channels = 4, .out_channels = 6, .batch_norm = BatchNorm::standard});
  Index elements = 0;
  const auto none = allocations_of([&] {
    layer.visit_state([&](std::string_view, const auto& view) { elements += view.size(); });
    layer.visit_parameters(
        [&](std::string_view, const auto& value, const auto& gradient) { elements += value.size() + gradient.size(); });
    elements += layer.weights().size() + layer.bias_gradient().size();
  });
  CHECK(none.pieces == 0);
  CHECK(elements == 2 * 24 + 6 * 6 + 2 * (24 + 6 + 6) + 24 + 6);
}

TEST_CASE("The products without a layer ask for no memory once each thread has its workspace") {
  for (const int threads : {1, 4}) {
    const test::ThreadCount set(threads);
    for (const Case& c : cases()) {
      CAPTURE(threads, c.name);
      const Conv2DGeometry g = conv2d_geometry("test", c.options, c.x);
      const auto data = test::normal_data<float>(g, 1);
      Tensor<float, 4> y(g.y_shape()), dx(g.x_shape()), dw(g.w_shape());
      const auto products = [&] {
        conv2d_forward(data.x, data.w, c.options, y);
        conv2d_backward_input(data.dy, data.w, c.options, dx);
        conv2d_backward_weights(data.x, data.dy, c.options, dw);
        conv2d_forward(data.x, data.w, c.options, y, 1.0f);
        conv2d_backward_input(data.dy, data.w, c.options, dx, 0.5f);
        conv2d_backward_weights(data.x, data.dy, c.options, dw, 1.0f);
      };
      products();
      CHECK(allocations_of(products).pieces == 0);
    }
  }
}
