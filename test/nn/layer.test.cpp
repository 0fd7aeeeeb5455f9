// SPDX-License-Identifier: MIT
#include <unfold/nn/layer.hpp>
#include <unfold/nn/pooling.hpp>

#include "support/catch.hpp"

#include <utility>

using namespace unfold;
using Catch::Matchers::Message;

static_assert(LayerOn<MaxPool2D<float>, Tensor<float, 4>>);
static_assert(LayerOn<MaxPool2D<float>, TensorView<float, 4>>);
static_assert(LayerOn<MaxPool2D<float>, TensorView<const float, 4>>);
static_assert(!LayerOn<MaxPool2D<float>, Tensor<float, 2>>);
static_assert(!LayerOn<MaxPool2D<float>, Tensor<double, 4>>);
static_assert(!LayerOn<int, Tensor<float, 4>>);
static_assert(AnyTensor<Tensor<float, 3>> && AnyTensor<TensorView<const double, 1>> && !AnyTensor<float>);

TEST_CASE("A kept view goes along with a move and is not inherited by a copy") {
  const Tensor<float, 2> x({3, 4}), other({2, 2});
  KeptView<float, 2> kept;
  CHECK(!kept.kept());
  kept.keep(x);
  CHECK(kept.get("Layer::backward").data() == x.data());

  KeptView<float, 2> copy(kept);
  CHECK(!copy.kept());
  CHECK(kept.kept());
  copy.keep(other);
  copy = kept;
  CHECK(!copy.kept());

  KeptView<float, 2> moved(std::move(kept));
  CHECK(moved.get("Layer::backward").shape() == x.shape());
  CHECK(!kept.kept());  // NOLINT(*-use-after-move,*-cplusplus.Move): a moved-from view must keep nothing
  kept = std::move(moved);
  CHECK(kept.get("Layer::backward").data() == x.data());
  CHECK(!moved.kept());  // NOLINT(*-use-after-move,*-cplusplus.Move)

  kept.forget();
  CHECK_THROWS_MATCHES(kept.get("Layer::backward"), StateError,
                       Message("unfold::Layer::backward: call forward in training mode first"));
}
