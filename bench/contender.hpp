// SPDX-License-Identifier: MIT
// Who is measured: each contender computes the same product of the same plain NCHW tensors.
#pragma once

#include "problem.hpp"

#include <unfold/core/tensor.hpp>

#include <functional>
#include <string>
#include <vector>

namespace unfold::bench {

/// The tensors of one product. Every direction writes the one of the three that it does not read.
template <class T>
struct Operands {
  explicit Operands(const Problem& p)
      : options(p.options), g(p.geometry()), x(g.x_shape()), w(g.w_shape()), y(g.y_shape()) {}

  Tensor<T, 4>& result(Direction d) { return d == Direction::forward ? y : d == Direction::backward_input ? x : w; }

  Conv2DOptions options;
  Conv2DGeometry g;
  Tensor<T, 4> x;  // [N, IC, IH, IW]: the input, or its gradient
  Tensor<T, 4> w;  // [OC, IC/G, KH, KW]
  Tensor<T, 4> y;  // [N, OC, OH, OW]
};

/// Buffers, descriptors and primitives are made with it; `run` makes what a user's call would make.
struct Contender {
  std::string name;
  std::function<void()> run;    // one product
  std::function<void()> fetch;  // brings its result to the operands; empty where run has written it there
  Index workspace = -1;         // bytes besides the operands that it holds or takes; -1 where it does not tell
};

// Each adds its contenders for this product, on so many threads; none where it has none. The operands must outlive
// them. Each is compiled in a file of its own, the peers' where meson finds them.
template <class T>
void add_ours(std::vector<Contender>& to, Operands<T>& o, Direction d, int threads);
template <class T>
[[gnu::visibility("default")]] void add_native(std::vector<Contender>& to, Operands<T>& o, Direction d, int threads);
template <class T>
[[gnu::visibility("default")]] void add_eigen(std::vector<Contender>& to, Operands<T>& o, Direction d, int threads);
template <class T>
void add_openblas(std::vector<Contender>& to, Operands<T>& o, Direction d, int threads);
template <class T>
void add_torch(std::vector<Contender>& to, Operands<T>& o, Direction d, int threads);
void add_onednn(std::vector<Contender>& to, Operands<float>& o, Direction d, int threads);

}  // namespace unfold::bench
