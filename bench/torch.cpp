// SPDX-License-Identifier: MIT
// libtorch's conv2d and its backward as its autograd calls it, on the operands' own memory. Its results are tensors
// that it allocates in each call, as for its users. Padding that differs between two sides is what a user writes: a pad
// first.
#include "contender.hpp"
#include "torch_threads.hpp"

#include <ATen/ATen.h>

#include <array>
#include <memory>

namespace unfold::bench {
namespace {

template <class T>
at::Tensor borrow(Tensor<T, 4>& t) {
  const Shape<4> s = t.shape();
  return at::from_blob(t.data(), {s[0], s[1], s[2], s[3]}, at::CppTypeToScalarType<T>::value);
}

/// The tensors and options of one product in libtorch's words.
template <class T>
class Convolution {
 public:
  Convolution(Operands<T>& o, Direction d)
      : direction_(d),
        x_(borrow(o.x)),
        w_(borrow(o.w)),
        y_(borrow(o.y)),
        result_(borrow(o.result(d))),
        stride_{o.g.SH, o.g.SW},
        dilation_{o.g.DH, o.g.DW},
        groups_(o.g.G) {
    const auto [top, bottom, left, right] = o.options.padding;
    even_ = top == bottom && left == right;
    sides_ = {left, right, top, bottom};
    if (even_) padding_ = {top, left};
  }

  void run() {
    const c10::InferenceMode no_tape;
    if (direction_ == Direction::forward) {
      latest_ = at::conv2d(padded(), w_, {}, stride_, padding_, dilation_, groups_);
      return;
    }
    const bool to_x = direction_ == Direction::backward_input;
    auto [dx, dw, db] = at::convolution_backward(y_, padded(), w_, c10::nullopt, stride_, padding_, dilation_, false,
                                                 {0, 0}, groups_, {to_x, !to_x, false});
    if (to_x && !even_) dx = at::constant_pad_nd(dx, {-sides_[0], -sides_[1], -sides_[2], -sides_[3]}).contiguous();
    latest_ = to_x ? dx : dw;
  }

  void fetch() {
    const c10::InferenceMode no_tape;
    result_.copy_(latest_);
  }

 private:
  at::Tensor padded() const { return even_ ? x_ : at::constant_pad_nd(x_, sides_); }

  Direction direction_;
  at::Tensor x_, w_, y_, result_, latest_;
  std::array<std::int64_t, 2> stride_, padding_{0, 0}, dilation_;
  std::array<std::int64_t, 4> sides_;  // left, right, top, bottom
  bool even_;
  std::int64_t groups_;
};

}  // namespace

template <class T>
void add_torch(std::vector<Contender>& to, Operands<T>& o, Direction d, int threads) {
  set_torch_threads(threads);
  const auto convolution = std::make_shared<Convolution<T>>(o, d);
  to.push_back({"torch", [convolution] { convolution->run(); }, [convolution] { convolution->fetch(); }, -1});
}

template void add_torch<float>(std::vector<Contender>&, Operands<float>&, Direction, int);
template void add_torch<double>(std::vector<Contender>&, Operands<double>&, Direction, int);

}  // namespace unfold::bench
