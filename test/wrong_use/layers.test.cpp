// SPDX-License-Identifier: MIT
#include "wrong_use/wrong_call.hpp"

#include <unfold/nn/conv2d.hpp>
#include <unfold/nn/dense.hpp>
#include <unfold/nn/flatten.hpp>
#include <unfold/nn/loss.hpp>
#include <unfold/nn/pooling.hpp>
#include <unfold/nn/residual.hpp>
#include <unfold/nn/sequential.hpp>

using namespace unfold;
using test::huge;
using test::infinite;

namespace {

constexpr SgdArgs update{.learning_rate = 0.01, .momentum = 0.5, .decay = 0.01, .batch = 2};
const double not_a_number = std::numeric_limits<double>::quiet_NaN();

Conv2DOptions conv(BatchNorm batch_norm = BatchNorm::none) {
  return {.in_channels = 4, .out_channels = 4, .kernel = {3, 3}, .padding = {1, 1, 1, 1}, .batch_norm = batch_norm};
}

/// Layers of every kind in the midst of training: forward and backward have been called, and update once.
struct Layers {
  Tensor<float, 4> x = test::counted(Shape{2, 4, 5, 6}), dy = test::counted(Shape{2, 4, 5, 6}),
                   dp = test::counted(Shape{2, 4, 2, 3}), dg = test::counted(Shape{2, 4, 1, 1}),
                   one = test::counted(Shape{1, 4, 1, 1});
  Tensor<float, 2> r = test::counted(Shape{3, 4}), dr = test::counted(Shape{3, 5});
  Tensor<float, 1> four = test::counted(Shape<1>(4)), dscales = four, dbias = four, three = test::counted(Shape<1>(3));
  Tensor<Index, 1> labels{{3}, 1};
  Conv2D<float> conv2d{conv()}, normed{conv(BatchNorm::standard)};
  Dense<float> dense{{.inputs = 4, .outputs = 5, .activation = Activation::tanh}};
  MaxPool2D<float> max{{.kernel = {2, 2}}};
  AvgPool2D<float> avg{{.kernel = {2, 2}}}, global = AvgPool2D<float>::global();
  Flatten<float> flatten;
  Residual<Conv2D<float>> residual{Conv2D<float>(conv())};
  Residual<Conv2D<float>, MaxPool2D<float>> unlike{Conv2D<float>(conv()), MaxPool2D<float>({.kernel = {2, 2}})};
  Sequential<Conv2D<float>, MaxPool2D<float>> net{conv2d, max};
  BatchNormalization<float> norm{BatchNorm::standard, 4};
  SoftmaxCrossEntropy<float> loss;
  Parameter<float, 1> parameter{Shape<1>(3)};
  // These have seen no training forward.
  Conv2D<float> new_conv{conv()};
  Dense<float> new_dense{{.inputs = 4, .outputs = 5}};
  MaxPool2D<float> new_max{{.kernel = {2, 2}}};
  AvgPool2D<float> new_avg{{.kernel = {2, 2}}};
  Flatten<float> new_flatten;
  Residual<Conv2D<float>> new_residual{Conv2D<float>(conv())};
  BatchNormalization<float> new_norm{BatchNorm::darknet, 4};
  SoftmaxCrossEntropy<float> new_loss;

  Layers() {
    std::uint64_t seed = 1;
    for (auto* layer : {&conv2d, &normed, &new_conv}) layer->initialize(seed++);
    for (auto* layer : {&dense, &new_dense}) layer->initialize(seed++);
    residual.initialize(seed++);
    net.initialize(seed++);
    conv2d.forward(x), normed.forward(x), dense.forward(r), max.forward(x), avg.forward(x), global.forward(x);
    flatten.forward(x), residual.forward(x), net.forward(x), loss.forward(r, labels);
    Tensor<float, 4> z = x;
    norm.forward(z, four, four, Mode::training);
    new_conv.forward(x, Mode::inference), new_dense.forward(r, Mode::inference), new_max.forward(x, Mode::inference);
    step();
    conv2d.update(update), normed.update(update), dense.update(update), residual.update(update), net.update(update);
  }

