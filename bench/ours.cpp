// SPDX-License-Identifier: MIT
// Ours, through the public functions. Compiled twice: as users compile it, and with all that this machine has
// (UNFOLD_BENCH_NATIVE, in a library of its own, so that no template of the one is linked into the other).
#include "contender.hpp"

#include <unfold/nn/conv2d_products.hpp>

#include <algorithm>
#include <cstring>

namespace unfold::bench {
namespace {

/// How much of the calling thread's workspace a call writes: up to the last byte that is not as it was before.
Index workspace_of(const std::function<void()>& run) {
  std::byte* const block = detail::Workspace::block();
  constexpr std::byte mark{0xa5};
  std::fill_n(block, workspace_bytes, mark);
  run();
  Index used = workspace_bytes;
  while (used > 0 && block[used - 1] == mark) --used;
  return used;
}

template <class T>
void add(const char* name, std::vector<Contender>& to, Operands<T>& o, Direction d, int threads) {
  set_threads(threads);
  Contender c;
  c.name = name;
  switch (d) {
    case Direction::forward: c.run = [&o] { conv2d_forward(o.x, o.w, o.options, o.y); }; break;
    case Direction::backward_input: c.run = [&o] { conv2d_backward_input(o.y, o.w, o.options, o.x); }; break;
    case Direction::backward_weights: c.run = [&o] { conv2d_backward_weights(o.x, o.y, o.options, o.w); }; break;
  }
  c.workspace = workspace_of(c.run);
  to.push_back(std::move(c));
}

}  // namespace

template <class T>
#if defined(UNFOLD_BENCH_NATIVE)
void add_native(std::vector<Contender>& to, Operands<T>& o, Direction d, int threads) {
  add("native", to, o, d, threads);
}
template void add_native<float>(std::vector<Contender>&, Operands<float>&, Direction, int);
template void add_native<double>(std::vector<Contender>&, Operands<double>&, Direction, int);
#else
void add_ours(std::vector<Contender>& to, Operands<T>& o, Direction d, int threads) {
  add("ours", to, o, d, threads);
}
template void add_ours<float>(std::vector<Contender>&, Operands<float>&, Direction, int);
template void add_ours<double>(std::vector<Contender>&, Operands<double>&, Direction, int);
#endif

}  // namespace unfold::bench
