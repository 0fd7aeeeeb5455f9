// SPDX-License-Identifier: MIT
// Tables of wrong calls: each with the whole message of the error that must come out, which names the function, the
// argument, the rule and what was given. Nothing may have changed then, neither what shows nor what a layer keeps.
// The tables are compiled twice, with assertions and with NDEBUG.
#pragma once

#include "support/catch.hpp"
#include "support/files.hpp"

#include <unfold/core/tensor.hpp>
#include <unfold/nn/activation.hpp>

#include <limits>
#include <string>
#include <vector>

// The engine stands compiled in unfold-instances; all that checks an argument is compiled here.
#include <unfold/engine/products.hpp>
namespace unfold::engine {
extern template void forward(const Strided<const float>&, Index, const Patches<const float>&, const Batch<float>&,
                             float, bool);
extern template void weight_gradient(const Batch<const float>&, Index, const Patches<const float>&,
                                     const Strided<float>&, float, bool);
extern template void input_gradient(const Strided<const float>&, const Batch<const float>&, Index,
                                    const Patches<float>&, bool);
}  // namespace unfold::engine

namespace unfold::test {

inline constexpr Index huge = Index{1} << 62;
inline constexpr double infinite = std::numeric_limits<double>::infinity();

/// How many wrong calls the tables of this program hold, and how many of them were made.
inline std::size_t wrong_calls_listed = 0, wrong_calls_made = 0;

/// A call that is wrong with the things of a scene, and the message of its error.
template <class Scene>
struct WrongCall {
  std::string message;
  void (*call)(Scene&);
};

/// The numbers of anything that is part of a scene, one after the other.
template <class View>
void append(std::vector<float>& bits, const View& view) {
  ReadableView<View>(view).for_each_run([&](const auto* run, Index n, Index step) {
    for (Index i = 0; i < n; ++i) bits.push_back(static_cast<float>(run[i * step]));
  });
}

/// A tensor of the numbers 1, 2, 3, ...
template <int Rank>
Tensor<float, Rank> counted(const Shape<Rank>& shape) {
  Tensor<float, Rank> x(shape);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(i + 1);
  return x;
}

template <class Scene>
class WrongCalls {
 public:
  WrongCalls(std::initializer_list<WrongCall<Scene>> calls) : calls_(calls) { wrong_calls_listed += calls.size(); }

  /// Makes every call on a scene of its own. `scene.bits()` are all numbers that it holds, `scene.step()` does what is
  /// right with it: a hidden change shows in what comes out then.
  template <class Error = ShapeError>
  void check() const {
    for (const auto& [message, call] : calls_) {
      INFO(message);
      Scene scene, untouched;
      const auto before = scene.bits();
      CHECK(error_of<Error>([&, c = call] { c(scene); }) == message);
      CHECK(scene.bits() == before);
      scene.step();
      untouched.step();
      CHECK(scene.bits() == untouched.bits());
      ++wrong_calls_made;
    }
  }

 private:
  std::vector<WrongCall<Scene>> calls_;
};

}  // namespace unfold::test
