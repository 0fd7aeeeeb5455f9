// SPDX-License-Identifier: MIT
// The same bits in every process, wherever the operands lie in memory, on one core or several, and in 16 threads of the
// user's at once. (For every number of threads, and for an image alone: nn/conv2d_threads.test.cpp.)
#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/fill.hpp"
#include "support/shared_data.hpp"
#include "support/thread_count.hpp"

#include <unfold/engine/isa.hpp>
#include <unfold/unfold.hpp>

#include <sched.h>  // ::sched_setaffinity

#include <bit>  // std::bit_cast
#include <latch>

using namespace unfold;

namespace {

/// A few of the named problems, and some of several blocks or tasks.
std::vector<test::Problem> problems() {
  std::vector<test::Problem> list;
  for (const auto& problem : test::problems()) {
    if (problem.name == "everything_per_axis" || problem.name == "depthwise" || problem.name == "1x1") {
      list.push_back(problem);
    }
  }
  list.push_back(
      {.name = "several_blocks", .x = {3, 47, 15, 17}, .out_channels = 67, .kernel = {3, 3}, .padding = {1, 1, 1, 1}});
  list.push_back({.name = "several_groups", .x = {2, 33, 9, 11}, .out_channels = 66, .kernel = {2, 3}, .groups = 33});
  return list;
}

/// FNV-1a of everything that was added: every bit counts, and its place.
class Digest {
 public:
  template <class View>
  void add(const View& view) {
    ReadableView<View>(view).for_each_run([&](const auto* run, Index n, Index step) {
      using Bits = std::conditional_t<sizeof(*run) == 4, std::uint32_t, std::uint64_t>;
      for (Index i = 0; i < n; ++i) value_ = (value_ ^ std::bit_cast<Bits>(run[i * step])) * 0x100000001b3;
    });
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325;
};

/// A tensor that begins at `offset` bytes, rounded down to whole elements, behind an address divisible by 64.
template <class T>
class Moved {
 public:
  Moved(const Shape<4>& shape, Index offset) {
    const Index before = offset / static_cast<Index>(sizeof(T));
    memory_ = Tensor<T, 1>({before + shape[0] * shape[1] * shape[2] * shape[3]});
    view_ = TensorView<T, 4>(memory_.data() + before, shape);
  }
  Moved(const Tensor<T, 4>& values, Index offset) : Moved(values.shape(), offset) { test::copy_into(view_, values); }
  TensorView<T, 4> view() { return view_; }

