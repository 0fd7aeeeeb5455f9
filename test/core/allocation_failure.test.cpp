// SPDX-License-Identifier: MIT
// Where memory runs out, at whichever allocation, std::bad_alloc comes out, nothing is lost, and work can go on.
#include "support/allocation_failure.hpp"
#include "support/fill.hpp"
#include "support/tensor_matcher.hpp"

#include <unfold/core/tensor.hpp>

#include <latch>

using namespace unfold;
using test::equals;
using test::for_each_failing_allocation;

namespace {

Tensor<double, 3> numbered(const Shape<3>& shape) {
  Tensor<double, 3> x(shape);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<double>(i);
  return x;
}

}  // namespace

TEST_CASE("The allocation that shall fail does, each kind of it, and no other") {
  for (int k = 1; k <= 3; ++k) {
    const test::FailingAllocation failing(k);
    int failed = 0;
    for (int i = 1; i <= 4; ++i) {
      try {
        const std::vector<int> v(10);
      } catch (const std::bad_alloc&) {
        failed = failed == 0 ? i : -1;
      }
    }
    CHECK(failed == k);
    CHECK(failing.happened());
  }
  const test::FailingAllocation failing(1);
  void* volatile memory = std::malloc(10);
  CHECK(memory == nullptr);
  CHECK_THROWS_AS(([] {
                    const test::FailingAllocation aligned(1);
                    const Tensor<float, 1> x({8});
                  }()),
                  std::bad_alloc);
}

TEST_CASE("A tensor that gets no memory stays what it was") {
  const auto source = numbered({4, 5, 6});
  const auto none = [] { return 0; };
  CHECK(
      for_each_failing_allocation(1, none, [&](int) { const Tensor<double, 3> x({4, 5, 6}); }, [](int, bool) {}) == 1);
  CHECK(
      for_each_failing_allocation(1, none, [&](int) { const Tensor<double, 3> copy = source; }, [](int, bool) {}) == 1);

  const auto small = [] { return numbered({2, 3, 2}); };
  const auto is_small = [&](const Tensor<double, 3>& x, bool thrown) {
    if (thrown) CHECK_THAT(x, equals(small()));
  };
  const auto is_source = [&](const Tensor<double, 3>& x, bool thrown) {
    CHECK_THAT(x, equals(thrown ? small() : source));
  };
  CHECK(for_each_failing_allocation(1, small, [&](auto& x) { x = source; }, is_source) == 1);
  CHECK(for_each_failing_allocation(1, small, [&](auto& x) { x.assign(source); }, is_source) == 1);
  CHECK(for_each_failing_allocation(1, small, [&](auto& x) { x.reshape_for_overwrite({4, 5, 6}); }, is_small) == 1);
}

TEST_CASE("A loop whose threads get no memory says so, and the next one has all its threads") {
  constexpr int n = 4;
  const auto run = [](std::vector<int>& runs) {
    std::latch all(n);
    detail::parallel_for(n, [&](Index task) {
      all.arrive_and_wait();  // so that every thread takes one task
      *detail::Workspace().take<double>(10) = 1;
      ++runs[static_cast<std::size_t>(task)];
    });
  };
  const auto allocations = for_each_failing_allocation(
      n, [] { return std::vector<int>(n); }, run,
      [&](std::vector<int>& runs, bool thrown) {
        if (!thrown) CHECK(runs == std::vector<int>(n, 1));
        runs.assign(n, 0);
        run(runs);
        CHECK(runs == std::vector<int>(n, 1));
      });
  CHECK(allocations == 1 + 1 + 3 + n);  // the pool, its list of threads, the threads, and the workspaces
}
