// SPDX-License-Identifier: MIT
// fuzz-geometries: random convolutions, on integers, held with == against the loops of the reference: the three
// products, and a layer's forward and backward, in float and in double. See docs/reliability.md.
#include "fuzz/placed.hpp"

#include <unfold/engine/isa.hpp>
#include <unfold/instances.hpp>

#include <charconv>
#include <chrono>
#include <cstring>
#include <iostream>
#include <string_view>

using namespace unfold;
using test::GeometryCase;
using test::Placed;

namespace {

struct Arguments {
  Index cases = 100'000, first = 0;
  std::uint64_t seed = 1;
};

/// What must come out: exact, since all numbers are integers.
struct Expected {
  Tensor<double, 4> y, dx, dw;
  Tensor<double, 1> db;
};

Expected expected_of(const test::ConvolutionData<double>& data, const Conv2DOptions& options) {
  Expected e{Tensor<double, 4>(data.dy.shape()), Tensor<double, 4>(data.x.shape()), Tensor<double, 4>(data.w.shape()),
             Tensor<double, 1>(data.b.shape())};
  reference::conv2d_forward(data.x, data.w, options, e.y);
  reference::conv2d_backward_input(data.dy, data.w, options, e.dx);
  reference::conv2d_backward_weights(data.x, data.dy, options, e.dw);
  reference::bias_gradient(data.dy, e.db);
  return e;
}

/// Compares results with what they should be, and keeps the first that differs.
class Judge {
 public:
  /// actual == factor * expected + start, element by element; start none: 0.
  template <class T, int Rank>
  void compare(const char* name, TensorView<T, Rank> actual, const Tensor<double, Rank>& expected, double factor = 1,
               const Tensor<double, Rank>* start = nullptr) {
    Index i = 0;
    actual.for_each_run([&](const T* run, Index n, Index step) {
      for (Index k = 0; k < n; ++k, ++i) {
        const double should = factor * expected.data()[i] + (start == nullptr ? 0 : start->data()[i]);
        const auto is = static_cast<double>(run[k * step]);
        ++compared_;
        non_zero_ += should != 0 ? 1 : 0;
        if (!(is == should)) note(name, sizeof(T) == sizeof(float), i, is, should);
      }
    });
    if (i != expected.size()) note(name, sizeof(T) == sizeof(float), -1, static_cast<double>(i), 0);
  }
  void require(bool holds, const char* what) {
    if (!holds && first_.empty()) first_ = what;
  }

  const std::string& first() const { return first_; }
  Index compared() const { return compared_; }
  Index non_zero() const { return non_zero_; }

 private:
  void note(const char* name, bool single, Index i, double is, double should) {
    if (!first_.empty()) return;
    first_ = std::string(name) + (single ? " in float" : " in double") + ", element " + std::to_string(i) + ": " +
             std::to_string(is) + " instead of " + std::to_string(should);
  }

