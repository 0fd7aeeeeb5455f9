// SPDX-License-Identifier: MIT
#include <unfold/engine/products.hpp>

#include "support/buffer.hpp"
#include "support/catch.hpp"
#include "support/isa.hpp"

#include <array>
#include <set>

using namespace unfold;
using engine::Axis;
using test::Buffer;

namespace {

/// Axes whose taps ascend and descend, inside the source, beyond its ends, and beside it.
std::vector<Axis> axes() {
  std::vector<Axis> list;
  for (const Index source : {1, 4, 11}) {
    for (const Index stride : {1, 2, 3}) {
      for (const Index taps : {1, 2, 4}) {
        for (const Index step : {1, 3, -1, -2}) {
          for (const Index first : {-5, -1, 0, 3})
            list.push_back({1 + (source + taps) % 4, source, stride, taps, first, step});
        }
      }
    }
  }
  return list;
}

/// The element that output o reads under tap t, by the definition; -1 in the padding.
Index source_of(const Axis& axis, Index o, Index t) {
  const Index at = o * axis.stride + axis.first + t * axis.step;
  return at >= 0 && at < axis.source ? at : -1;
}

/// A batch of 2 images and 3 channels of any strides whose element number i is i + 1, so that 0 is the padding.
struct Numbered {
  Index h, w, n_stride, c_stride, h_stride, w_stride;
  Buffer<double> memory;

  Numbered(Index h_, Index w_, Index w_stride_)
      : h(h_),
        w(w_),
        n_stride(h * w * w_stride_ + 3),
        c_stride(2 * n_stride + 1),
        h_stride(w * w_stride_),
        w_stride(w_stride_),
        memory(2 * c_stride + n_stride + (h - 1) * h_stride + (w - 1) * w_stride + 1) {
    for (Index i = 0; i < memory.size(); ++i) memory[i] = static_cast<double>(i + 1);
  }
  double at(Index n, Index c, Index y, Index x) const {
    if (y < 0 || x < 0) return 0;
    return memory[n * n_stride + c * c_stride + y * h_stride + x * w_stride];
  }
  engine::Batch<double> batch(double* data) const { return {data, n_stride, c_stride, h_stride, w_stride}; }
};

/// How many outputs under taps do not find their element where the layout says.
Index misplaced(const Numbered& x, const engine::Laid<const double>& laid) {
  Index wrong = 0;
  std::vector<Index> offsets(static_cast<std::size_t>(3 * laid.h.taps * laid.w.taps + engine::gather_ahead));
  laid.offsets(3, offsets.data());
  std::size_t k = 0;
  for (Index c = 0; c < 3; ++c) {
    for (Index i = 0; i < laid.h.taps; ++i) {
      for (Index j = 0; j < laid.w.taps; ++j, ++k) {
        wrong += offsets[k] != c * laid.channel + laid.offset(i, j);
        for (Index n = 0; n < 2; ++n) {
          for (Index oh = 0; oh < laid.h.outputs; ++oh) {
            for (Index ow = 0; ow < laid.w.outputs; ++ow) {
              wrong += laid.data[offsets[k] + n * laid.image + oh * laid.row + ow] !=
                       x.at(n, c, source_of(laid.h, oh, i), source_of(laid.w, ow, j));
            }
          }
        }
      }
    }
  }
  for (Index ahead = 0; ahead < engine::gather_ahead; ++ahead, ++k) wrong += offsets[k] != offsets[k - 1];
  return wrong;
}

}  // namespace

