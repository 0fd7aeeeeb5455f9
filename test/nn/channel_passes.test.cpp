// SPDX-License-Identifier: MIT
#include <unfold/nn/channel_passes.hpp>

#include "support/catch.hpp"
#include "support/fill.hpp"
#include "support/tensor_matcher.hpp"
#include "support/thread_count.hpp"

using namespace unfold;
using test::equals;
using test::integers;

namespace {

// Planes of one pixel, below a vector, of odd sizes and longer than a piece; more channels than a task has.
const Shape<4> shapes[] = {{3, 5, 1, 1}, {2, 700, 1, 1}, {3, 4, 1, 7}, {2, 3, 7, 7}, {1, 2, 9, 13}, {2, 2, 33, 37}};

std::vector<Activation> all_activations() {
  std::vector<Activation> all;
  for (int i = 0; i < 16; ++i) all.push_back(static_cast<Activation>(i));
  return all;
}

template <class T>
struct Data {
  Tensor<T, 4> z, dy;
  Tensor<T, 1> b;
  explicit Data(const Shape<4>& shape) : z(integers<T>(shape, 1)), dy(integers<T>(shape, 2)), b({shape[1]}) {
    Random random(3);
    test::fill_integers(b.view(), random);
  }
  T bias(Index i, bool biased) const { return biased ? b.data()[i / (z.shape(2) * z.shape(3)) % z.shape(1)] : T(0); }
};

}  // namespace

TEMPLATE_TEST_CASE("Bias and activation are those of single elements", "", float, double, long double) {
  using T = TestType;
  for (const auto& shape : shapes) {
    const Data<T> data(shape);
    for (const auto f : all_activations()) {
      for (const bool biased : {true, false}) {
        INFO(activation_name(f) << ", " << to_string(shape) << (biased ? ", biased" : ""));
        Tensor<T, 4> y = data.z, kept_y = data.z, z = test::poisoned<T>(shape), expected_y(shape), expected_z(shape);
        for (Index i = 0; i < y.size(); ++i) {
          expected_z.data()[i] = data.z.data()[i] + data.bias(i, biased);
          expected_y.data()[i] = activation_value(f, expected_z.data()[i]);
        }
        const TensorView<const T, 1> b = data.b.slice(0, 0, biased ? data.b.size() : 0);
        detail::activate_channels<T>(f, b, y, nullptr);
        detail::activate_channels<T>(f, b, kept_y, z.data());
        CHECK_THAT(y, equals(expected_y));
        CHECK_THAT(kept_y, equals(expected_y));
        CHECK_THAT(z, equals(expected_z));
      }
    }
  }
}

TEMPLATE_TEST_CASE("The gradients of activation and bias are those of single elements", "", float, double,
                   long double) {
  using T = TestType;
  for (const auto& shape : shapes) {
    const Data<T> data(shape);
    Tensor<T, 4> wide({shape[0], shape[1], shape[2], 2 * shape[3]});  // dy is every other column of it
    const TensorView<T, 4> apart(wide.data(), shape, {wide.stride(0), wide.stride(1), wide.stride(2), 2});
    test::copy_into(apart, data.dy);
    for (const auto f : all_activations()) {
      for (const auto& dy : {data.dy.view(), TensorView<const T, 4>(apart)}) {
        INFO(activation_name(f) << ", " << to_string(shape) << (dy.contiguous() ? "" : ", with gaps"));
        const T* const at = data.z.data();  // any number has a slope
        Tensor<T, 4> expected(shape), room;
        Tensor<T, 1> db({shape[1]}, T(100)), expected_db(db), none;
        Tensor<detail::Accumulator<T>, 1> sums({shape[1]});
        for (Index i = 0; i < expected.size(); ++i) {
          expected.data()[i] = data.dy.data()[i] * activation_slope(f, at[i]);
          sums.data()[i / (shape[2] * shape[3]) % shape[1]] += detail::Accumulator<T>(expected.data()[i]);
        }
        CHECK_THAT(detail::channel_gradients<T>(f, at, dy, db, room), equals(expected));
        const Tensor<T, 1> first = db;
        CHECK_THAT(detail::channel_gradients<T>(f, at, dy, db, room), equals(expected));
        CHECK_THAT(detail::channel_gradients<T>(f, at, dy, none, room), equals(expected));
        // Sums of other numbers than multiples of 1/8 are rounded, in another order.
        const bool exact = f == Activation::linear || f == Activation::relu || f == Activation::hardtan ||
                           f == Activation::stair || f == Activation::logistic || f == Activation::tanh;
        for (Index c = 0; exact && c < shape[1]; ++c) {
          CHECK(first(c) == T(100) + T(sums(c)));  // added to what was there
          CHECK(db(c) == first(c) + T(sums(c)));
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("Both passes give the same bits for any number of threads", "", float, double) {
  using T = TestType;
  for (const auto& shape : shapes) {
    Random random(4);
    Tensor<T, 4> z(shape), dy(shape);
    test::fill_normal(z.view(), random);
    test::fill_normal(dy.view(), random);
    Tensor<T, 1> b({shape[1]}, T(0.25)), first_db;
    Tensor<T, 4> first_y, first_dz;
    for (int n = 1; n <= 8; ++n) {
      INFO(n << " threads, " << to_string(shape));
      const test::ThreadCount threads(n);
      Tensor<T, 4> y = z, dz;
      Tensor<T, 1> db({shape[1]});
      detail::activate_channels<T>(Activation::tanh, b, y, nullptr);
      detail::channel_gradients<T>(Activation::tanh, y.data(), dy, db, dz);
      if (n == 1) first_y = y, first_dz = dz, first_db = db;
      CHECK_THAT(y, equals(first_y));
      CHECK_THAT(dz, equals(first_dz));
      CHECK_THAT(db, equals(first_db));
    }
  }
}