  std::string first_;
  Index compared_ = 0, non_zero_ = 0;
};

/// One product without a layer into memory that holds NaN, or `start` where beta is not 0.
template <class T, class Product>
void run_product(Judge& judge, const char* name, const GeometryCase& c, test::Lying lying,
                 const Tensor<double, 4>& expected, const Tensor<double, 4>& start, const Product& product) {
  Placed<T> out(expected.shape(), lying);
  Tensor<double, 4> kept = start;
  for (Index i = 0; i < kept.size(); ++i) kept.data()[i] *= static_cast<double>(c.beta);
  if (c.beta != 0) test::copy_into(out.view(), start);
  product(out.view(), static_cast<T>(c.beta));
  judge.compare(name, out.view(), expected, 1, &kept);
  judge.require(out.gaps_are_untouched(), "an element outside of the result was written");
}

template <class T>
void run_products(Judge& judge, const GeometryCase& c, const test::ConvolutionData<double>& data,
                  const Expected& expected) {
  const Conv2DOptions options = c.problem.options();
  const Placed<T> x(data.x, c.images), w(data.w, c.filters), dy(data.dy, c.images);
  run_product<T>(judge, "conv2d_forward", c, c.images, expected.y, data.dy,
                 [&](TensorView<T, 4> y, T beta) { conv2d_forward(x.view(), w.view(), options, y, beta); });
  run_product<T>(judge, "conv2d_backward_input", c, c.images, expected.dx, data.x,
                 [&](TensorView<T, 4> dx, T beta) { conv2d_backward_input(dy.view(), w.view(), options, dx, beta); });
  run_product<T>(judge, "conv2d_backward_weights", c, c.filters, expected.dw, data.w,
                 [&](TensorView<T, 4> dw, T beta) { conv2d_backward_weights(x.view(), dy.view(), options, dw, beta); });
}

/// A layer's forward, and backward twice: parameter gradients add up.
template <class T>
void run_layer(Judge& judge, const GeometryCase& c, const test::ConvolutionData<double>& data,
               const Expected& expected) {
  Conv2D<T> layer(c.problem.options());
  test::copy_into(layer.weights(), data.w);
  Expected e = expected;
  if (c.problem.bias) {
    test::copy_into(layer.bias(), data.b);
    reference::add_bias(data.b, e.y);
  }
  const Placed<T> x(data.x, c.images), dy(data.dy, c.images);
  judge.compare("Conv2D::forward", layer.forward(x.view()).view(), e.y);
  for (const double times : {1.0, 2.0}) {
    judge.compare("Conv2D::backward", layer.backward(dy.view()).view(), e.dx);
    judge.compare("weight_gradient", layer.weight_gradient(), e.dw, times);
    if (c.problem.bias) judge.compare("bias_gradient", layer.bias_gradient(), e.db, times);
  }
}

void run(Judge& judge, const GeometryCase& c, std::uint64_t seed) {
  const Conv2DOptions options = c.problem.options();
  const auto data = test::integer_data<double>(c.problem.geometry(), seed);
  const Expected expected = expected_of(data, options);
  run_products<float>(judge, c, data, expected);
  run_products<double>(judge, c, data, expected);
  run_layer<float>(judge, c, data, expected);
  run_layer<double>(judge, c, data, expected);
}

std::string described(const GeometryCase& c) {
  constexpr std::string_view lying[] = {"dense", "every second element", "channels last", "part of a wider tensor"};
  std::string text = "  name,n,c,h,w,o,kh,kw,sh,sw,pt,pb,pl,pr,dh,dw,g\n  " + to_string(c.problem);
  text += "\n  bias " + std::to_string(c.problem.bias) + ", beta " + std::to_string(c.beta) + ", threads " +
          std::to_string(c.threads) + ", images ";
  return text.append(lying[static_cast<int>(c.images)]).append(", filters ").append(lying[static_cast<int>(c.filters)]);
}

constexpr std::string_view names_of_sets[] = {"baseline", "avx2", "avx512"};

/// Runs the cases; returns whether all were right.
bool run_all(const Arguments& arguments, const char* program) {
  const auto begin = std::chrono::steady_clock::now();
  const std::string_view isa = names_of_sets[static_cast<int>(engine::isa())];
  const test::GeometryCases cases(arguments.seed);
  Judge judge;
  for (Index i = 0; i < arguments.cases; ++i) {
    const Index number = arguments.first + i;
    const GeometryCase c = cases.draw(number);
    if (c.threads != threads()) set_threads(c.threads);
    try {
      run(judge, c, static_cast<std::uint64_t>(number));
    } catch (const std::exception& error) {
      judge.require(false, error.what());
    }
    if (judge.first().empty()) continue;
    std::cout << "wrong: " << judge.first() << '\n'
              << described(c) << "\nagain: UNFOLD_ISA=" << isa << ' ' << program << " --seed " << arguments.seed
              << " --first " << number << " --cases 1\n";
    return false;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::cout << "geometries: " << arguments.cases << " cases of seed " << arguments.seed << " from " << arguments.first
            << ", " << isa << ": 0 mismatches in " << judge.compared() << " elements (" << judge.non_zero()
            << " of them not 0), " << static_cast<Index>(seconds.count()) << " s\n";
  // Zeros prove little: where most of what is expected is 0, the cases are not worth their time.
  if (judge.non_zero() >= judge.compared() / 2) return true;
  std::cout << "wrong: less than half of the expected elements are not 0\n";
  return false;
}

template <class Number>
bool read(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i], value = argv[i + 1];
    const bool good = name == "--cases"   ? read(value, arguments.cases) && arguments.cases >= 1
                      : name == "--first" ? read(value, arguments.first) && arguments.first >= 0
                      : name == "--seed"  ? read(value, arguments.seed)
                                          : false;
    if (!good) return false;
  }
  return argc % 2 == 1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    std::cerr << "usage: fuzz-geometries [--cases N] [--seed S] [--first NUMBER]\n";
    return 2;
  }
  return run_all(arguments, argv[0]) ? 0 : 1;
}