 private:
  Tensor<T, 1> memory_;
  TensorView<T, 4> view_;
};

/// Of the three products, and of a layer after three updates, on data drawn from `seed`.
template <class T>
std::uint64_t digest_of(Index offset, std::uint64_t seed) {
  Digest digest;
  for (const auto& problem : problems()) {
    const auto options = problem.options();
    const auto data = test::normal_data<T>(problem.geometry(), seed);
    Moved<T> x(data.x, offset), w(data.w, offset), dy(data.dy, offset);
    Moved<T> y(data.dy.shape(), offset), dx(data.x.shape(), offset), dw(data.w.shape(), offset);
    conv2d_forward(x.view(), w.view(), options, y.view());
    conv2d_backward_input(dy.view(), w.view(), options, dx.view());
    conv2d_backward_weights(x.view(), dy.view(), options, dw.view());
    for (auto* result : {&y, &dx, &dw}) digest.add(result->view());

    Conv2D<T> layer(options);
    layer.initialize(7);
    for (int i = 0; i < 3; ++i) {
      digest.add(layer.backward(layer.forward(x.view())));
      layer.update({.learning_rate = 1e-4, .momentum = 0.9, .decay = 1e-3, .batch = problem.x[0]});
    }
    layer.visit_state([&](std::string_view, const auto& view) { digest.add(view); });
  }
  return digest.value();
}

Index number_in_environment(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? 0 : std::stol(text);
}

/// The line that the child below prints, or all that it printed: its report, which names the test, among it.
std::string digest_of_child(const std::vector<std::pair<std::string, std::string>>& variables) {
  const std::string output = test::run_child("child: print a digest of all bits", variables);
  const auto begin = output.find("digests: ");
  return begin == std::string::npos ? output : output.substr(begin, output.find('\n', begin) - begin);
}

/// All that several threads use at once, none of them writing to it.
struct Shared {
  test::Problem problem{.name = "shared",
                        .x = {2, 20, 9, 11},
                        .out_channels = 24,
                        .kernel = {3, 3},
                        .padding = {1, 1, 1, 1},
                        .groups = 2};
  Conv2D<float> layer = [this] {
    Conv2D<float> made(problem.options());
    made.initialize(3);
    return made;
  }();
  test::ConvolutionData<float> data = test::normal_data<float>(problem.geometry(), 2);
};

/// The products with one layer's parameters, into memory of one's own.
std::uint64_t use(const Shared& shared) {
  const Conv2DOptions& options = shared.layer.options();
  const TensorView<const float, 4> w = shared.layer.weights();
  Tensor<float, 4> y(shared.data.dy.shape()), dx(shared.data.x.shape()), dw(w.shape());
  conv2d_forward(shared.data.x, w, options, y);
  conv2d_backward_input(shared.data.dy, w, options, dx);
  conv2d_backward_weights(shared.data.x, shared.data.dy, options, dw);
  Digest digest;
  for (const auto* result : {&y, &dx, &dw}) digest.add(*result);
  digest.add(shared.layer.bias());
  return digest.value();
}

}  // namespace

TEST_CASE("child: print a digest of all bits", "[.]") {
  if (number_in_environment("UNFOLD_TEST_ONE_CORE") == 1) {
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(sched_getcpu(), &first);
    REQUIRE(sched_setaffinity(0, sizeof(first), &first) == 0);
  }
  const Index offset = number_in_environment("UNFOLD_TEST_OFFSET");
  const auto seed = static_cast<std::uint64_t>(number_in_environment("UNFOLD_TEST_SEED"));
  std::cout << "digests: " << std::hex << digest_of<float>(offset, seed) << ' ' << digest_of<double>(offset, seed)
            << std::endl;
}

TEST_CASE("Fresh processes give the same bits, wherever the operands lie, on one core or several") {
  const std::pair<engine::Isa, const char*> sets[] = {
      {engine::Isa::baseline, "baseline"}, {engine::Isa::avx2, "avx2"}, {engine::Isa::avx512, "avx512"}};
  const int repeats = test::long_tests() ? 100 : 3;
  for (const auto& [isa, name] : sets) {
    if (!engine::supported(isa)) continue;
    std::string first;
    for (int i = 0; i < repeats; ++i) {
      CAPTURE(name, i);
      const std::string digest = digest_of_child({{"UNFOLD_ISA", name},
                                                  {"UNFOLD_NUM_THREADS", std::to_string(1 + i % 5)},
                                                  {"UNFOLD_TEST_ONE_CORE", std::to_string(i / 5 % 2)},
                                                  {"UNFOLD_TEST_OFFSET", std::to_string(i * 20 % 64)}});
      if (i == 0) first = digest;
      CHECK(digest.starts_with("digests: "));
      CHECK(digest == first);
    }
    CHECK(digest_of_child({{"UNFOLD_ISA", name}, {"UNFOLD_TEST_SEED", "1"}}) != first);  // so a difference shows
  }
}

TEST_CASE("Sixteen threads that use one layer's parameters and the same operands get the bits of one") {
  const Shared shared;
  const int calls = test::long_tests() ? 625 : 50;
  for (const int threads : {1, 3}) {
    const test::ThreadCount set(threads);
    const std::uint64_t alone = use(shared);
    std::atomic<int> equal = 0;
    std::latch all(16);
    std::vector<std::thread> users;
    for (int u = 0; u < 16; ++u) {
      users.emplace_back([&] {
        all.arrive_and_wait();
        for (int i = 0; i < calls; ++i) equal += use(shared) == alone ? 1 : 0;
      });
    }
    for (auto& user : users) user.join();
    CHECK(equal == 16 * calls);
  }
}