  /// What is right: backward of each, with the input that it keeps.
  void step() {
    results.clear();
    for (auto* layer : {&conv2d, &normed}) test::append(results, layer->backward(dy));
    test::append(results, dense.backward(dr));
    test::append(results, max.backward(dp));
    test::append(results, avg.backward(dp));
    test::append(results, global.backward(dg));
    test::append(results, residual.backward(dy));
    test::append(results, net.backward(dp));
    Tensor<float, 4> dz = dy;
    norm.backward(dz, four, dscales, dbias);
    test::append(results, dz);
    test::append(results, loss.backward());
  }

  std::vector<float> bits() {
    std::vector<float> bits = results;
    for (const auto* tensor : {&x, &dy, &dp, &one}) test::append(bits, *tensor);
    for (const auto* tensor : {&r, &dr}) test::append(bits, *tensor);
    for (const auto* vector : {&four, &dscales, &dbias, &three}) test::append(bits, *vector);
    test::append(bits, labels);
    const auto state = [&](std::string_view, const auto& view) { test::append(bits, view); };
    const auto gradients = [&](std::string_view, const auto&, const auto& gradient) { test::append(bits, gradient); };
    const auto all = [&](auto& layer) {
      layer.visit_state(state);
      layer.visit_parameters(gradients);
    };
    all(conv2d), all(normed), all(dense), all(residual), all(net), all(new_conv), all(new_dense);
    for (const auto& view :
         {std::as_const(norm).running_mean(), std::as_const(norm).running_variance(), norm.mean(), norm.variance()}) {
      test::append(bits, view);
    }
    for (const auto* tensor : {&parameter.value, &parameter.velocity, &parameter.gradient}) test::append(bits, *tensor);
    bits.push_back(static_cast<float>(loss.correct()));
    return bits;
  }