TEST_CASE("Every output under every tap finds its element in the laid-out source, in the copy and in place") {
  Random random(1);
  const auto list = axes();
  for (const auto& [set, k] : test::kernel_sets<double>()) {
    Index in_place = 0;
    for (std::size_t number = 0; number < 3 * list.size(); ++number) {
      const Axis& h = list[number % list.size()];
      const Axis& w =
          number < list.size() ? h : list[static_cast<std::size_t>(random.below(static_cast<Index>(list.size())))];
      CAPTURE(set, h.source, h.stride, h.taps, h.first, h.step, w.source, w.stride, w.taps, w.first, w.step);
      const Numbered x(h.source, w.source, 1 + random.below(2));
      const auto batch = x.batch(const_cast<double*>(x.memory.data()));
      Buffer<double> copy(6 * engine::laid_size(h, w) + 2 * k.lanes), other = copy;
      CHECK(misplaced(x, engine::lay_out_copy<double>(k, batch, 2, 3, h, w, copy.data())) == 0);
      const auto laid = engine::lay_out<double>(k, batch, 2, 3, h, w, other.data());
      CHECK(misplaced(x, laid) == 0);
      CHECK(laid.copied == (laid.data == other.data()));
      in_place += !laid.copied;

      // The adjoint brings every element of the copy back to where it came from, and drops the padding.
      Buffer<double> y(6 * engine::laid_size(h, w), random), sum = x.memory, expected = x.memory;
      for (Index i = 0; i < y.size(); ++i) {
        if (copy[i] != 0) expected[static_cast<Index>(copy[i]) - 1] += y[i];
      }
      engine::add_back(k, engine::laid_at(y.data(), 2, h, w), 2, 3, x.batch(sum.data()));
      CHECK(test::differences(sum, expected) == 0);
    }
    const Axis h{4, 9, 1, 3, 1, 2}, w{5, 7, 1, 3, 2, -1};
    const Numbered x(9, 7, 1);
    const auto laid = engine::lay_out<double>(k, x.batch(const_cast<double*>(x.memory.data())), 2, 3, h, w, nullptr);
    CHECK((!laid.copied && misplaced(x, laid) == 0));
    CHECK(in_place > 0);
  }
}

TEST_CASE("Part of an axis reads what the whole reads there, under the same elements of the kernel") {
  for (Axis axis : axes()) {
    axis.kernel_first = 2, axis.kernel_step = 3;
    for (Index begin = 0; begin < axis.outputs; ++begin) {
      for (Index tap = 0; tap < axis.taps; ++tap) {
        const Axis part = axis.part(begin, axis.outputs - begin, tap, axis.taps - tap);
        CHECK((part.outputs == axis.outputs - begin && part.taps == axis.taps - tap));
        CHECK(part.kernel_first == 2 + tap * 3);
        CHECK(part.kernel_step == 3);
        CHECK(source_of(part, part.outputs - 1, 0) == source_of(axis, axis.outputs - 1, tap));
        CHECK(source_of(part, 0, part.taps - 1) == source_of(axis, begin, axis.taps - 1));
      }
    }
  }
}

TEST_CASE("The taps left out find only padding, and a tap is said to read where it finds the source") {
  for (const Axis& axis : axes()) {
    for (Index begin = 0; begin < axis.outputs; ++begin) {
      for (Index n = 1; n <= axis.outputs - begin; ++n) {
        const engine::Reached reached(axis, begin, n);
        Index wrong = 0;
        for (Index t = 0; t < axis.taps; ++t) {
          bool reads = false;
          for (Index o = begin; o < begin + n; ++o) reads = reads || source_of(axis, o, t) >= 0;
          // Outputs further apart than the source is long may step over it, which is not looked at.
          if (axis.stride <= axis.source) wrong += axis.reads(t, begin, n) != reads;
          wrong += reads && (t < reached.first || t >= reached.end);
          if (t == reached.first || t == reached.end - 1)
            wrong += reached.first < reached.end && !axis.reads(t, begin, n);
        }
        CAPTURE(axis.source, axis.stride, axis.taps, axis.first, axis.step, begin, n);
        CHECK(wrong == 0);
      }
    }
  }
}

TEST_CASE("A phase of the input gradient reads exactly the outputs that the forward axis led to its elements") {
  for (const Index source : {1, 2, 5, 8}) {
    for (const Index stride : {1, 2, 3, 4}) {
      for (const Index taps : {1, 2, 3, 5}) {
        for (const Index dilation : {1, 2, 3, 4, 6}) {
          for (const Index padding : {0, 1, 4}) {
            const Index outputs = std::max<Index>(1, (source + 2 * padding - dilation * (taps - 1) - 1) / stride + 1);
            const Axis forward{outputs, source, stride, taps, -padding, dilation};
            std::multiset<std::array<Index, 3>> expected, read;  // element, output, kernel element
            for (Index o = 0; o < outputs; ++o) {
              for (Index t = 0; t < taps; ++t) {
                if (source_of(forward, o, t) >= 0) expected.insert({source_of(forward, o, t), o, t});
              }
            }
            for (Index phase = 0; phase < stride; ++phase) {
              const Axis back = engine::gradient_axis(forward, phase);
              for (Index i = 0; i < back.outputs; ++i) {
                for (Index t = 0; t < back.taps; ++t) {
                  const Index o = source_of(back, i, t);
                  if (o >= 0) read.insert({phase + i * stride, o, back.kernel_first + t * back.kernel_step});
                }
              }
            }
            CAPTURE(source, stride, taps, dilation, padding);
            CHECK(read == expected);
          }
        }
      }
    }
  }
}
