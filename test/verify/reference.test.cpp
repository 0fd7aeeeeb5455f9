// SPDX-License-Identifier: MIT
#include <unfold/verify/reference.hpp>

#include "support/bounds.hpp"
#include "support/catch.hpp"
#include "support/conformance.hpp"
#include "support/shared_data.hpp"
#include "support/tensor_matcher.hpp"

#include <complex>

using namespace unfold;
using Catch::Matchers::Message;
using test::equals;
using test::poisoned;
using test::within;

namespace {

struct Results {
  Tensor<double, 4> y, dx, dw;
  Tensor<double, 1> db;
};

Results run(const test::ConvolutionData<double>& data, const Conv2DOptions& options) {
  Results r{poisoned<double>(data.dy.shape()), poisoned<double>(data.x.shape()), poisoned<double>(data.w.shape()),
            poisoned<double>(data.b.shape())};
  reference::conv2d_forward(data.x, data.w, options, r.y);
  if (options.bias) reference::add_bias(data.b, r.y);
  reference::conv2d_backward_input(data.dy, data.w, options, r.dx);
  reference::conv2d_backward_weights(data.x, data.dy, options, r.dw);
  reference::bias_gradient(data.dy, r.db);
  return r;
}

/// Compares with every case of a golden set; returns how many were compared with ==.
int compare_with_golden(const std::filesystem::path& set, std::size_t cases) {
  const auto all = test::golden_cases(set);
  REQUIRE(all.size() == cases);
  int exact = 0;
  for (const auto& golden : all) {
    const auto expected = test::read_convolution(golden);
    INFO(expected.problem);
    const auto options = expected.problem.options();
    const auto r = run(expected.data, options);
    if (expected.integers) {
      ++exact;
      CHECK_THAT(r.y, equals(expected.y));
      CHECK_THAT(r.dx, equals(expected.dx));
      CHECK_THAT(r.dw, equals(expected.dw));
      CHECK_THAT(r.db, equals(expected.db));
    } else {
      const auto bounds = test::convolution_bounds<double>(expected.data, options);
      CHECK_THAT(r.y, within(expected.y, bounds.y));
      CHECK_THAT(r.dx, within(expected.dx, bounds.dx));
      CHECK_THAT(r.dw, within(expected.dw, bounds.dw));
      CHECK_THAT(r.db, within(expected.db, bounds.db));
    }
  }
  return exact;
}

}  // namespace

TEST_CASE("The reference agrees with PyTorch on the cases that come with the tests") {
  CHECK(compare_with_golden(test::data("golden"), 5) == 3);
}

TEST_CASE("The reference agrees with PyTorch on the whole golden set") {
  const auto set = test::shared("conformance/golden_public");
  if (set.empty()) SKIP(test::absent("conformance/golden_public"));
  CHECK(compare_with_golden(set, 61) == 8);
}

TEST_CASE("The reference does not turn the kernel") {
  Tensor<int, 4> x({1, 1, 2, 3}), w({1, 1, 1, 2}), y({1, 1, 2, 2}), dx(x.shape()), dw(w.shape());
  for (int i = 0; i < 6; ++i) x.data()[i] = i + 1;  // 1 2 3 / 4 5 6
  w(0, 0, 0, 0) = 10;
  w(0, 0, 0, 1) = 1;
  const Conv2DOptions options{.in_channels = 1, .out_channels = 1, .kernel = {1, 2}};
  reference::conv2d_forward(x, w, options, y);
  CHECK(std::vector<int>(y.data(), y.data() + 4) == std::vector<int>{12, 23, 45, 56});
  reference::conv2d_backward_input(y, w, options, dx);
  CHECK(std::vector<int>(dx.data(), dx.data() + 6) == std::vector<int>{120, 242, 23, 450, 605, 56});
  reference::conv2d_backward_weights(x, y, options, dw);
  CHECK(std::vector<int>(dw.data(), dw.data() + 2) ==
        std::vector<int>{1 * 12 + 2 * 23 + 4 * 45 + 5 * 56, 2 * 12 + 3 * 23 + 5 * 45 + 6 * 56});
}