  std::vector<float> results;
};

const test::WrongCalls<Layers> layer_calls{
    // Conv2D.
    {"unfold::Conv2D: activation must be one of the 16, got 16",
     [](auto&) {
       const Conv2D<float> c({.in_channels = 4, .out_channels = 4, .activation = static_cast<Activation>(16)});
     }},
    {"unfold::Conv2D::forward: x must be [N, 4, IH, IW] with IH, IW >= 1, got [2, 3, 5, 6]",
     [](auto& s) { s.conv2d.forward(s.x.slice(1, 0, 3)); }},
    {"unfold::Conv2D::forward: x must be [N, 4, IH, IW] with IH, IW >= 1, got [2, 4, 0, 6]",
     [](auto& s) { s.conv2d.forward(s.x.slice(2, 0, 0)); }},
    {"unfold::Conv2D::forward: x must be [N, 4, IH, IW] with IH, IW >= 1, got [2, 4, 5, 0]",
     [](auto& s) { s.conv2d.forward(s.x.slice(3, 5, 0), Mode::inference); }},
    {"unfold::Conv2D::forward: batch normalisation in training needs N*OH*OW >= 2, got x [1, 4, 1, 1]",
     [](auto& s) { s.normed.forward(s.one); }},
    {"unfold::Conv2D::forward: batch normalisation in training needs N*OH*OW >= 2, got x [0, 4, 5, 6]",
     [](auto& s) { s.normed.forward(s.x.slice(0, 0, 0)); }},
    {"unfold::Conv2D::backward: dy must be [2, 4, 5, 6], got [2, 4, 2, 3]", [](auto& s) { s.conv2d.backward(s.dp); }},
    {"unfold::Conv2D::backward: dy must be [2, 4, 5, 6], got [1, 4, 5, 6]",
     [](auto& s) { s.conv2d.backward(s.dy.slice(0, 0, 1)); }},
    {"unfold::Conv2D::backward: dy must be [2, 4, 5, 6], got [2, 3, 5, 6]",
     [](auto& s) { s.normed.backward(s.dy.slice(1, 1, 3)); }},
    {"unfold::Conv2D::backward: dy must be [2, 4, 5, 6], got [2, 4, 5, 5]",
     [](auto& s) { s.conv2d.backward(s.dy.slice(3, 0, 5), InputGradient::skip); }},
    {"unfold::Conv2D::update: learning_rate must be finite, got inf",
     [](auto& s) { s.conv2d.update({.learning_rate = infinite}); }},
    {"unfold::Conv2D::update: learning_rate must be finite, got nan",
     [](auto& s) { s.conv2d.update({.learning_rate = not_a_number}); }},
    {"unfold::Conv2D::update: momentum must be finite and >= 0, got -0.500000",
     [](auto& s) { s.conv2d.update({.learning_rate = 1, .momentum = -0.5}); }},
    {"unfold::Conv2D::update: momentum must be finite and >= 0, got inf",
     [](auto& s) { s.conv2d.update({.learning_rate = 1, .momentum = infinite}); }},
    {"unfold::Conv2D::update: decay must be finite and >= 0, got -1.000000",
     [](auto& s) { s.conv2d.update({.learning_rate = 1, .decay = -1}); }},
    {"unfold::Conv2D::update: decay must be finite and >= 0, got nan",
     [](auto& s) { s.conv2d.update({.learning_rate = 1, .decay = not_a_number}); }},
    {"unfold::Conv2D::update: batch must be >= 1, got 0",
     [](auto& s) { s.conv2d.update({.learning_rate = 1, .batch = 0}); }},
    {"unfold::Conv2D::update: batch must be >= 1, got -3",
     [](auto& s) { s.conv2d.update({.learning_rate = 1, .batch = -3}); }},
    // Dense.
    {"unfold::Dense: inputs must be >= 1, got 0", [](auto&) { const Dense<float> d({.inputs = 0, .outputs = 5}); }},
    {"unfold::Dense: inputs must be >= 1, got -4", [](auto&) { const Dense<float> d({.inputs = -4, .outputs = 5}); }},
    {"unfold::Dense: outputs must be >= 1, got 0", [](auto&) { const Dense<float> d({.inputs = 4, .outputs = 0}); }},
    {"unfold::Tensor: the size in bytes must fit 63 bits, got [5, 4611686018427387904]",
     [](auto&) { const Dense<float> d({.inputs = huge, .outputs = 5}); }},
    {"unfold::Dense: activation must be one of the 16, got 20",
     [](auto&) { const Dense<float> d({.inputs = 4, .outputs = 5, .activation = static_cast<Activation>(20)}); }},
    {"unfold::Dense::forward: x must be [N, 4] with N >= 1, got [0, 4]",
     [](auto& s) { s.dense.forward(s.r.slice(0, 0, 0)); }},
    {"unfold::Dense::forward: x must be [N, 4] with N >= 1, got [3, 3]",
     [](auto& s) { s.dense.forward(s.r.slice(1, 0, 3)); }},
    {"unfold::Dense::backward: dy must be [3, 5], got [2, 5]", [](auto& s) { s.dense.backward(s.dr.slice(0, 0, 2)); }},
    {"unfold::Dense::backward: dy must be [3, 5], got [3, 4]", [](auto& s) { s.dense.backward(s.r); }},
    {"unfold::Dense::update: learning_rate must be finite, got -inf",
     [](auto& s) { s.dense.update({.learning_rate = -infinite}); }},
    {"unfold::Dense::update: momentum must be finite and >= 0, got nan",
     [](auto& s) { s.dense.update({.learning_rate = 1, .momentum = not_a_number}); }},
    {"unfold::Dense::update: decay must be finite and >= 0, got inf",
     [](auto& s) { s.dense.update({.learning_rate = 1, .decay = infinite}); }},
    {"unfold::Dense::update: batch must be >= 1, got -4611686018427387904",
     [](auto& s) { s.dense.update({.learning_rate = 1, .batch = -huge}); }},
    // Pooling.
    {"unfold::MaxPool2D::forward: kernel must be in [1, 2^31) on each axis, got {0, 2}",
     [](auto& s) { MaxPool2D<float>({.kernel = {0, 2}}).forward(s.x); }},
    {"unfold::MaxPool2D::forward: kernel must be in [1, 2^31) on each axis, got {2, 4611686018427387904}",
     [](auto& s) { MaxPool2D<float>({.kernel = {2, huge}}).forward(s.x); }},
    {"unfold::MaxPool2D::forward: stride must be in [1, 2^31) on each axis, got {0, 1}",
     [](auto& s) { MaxPool2D<float>({.kernel = {2, 2}, .stride = {0, 1}}).forward(s.x); }},
    {"unfold::MaxPool2D::forward: stride must be in [1, 2^31) on each axis, got {1, -1}",
     [](auto& s) { MaxPool2D<float>({.kernel = {2, 2}, .stride = {1, -1}}).forward(s.x); }},
    {"unfold::MaxPool2D::forward: padding must be >= 0 and smaller than kernel {2, 2}, got {2, 0, 0, 0}",
     [](auto& s) { MaxPool2D<float>({.kernel = {2, 2}, .padding = {2, 0, 0, 0}}).forward(s.x); }},
    {"unfold::MaxPool2D::forward: padding must be >= 0 and smaller than kernel {2, 2}, got {0, 0, 0, -1}",
     [](auto& s) { MaxPool2D<float>({.kernel = {2, 2}, .padding = {0, 0, 0, -1}}).forward(s.x); }},
    {"unfold::MaxPool2D::forward: kernel {6, 1} must fit the image with padding {0, 0, 0, 0}, got x [2, 4, 5, 6]",
     [](auto& s) { MaxPool2D<float>({.kernel = {6, 1}}).forward(s.x); }},
    {"unfold::AvgPool2D::forward: kernel must be in [1, 2^31) on each axis, got {-1, 2}",
     [](auto& s) { AvgPool2D<float>({.kernel = {-1, 2}}).forward(s.x); }},
    {"unfold::AvgPool2D::forward: stride must be in [1, 2^31) on each axis, got {4611686018427387904, 1}",
     [](auto& s) { AvgPool2D<float>({.kernel = {2, 2}, .stride = {huge, 1}}).forward(s.x); }},
    {"unfold::AvgPool2D::forward: padding must be >= 0 and smaller than kernel {2, 3}, got {0, 0, 3, 0}",
     [](auto& s) { AvgPool2D<float>({.kernel = {2, 3}, .padding = {0, 0, 3, 0}}).forward(s.x); }},
    {"unfold::AvgPool2D::forward: kernel {1, 7} must fit the image with padding {0, 0, 0, 0}, got x [2, 4, 5, 6]",
     [](auto& s) { AvgPool2D<float>({.kernel = {1, 7}}).forward(s.x); }},
    {"unfold::MaxPool2D::forward: kernel {2, 2} must fit the image with padding {0, 0, 0, 0}, got x [2, 4, 1, 6]",
     [](auto& s) { s.max.forward(s.x.slice(2, 0, 1)); }},
    {"unfold::AvgPool2D::forward: kernel {2, 2} must fit the image with padding {0, 0, 0, 0}, got x [2, 4, 5, 0]",
     [](auto& s) { s.avg.forward(s.x.slice(3, 0, 0)); }},
    {"unfold::AvgPool2D::forward: kernel {1, 6} must fit the image with padding {0, 0, 0, 0}, got x [2, 4, 0, 6]",
     [](auto& s) { s.global.forward(s.x.slice(2, 0, 0)); }},
    {"unfold::MaxPool2D::backward: dy must be [2, 4, 2, 3], got [2, 4, 5, 6]", [](auto& s) { s.max.backward(s.dy); }},
    {"unfold::AvgPool2D::backward: dy must be [2, 4, 2, 3], got [1, 4, 2, 3]",
     [](auto& s) { s.avg.backward(s.dp.slice(0, 0, 1)); }},
    {"unfold::AvgPool2D::backward: dy must be [2, 4, 1, 1], got [1, 4, 1, 1]",
     [](auto& s) { s.global.backward(s.one); }},
    // Flatten, Residual, Sequential.
    {"unfold::Flatten::forward: axes from 1 on must lie in one stride (copy the view first), got shape [2, 4, 5, 5] "
     "with strides [120, 30, 6, 1]",
     [](auto& s) { s.flatten.forward(s.x.slice(3, 0, 5)); }},
    {"unfold::Flatten::backward: dy must be [2, 120], got [3, 4]", [](auto& s) { s.flatten.backward(s.r); }},
    {"unfold::Residual::forward: shortcut must give main's shape [2, 4, 5, 6], got [2, 4, 2, 3]",
     [](auto& s) { s.unlike.forward(s.x); }},
    {"unfold::Residual: activation must be one of the 16, got 31",
     [](auto&) { const Residual<Conv2D<float>> r(Conv2D<float>(conv()), static_cast<Activation>(31)); }},
    {"unfold::Residual::backward: dy must be [2, 4, 5, 6], got [2, 4, 2, 3]",
     [](auto& s) { s.residual.backward(s.dp); }},
    {"unfold::Conv2D::update: batch must be >= 1, got 0",
     [](auto& s) { s.residual.update({.learning_rate = 1, .batch = 0}); }},
    {"unfold::Conv2D::forward: x must be [N, 4, IH, IW] with IH, IW >= 1, got [2, 2, 5, 6]",
     [](auto& s) { s.net.forward(s.x.slice(1, 1, 2)); }},
    {"unfold::MaxPool2D::backward: dy must be [2, 4, 2, 3], got [2, 4, 5, 6]", [](auto& s) { s.net.backward(s.dy); }},
    {"unfold::Conv2D::update: momentum must be finite and >= 0, got -1.000000",
     [](auto& s) { s.net.update({.learning_rate = 1, .momentum = -1}); }},
    // BatchNormalization.
    {"unfold::BatchNormalization: kind must be standard or darknet, got none",
     [](auto&) { const BatchNormalization<float> n(BatchNorm::none, 4); }},
    {"unfold::BatchNormalization: kind must be standard or darknet, got 7",
     [](auto&) { const BatchNormalization<float> n(static_cast<BatchNorm>(7), 4); }},
    {"unfold::BatchNormalization: channels must be >= 1, got 0",
     [](auto&) { const BatchNormalization<float> n(BatchNorm::standard, 0); }},
    {"unfold::BatchNormalization: channels must be >= 1, got -4",
     [](auto&) { const BatchNormalization<float> n(BatchNorm::darknet, -4); }},
    {"unfold::BatchNormalization::forward: z must be a contiguous [N, 4, H, W], got [2, 3, 5, 6] with strides [120, "
     "30, 6, 1]",
     [](auto& s) { s.norm.forward(s.x.slice(1, 0, 3), s.four, s.four, Mode::training); }},
    {"unfold::BatchNormalization::forward: z must be a contiguous [N, 4, H, W], got [2, 4, 3, 6] with strides [120, "
     "30, 6, 1]",
     [](auto& s) { s.norm.forward(s.x.slice(2, 0, 3), s.four, s.four, Mode::inference); }},
    {"unfold::BatchNormalization::forward: scales must be [4], got [3]",
     [](auto& s) { s.norm.forward(s.x, s.three, s.four, Mode::training); }},
    {"unfold::BatchNormalization::forward: bias must be [4], got [3]",
     [](auto& s) { s.norm.forward(s.x, s.four, s.three, Mode::training); }},
    {"unfold::BatchNormalization::forward: training needs N*H*W >= 2 samples a channel, got [1, 4, 1, 1]",
     [](auto& s) { s.norm.forward(s.one, s.four, s.four, Mode::training); }},
    {"unfold::BatchNormalization::backward: dy must be [2, 4, 5, 6], got [2, 4, 2, 3]",
     [](auto& s) { s.norm.backward(s.dp, s.four, s.dscales, s.dbias); }},
    {"unfold::BatchNormalization::backward: scales must be [4], got [3]",
     [](auto& s) { s.norm.backward(s.dy, s.three, s.dscales, s.dbias); }},
    {"unfold::BatchNormalization::backward: dscales must be [4], got [3]",
     [](auto& s) { s.norm.backward(s.dy, s.four, s.three, s.dbias); }},
    {"unfold::BatchNormalization::backward: dbias must be [4], got [3]",
     [](auto& s) { s.norm.backward(s.dy, s.four, s.dscales, s.three); }},
    // The loss and the update.
    {"unfold::SoftmaxCrossEntropy::forward: logits must be [N, classes] with classes >= 1, got [3, 0]",
     [](auto& s) { s.loss.forward(s.r.slice(1, 0, 0), s.labels); }},
    {"unfold::SoftmaxCrossEntropy::forward: labels must be [3], got [2]",
     [](auto& s) { s.loss.forward(s.r, s.labels.slice(0, 0, 2)); }},
    {"unfold::SoftmaxCrossEntropy::forward: labels must be in [0, 4), got -1 at index 0",
     [](auto& s) { s.loss.forward(s.r, Tensor<Index, 1>({3}, -1)); }},
    {"unfold::SoftmaxCrossEntropy::forward: labels must be in [0, 4), got 4 at index 0",
     [](auto& s) { s.loss.forward(s.r, Tensor<Index, 1>({3}, 4)); }},
    {"unfold::SoftmaxCrossEntropy::forward: labels must be in [0, 4), got 4611686018427387904 at index 0",
     [](auto& s) { s.loss.forward(s.r, Tensor<Index, 1>({3}, huge)); }},
    {"unfold::sgd_step: learning_rate must be finite, got nan",
     [](auto& s) { sgd_step(s.parameter, {.learning_rate = not_a_number}); }},
    {"unfold::sgd_step: momentum must be finite and >= 0, got -1.000000",
     [](auto& s) { sgd_step(s.parameter, {.learning_rate = 1, .momentum = -1}); }},
    {"unfold::sgd_step: decay must be finite and >= 0, got -1.000000",
     [](auto& s) { sgd_step(s.parameter, {.learning_rate = 1, .decay = -1}); }},
    {"unfold::sgd_step: batch must be >= 1, got 0",
     [](auto& s) { sgd_step(s.parameter, {.learning_rate = 1, .batch = 0}); }},
    {"unfold::Tensor: every extent must be >= 0, got [3, -1]", [](auto&) { const Parameter<float, 2> p({3, -1}); }},
};

const test::WrongCalls<Layers> layer_calls_in_the_wrong_order{
    {"unfold::Conv2D::backward: call forward in training mode first",
     [](auto&) { Conv2D<float>(conv()).backward(Tensor<float, 4>({2, 4, 5, 6})); }},
    {"unfold::Conv2D::backward: call forward in training mode first",
     [](auto& s) { s.new_conv.backward(s.dy); }},  // after inference
    {"unfold::Conv2D::backward: call forward in training mode first",
     [](auto& s) { Conv2D<float>(s.conv2d).backward(s.dy); }},  // a copy keeps no input
    {"unfold::Dense::backward: call forward in training mode first", [](auto& s) { s.new_dense.backward(s.dr); }},
    {"unfold::Dense::backward: call forward in training mode first",
     [](auto& s) { Dense<float>(s.dense).backward(s.dr); }},
    {"unfold::MaxPool2D::backward: call forward in training mode first", [](auto& s) { s.new_max.backward(s.dp); }},
    {"unfold::AvgPool2D::backward: call forward in training mode first", [](auto& s) { s.new_avg.backward(s.dp); }},
    {"unfold::Flatten::backward: call forward in training mode first", [](auto& s) { s.new_flatten.backward(s.r); }},
    {"unfold::Residual::backward: call forward in training mode first", [](auto& s) { s.new_residual.backward(s.dy); }},
    {"unfold::BatchNormalization::backward: call forward in training mode first",
     [](auto& s) { s.new_norm.backward(s.dy, s.four, s.dscales, s.dbias); }},
    {"unfold::SoftmaxCrossEntropy::backward: call forward first", [](auto& s) { s.new_loss.backward(); }},
    {"unfold::Conv2D::backward: call forward in training mode first",
     [](auto& s) {
       Sequential<Conv2D<float>, MaxPool2D<float>> net = s.net;
       net.backward(s.dp);
     }},
};

}  // namespace

TEST_CASE("A wrong call of a layer, the loss or the update says what is wrong and changes nothing") {
  layer_calls.check();
}

TEST_CASE("A call in the wrong order says what must come first and changes nothing") {
  layer_calls_in_the_wrong_order.check<StateError>();
}
