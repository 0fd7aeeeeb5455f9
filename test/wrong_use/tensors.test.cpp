// SPDX-License-Identifier: MIT
#include "wrong_use/wrong_call.hpp"

#include <unfold/core/eigen_map.hpp>
#include <unfold/core/random.hpp>
#include <unfold/core/threads.hpp>

#include <complex>

using namespace unfold;
using test::huge;

namespace {

struct Tensors {
  Tensor<float, 3> x = test::counted(Shape{2, 3, 4});
  Tensor<float, 1> v = test::counted(Shape<1>(5));
  TensorView<float, 3> part = x.slice(1, 1, 2), view = x;  // part: axis 1 from 1 to 3
  TensorView<const float, 3> across{x.data(), {4, 3, 2}, {1, 4, 12}};
  Random random{1};
  int threads_before = threads();

  std::vector<float> bits() const {
    std::vector<float> bits{static_cast<float>(threads())};
    test::append(bits, x);
    test::append(bits, v);
    for (const Index n : x.shape()) bits.push_back(static_cast<float>(n));
    return bits;
  }
  void step() {
    x.fill(static_cast<float>(random.uniform()));
    part(1, 1, 1) = 3;
  }
};

const test::WrongCalls<Tensors> tensor_calls{
    // The sizes of a tensor and of a view.
    {"unfold::Tensor: every extent must be >= 0, got [-1, 3, 4]", [](auto&) { const Tensor<float, 3> t({-1, 3, 4}); }},
    {"unfold::Tensor: every extent must be >= 0, got [2, 3, -4]",
     [](auto&) { const Tensor<float, 3> t({2, 3, -4}, 1.0f); }},
    {"unfold::Tensor: every extent must be >= 0, got [-7]", [](auto&) { const Tensor<double, 1> t({-7}); }},
    {"unfold::Tensor: the size in bytes must fit 63 bits, got [2147483648, 1073741824]",
     [](auto&) { const Tensor<float, 2> t({Index{1} << 31, Index{1} << 30}); }},
    {"unfold::Tensor: the size in bytes must fit 63 bits, got [4611686018427387904, 1, 1, 2]",
     [](auto&) { const Tensor<double, 4> t({huge, 1, 1, 2}); }},
    {"unfold::Tensor: the size in bytes must fit 63 bits, got [0, 4611686018427387904, 4611686018427387904]",
     [](auto&) { const Tensor<float, 3> t({0, huge, huge}); }},
    {"unfold::Tensor: every extent must be >= 0, got [4, -3, 2]",
     [](auto& s) { s.x.reshape_for_overwrite({4, -3, 2}); }},
    {"unfold::Tensor: the size in bytes must fit 63 bits, got [4611686018427387904, 2, 2]",
     [](auto& s) { s.x.reshape_for_overwrite({huge, 2, 2}); }},
    {"unfold::TensorView: every extent must be >= 0, got [-2, 3, 4]",
     [](auto& s) { s.view = TensorView<float, 3>(s.x.data(), {-2, 3, 4}); }},
    {"unfold::TensorView: the size in bytes must fit 63 bits, got [4611686018427387904, 3, 4]",
     [](auto& s) { s.view = TensorView<float, 3>(s.x.data(), {huge, 3, 4}); }},
    {"unfold::TensorView: every extent must be >= 0, got [2, -3, 4]",
     [](auto& s) { s.view = TensorView<float, 3>(s.x.data(), {2, -3, 4}, {12, 4, 1}); }},
    {"unfold::TensorView: the size in bytes must fit 63 bits, got [4611686018427387904, 3, 4]",
     [](auto& s) { s.view = TensorView<float, 3>(s.x.data(), {huge, 3, 4}, {0, 0, 0}); }},
    // Elements.
    {"unfold::TensorView::at: index must lie inside [2, 3, 4], got [-1, 0, 0]", [](auto& s) { s.x.at(-1, 0, 0) = 9; }},
    {"unfold::TensorView::at: index must lie inside [2, 3, 4], got [2, 0, 0]", [](auto& s) { s.x.at(2, 0, 0) = 9; }},
    {"unfold::TensorView::at: index must lie inside [2, 3, 4], got [0, 3, 0]", [](auto& s) { s.x.at(0, 3, 0) = 9; }},
    {"unfold::TensorView::at: index must lie inside [2, 3, 4], got [0, 0, 4]", [](auto& s) { s.x.at(0, 0, 4) = 9; }},
    {"unfold::TensorView::at: index must lie inside [2, 3, 4], got [0, -2, 0]", [](auto& s) { s.x.at(0, -2, 0) = 9; }},
    {"unfold::TensorView::at: index must lie inside [2, 3, 4], got [4611686018427387904, 0, 0]",
     [](auto& s) { s.x.at(huge, 0, 0) = 9; }},
    {"unfold::TensorView::at: index must lie inside [5], got [5]", [](auto& s) { s.v.at(5) = 9; }},
    {"unfold::TensorView::at: index must lie inside [2, 2, 4], got [0, 2, 0]",
     [](auto& s) { s.part.at(0, 2, 0) = 9; }},  // inside x
    {"unfold::TensorView::at: index must lie inside [4, 3, 2], got [3, 3, 1]",
     [](auto& s) { static_cast<void>(s.across.at(3, 3, 1)); }},
    // Slices.
    {"unfold::TensorView::slice: dim must be in [0, 3), got -1", [](auto& s) { s.view = s.x.slice(-1, 0, 1); }},
    {"unfold::TensorView::slice: dim must be in [0, 3), got 3", [](auto& s) { s.view = s.x.slice(3, 0, 1); }},
    {"unfold::TensorView::slice: [begin, begin + count) must lie in [0, 3) of dim 1, got begin -1, count 1",
     [](auto& s) { s.view = s.x.slice(1, -1, 1); }},
    {"unfold::TensorView::slice: [begin, begin + count) must lie in [0, 3) of dim 1, got begin 0, count -1",
     [](auto& s) { s.view = s.x.slice(1, 0, -1); }},
    {"unfold::TensorView::slice: [begin, begin + count) must lie in [0, 3) of dim 1, got begin 4, count 0",
     [](auto& s) { s.view = s.x.slice(1, 4, 0); }},
    {"unfold::TensorView::slice: [begin, begin + count) must lie in [0, 3) of dim 1, got begin 2, count 2",
     [](auto& s) { s.view = s.x.slice(1, 2, 2); }},
    {"unfold::TensorView::slice: [begin, begin + count) must lie in [0, 4) of dim 2, got begin 1, count "
     "9223372036854775807",
     [](auto& s) { s.view = s.x.slice(2, 1, std::numeric_limits<Index>::max()); }},
    {"unfold::TensorView::slice: [begin, begin + count) must lie in [0, 2) of dim 1, got begin 1, count 2",
     [](auto& s) { s.view = s.part.slice(1, 1, 2); }},
    {"unfold::TensorView::slice: [begin, begin + count) must lie in [0, 4) of dim 2, got begin 4611686018427387904, "
     "count 1",
     [](auto& s) { s.view = s.x.slice(2, huge, 1); }},
    // Maps of what no stride walks.
    {"unfold::TensorView::array: axes from 0 on must lie in one stride (copy the view first), got shape [2, 2, 4] with "
     "strides [12, 4, 1]",
     [](auto& s) { s.part.array() = 0; }},
    {"unfold::TensorView::matrix: axes from 1 on must lie in one stride (copy the view first), got shape [2, 3, 2] "
     "with strides [12, 4, 1]",
     [](auto& s) { s.x.slice(2, 0, 2).matrix().setZero(); }},
    {"unfold::TensorView::matrix: axes from 1 on must lie in one stride (copy the view first), got shape [4, 3, 2] "
     "with strides [1, 4, 12]",
     [](auto& s) { static_cast<void>(s.across.matrix().rows()); }},
    // Threads and random numbers.
    {"unfold::set_threads: n must be in [1, 1024], got 0", [](auto&) { set_threads(0); }},
    {"unfold::set_threads: n must be in [1, 1024], got -1", [](auto&) { set_threads(-1); }},
    {"unfold::set_threads: n must be in [1, 1024], got 1025", [](auto&) { set_threads(1025); }},
    {"unfold::set_threads: n must be in [1, 1024], got -2147483648",
     [](auto&) { set_threads(std::numeric_limits<int>::min()); }},
    {"unfold::Random::below: n must be >= 1, got 0", [](auto& s) { s.random.below(0); }},
    {"unfold::Random::below: n must be >= 1, got -3", [](auto& s) { s.random.below(-3); }},
    // Activations.
    {"unfold::activation_name: activation must be one of the 16, got 16",
     [](auto&) { activation_name(static_cast<Activation>(16)); }},
    {"unfold::activation_from_name: name must be one of linear, logistic, loggy, relu, elu, selu, relie, ramp, leaky, "
     "tanh, plse, stair, hardtan, lhtan, silu, gelu, got \"ReLU\"",
     [](auto&) { activation_from_name("ReLU"); }},
    {"unfold::activation_value: activation must be one of the 16, got 200",
     [](auto&) { activation_value(static_cast<Activation>(200), 1.0f); }},
    {"unfold::activation_slope: activation must be one of the 16, got 255",
     [](auto&) { activation_slope(static_cast<Activation>(255), 1.0); }},
    {"unfold::activate: activation must be one of the 16, got 17",
     [](auto& s) { activate(static_cast<Activation>(17), s.v.data(), s.v.data(), s.v.size()); }},
    {"unfold::activation_gradient: activation must be one of the 16, got 99",
     [](auto& s) { activation_gradient(static_cast<Activation>(99), s.v.data(), s.v.data(), s.v.data(), s.v.size()); }},
    {"unfold::activation_value: activation must be one that the scalar type has, got relu",
     [](auto&) { activation_value(Activation::relu, std::complex<double>(1, 2)); }},
};

}  // namespace

TEST_CASE("A wrong call of tensors, views and what stands beside them says what is wrong and changes nothing") {
  tensor_calls.check();
}

TEST_CASE("The wrong calls of all tables are at least 150") { CHECK(test::wrong_calls_listed >= 150); }