TEST_CASE("The reference reads and writes views of any strides") {
  for (const auto& problem : test::problems()) {
    INFO(problem);
    const auto options = problem.options();
    const auto data = test::integer_data<double>(problem.geometry(), 7);
    const auto expected = run(data, options);
    // Every second element of a row, rows after one another from the last to the first axis.
    const auto spread = [](const Shape<4>& s) {
      const Shape<4> strides{2, 2 * s[0], 2 * s[0] * s[1], 2 * s[0] * s[1] * s[2]};
      return std::pair(Tensor<double, 1>({2 * s[0] * s[1] * s[2] * s[3]}), strides);
    };
    auto [x_memory, x_strides] = spread(data.x.shape());
    auto [y_memory, y_strides] = spread(data.dy.shape());
    const TensorView<double, 4> x(x_memory.data(), data.x.shape(), x_strides);
    const TensorView<double, 4> y(y_memory.data(), data.dy.shape(), y_strides);
    const double* next = data.x.data();
    test::fill_with(x, [&] { return *next++; });
    reference::conv2d_forward(x, data.w, options, y);
    if (options.bias) reference::add_bias(data.b, y);
    CHECK_THAT(y, equals(expected.y));
    next = data.dy.data();
    test::fill_with(y, [&] { return *next++; });
    reference::conv2d_backward_input(y, data.w, options, x);
    CHECK_THAT(x, equals(expected.dx));
  }
}

TEST_CASE("Sums run in the element type of the output") {
  const Conv2DOptions options{.in_channels = 3, .out_channels = 1};
  Tensor<float, 4> x({1, 3, 1, 1}), w({1, 3, 1, 1}, 1.0f), y({1, 1, 1, 1});
  x(0, 0, 0, 0) = 0x1p30f;
  x(0, 1, 0, 0) = 1;
  x(0, 2, 0, 0) = -0x1p30f;
  Tensor<double, 4> wide(y.shape());
  reference::conv2d_forward(x, w, options, y);
  reference::conv2d_forward(x, w, options, wide);
  CHECK(y(0, 0, 0, 0) == 0.0f);
  CHECK(wide(0, 0, 0, 0) == 1.0);
}

TEST_CASE("Magnitudes are the absolute values, of any element type and strides") {
  Tensor<double, 2> q({2, 2});
  q(0, 0) = -3, q(0, 1) = 2, q(1, 0) = -0.0, q(1, 1) = -1;
  CHECK(reference::magnitude(q)(0, 0) == 3);
  CHECK(reference::magnitude(q.slice(1, 1, 1))(1, 0) == 1);
  Tensor<std::complex<double>, 1> z({1}, {3.0, -4.0});
  CHECK(reference::magnitude(z)(0) == 5.0);
}

TEST_CASE("The reference counts window positions one by one") {
  CHECK(reference::window_positions(5, 0, 0, 3, 1, 1) == 3);
  CHECK(reference::window_positions(5, 0, 0, 3, 2, 2) == 1);
  CHECK(reference::window_positions(5, 0, 0, 3, 1, 3) == 0);
  CHECK(reference::window_positions(5, 1, 3, 3, 2, 2) == 3);
  CHECK(reference::window_positions(2, 0, 0, 3, 2, 1) == 0);  // where a division that truncates gives 1
}

TEST_CASE("The reference refuses shapes that are not those of one convolution") {
  const Conv2DOptions options{.in_channels = 4, .out_channels = 6, .kernel = {3, 2}, .groups = 2};
  const Tensor<float, 4> x({1, 4, 5, 7}), w({6, 2, 3, 2});
  Tensor<float, 4> y({1, 6, 3, 6});
  Tensor<float, 1> b({5});
  CHECK_THROWS_MATCHES(reference::conv2d_forward(w, w, options, y), ShapeError,
                       Message("unfold::reference::conv2d_forward: x must have 4 channels, got [6, 2, 3, 2]"));
  CHECK_THROWS_MATCHES(reference::conv2d_backward_input(y, x, options, Tensor<float, 4>(x)), ShapeError,
                       Message("unfold::reference::conv2d_backward_input: w must be [6, 2, 3, 2], got [1, 4, 5, 7]"));
  CHECK_THROWS_MATCHES(reference::conv2d_backward_weights(x, x, options, Tensor<float, 4>(w)), ShapeError,
                       Message("unfold::reference::conv2d_backward_weights: y must be [1, 6, 3, 6], got [1, 4, 5, 7]"));
  CHECK_THROWS_MATCHES(
      reference::conv2d_forward(x.slice(2, 0, 2), w, options, y), ShapeError,
      Message("unfold::reference::conv2d_forward: the kernel must fit the padded image, got x [1, 4, 2, 7]"));
  CHECK_THROWS_MATCHES(reference::bias_gradient(y, b), ShapeError,
                       Message("unfold::reference::bias_gradient: db must be [6], got [5]"));
  CHECK_THROWS_MATCHES(reference::add_bias(b, y), ShapeError,
                       Message("unfold::reference::add_bias: b must be [6], got [5]"));
}
