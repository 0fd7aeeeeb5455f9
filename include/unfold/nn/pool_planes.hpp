// SPDX-License-Identifier: MIT
// Kernels that pool one plane, and their gradients. A row of windows inside the image goes a vector of windows at a
// time where the stride is 1 or 2, windows at the border one by one.
#pragma once

#include <unfold/core/view.hpp>
#include <unfold/engine/rows.hpp>
#include <unfold/nn/lanes.hpp>
#include <unfold/nn/pool_windows.hpp>
#include <unfold/nn/scalar.hpp>

#include <algorithm>  // std::fill_n, std::min
#include <cstdint>
#include <type_traits>
#include <utility>  // std::exchange

namespace unfold::detail {

/// A plane [H, W] by its strides.
template <class T>
struct Plane {
  T* data;
  Index row, column;
  explicit Plane(const TensorView<T, 2>& view) : data(view.data()), row(view.stride(0)), column(view.stride(1)) {}
  T& operator()(Index h, Index w) const { return data[h * row + w * column]; }
};

/// The vectors of a pooling kernel: of elements, and as many integers of their size, or bytes in memory.
template <FloatOrDouble T, int VectorBytes>
struct PoolVectors {
  typedef std::uint8_t Bytes  // NOLINT(modernize-use-using): both compilers drop these attributes from an alias
      [[gnu::vector_size(VectorBytes / sizeof(T)), gnu::aligned(1), gnu::may_alias]];
  using Integer = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  using Vector = typename engine::VectorOf<T, VectorBytes>::InRegister;
  using Memory = typename engine::VectorOf<T, VectorBytes>::InMemory;
  using Integers = typename engine::VectorOf<Integer, VectorBytes>::InRegister;
  static constexpr Index L = engine::VectorOf<T, VectorBytes>::lanes;

  /// v[l] = from[l * Stride], and nothing is read past the last of them.
  template <int Stride>
  [[gnu::always_inline]] static void take_every(const T* from, Vector& v) {
    const Vector a = *reinterpret_cast<const Memory*>(from);
    if constexpr (Stride == 1) {
      v = a;
    } else {
      const Vector b = *reinterpret_cast<const Memory*>(from + L - 1);
      if constexpr (L == 8) v = __builtin_shufflevector(a, b, 0, 2, 4, 6, 9, 11, 13, 15);
      if constexpr (L == 4) v = __builtin_shufflevector(a, b, 0, 2, 5, 7);
      if constexpr (L == 2) v = __builtin_shufflevector(a, b, 0, 3);
    }
  }

  /// to[2l] = even[l], to[2l + 1] = odd[l]
  [[gnu::always_inline]] static void put_pairs(const Vector& even, const Vector& odd, T* to) {
    Vector a, b;
    engine::in_turn(even, odd, a, b, std::make_integer_sequence<int, L>());
    *reinterpret_cast<Memory*>(to) = a;
    *reinterpret_cast<Memory*>(to + L) = b;
  }
};

/// y = the largest element of each window, tap = kh*KW + kw of where it is.
template <class T, class Tap>
struct MaxPlane {
  template <int VectorBytes>
  [[gnu::always_inline]] static void body(Index, const PoolWindows* windows, Plane<const T> x, T* y, Tap* taps) {
    const Index OW = windows->OW(), KW = windows->kernel().width;
    for (Index oh = 0; oh < windows->OH(); ++oh, y += OW, taps += OW) {
      const PoolWindows::Span rows = windows->rows(oh);
      for (Index ow = 0; ow < OW; ++ow) {
        if constexpr (FloatOrDouble<T> && sizeof(Tap) == 1) {
          const Index SW = windows->stride().width;
          if (ow == windows->low() && x.column == 1 && SW <= 2) {
            ow = SW == 1 ? row<VectorBytes, 1>(*windows, rows, x, ow, y, taps)
                         : row<VectorBytes, 2>(*windows, rows, x, ow, y, taps);
            if (ow == OW) break;
          }
        }
        const PoolWindows::Span columns = windows->columns(ow);
        T largest = x(rows.begin, columns.begin);
        Index tap = (rows.begin - rows.first) * KW + columns.begin - columns.first;
        for (Index ih = rows.begin; ih < rows.end; ++ih) {
          for (Index iw = columns.begin; iw < columns.end; ++iw) {
            const T& value = x(ih, iw);
            if (largest < value || (is_nan(value) && !is_nan(largest))) {
              largest = value, tap = (ih - rows.first) * KW + iw - columns.first;
            }
          }
        }
        y[ow] = largest;
        taps[ow] = static_cast<Tap>(tap);
      }
    }
  }

 private:
  /// The windows [ow, high()) of a row, by vectors, the last moved back to end there; none if they are too few. Returns
  /// the next.
  template <int VectorBytes, int Stride>
  [[gnu::always_inline]] static Index row(const PoolWindows& windows, const PoolWindows::Span& rows,
                                          const Plane<const T>& x, Index low, T* y, Tap* taps) {
    using V = PoolVectors<T, VectorBytes>;
    Index ow = low;
    const Index KW = windows.kernel().width, first_tap = (rows.begin - rows.first) * KW;
    const Index end = windows.high();
    for (; ow < end && end - low >= V::L; ow += V::L) {
      const Index i = std::min(ow, end - V::L);
      const T* from = &x(rows.begin, windows.columns(i).first);
      typename V::Vector largest, value;
      typename V::Integers tap = {};
      tap += static_cast<typename V::Integer>(first_tap);
      V::template take_every<Stride>(from, largest);
      Index t = first_tap;
      for (Index ih = rows.begin; ih < rows.end; ++ih, from += x.row) {
        for (Index kw = 0; kw < KW; ++kw, ++t) {
          V::template take_every<Stride>(from + kw, value);
          // NOLINTNEXTLINE(misc-redundant-expression): value is a NaN, the first one
          const typename V::Integers larger = (largest < value) | ((value != value) & (largest == largest));
          largest = larger ? value : largest;
          tap = (larger & static_cast<typename V::Integer>(t)) | (~larger & tap);
        }
      }
      *reinterpret_cast<typename V::Memory*>(y + i) = largest;
      *reinterpret_cast<typename V::Bytes*>(taps + i) = __builtin_convertvector(tap, typename V::Bytes);
    }
    if constexpr (VectorBytes > 16) {
      if (ow == low) return row<VectorBytes / 2, Stride>(windows, rows, x, low, y, taps);
    }
    return std::min(ow, end);
  }
};

/// dx = the sum of dy of the windows that have their tap there. dx without gaps.
template <class T, class Tap>
struct MaxPlaneGradient {
  template <int VectorBytes>
  [[gnu::always_inline]] static void body(Index, const PoolWindows* windows, Plane<const T> dy, const Tap* taps,
                                          T* dx) {
    const Index OW = windows->OW(), IW = windows->IW(), KW = windows->kernel().width;
    std::fill_n(dx, windows->IH() * IW, T(0));
    Index offsets[256];  // of the taps from a window's first pixel
    const bool few = sizeof(Tap) == 1;
    for (Index t = 0; few && t < windows->area(); ++t) offsets[t] = t / KW * IW + t % KW;
    for (Index oh = 0; oh < windows->OH(); ++oh, taps += OW) {
      const Index h = windows->rows(oh).first;
      Index ow = 0;
      if constexpr (FloatOrDouble<T> && sizeof(Tap) == 1) {
        if (KW == 2 && windows->side_by_side() && dy.column == 1) {
          ow = pairs<VectorBytes>(*windows, windows->rows(oh).end - h, &dy(oh, 0), taps, dx + h * IW);
        }
      }
      for (; ow < OW; ++ow) {
        const Index tap = static_cast<Index>(taps[ow]), first = h * IW + windows->columns(ow).first;
        dx[first + (few ? offsets[tap] : tap / KW * IW + tap % KW)] += dy(oh, ow);
      }
    }
  }

 private:
  /// Windows two pixels wide that lie side by side, so that a pixel is of one: those below high(), of so many rows.
  template <int VectorBytes>
  [[gnu::always_inline]] static Index pairs(const PoolWindows& windows, Index rows, const T* dy, const Tap* taps,
                                            T* dx) {
    using V = PoolVectors<T, VectorBytes>;
    Index ow = 0;
    const Index end = windows.high();
    for (; ow < end && end >= V::L; ow += V::L) {
      const Index i = std::min(ow, end - V::L);
      const typename V::Bytes bytes = *reinterpret_cast<const typename V::Bytes*>(taps + i);
      const typename V::Integers tap = __builtin_convertvector(bytes, typename V::Integers);
      const typename V::Vector zero = {};
      const typename V::Vector d = zero + *reinterpret_cast<const typename V::Memory*>(dy + i);
      typename V::Integer t = 0;
      for (Index kh = 0; kh < rows; ++kh, t += 2) {
        const typename V::Vector even = tap == t ? d : zero, odd = tap == t + 1 ? d : zero;
        V::put_pairs(even, odd, dx + kh * windows.IW() + 2 * i);
      }
    }
    if constexpr (VectorBytes > 16) {
      if (ow == 0) return pairs<VectorBytes / 2>(windows, rows, dy, taps, dx);
    }
    return std::min(ow, end);
  }
};

/// y = the sum of each window / area, where A sums.
template <class T, class A>
struct MeanPlane {
  template <int VectorBytes>
  [[gnu::always_inline]] static void body(Index, const PoolWindows* windows, Plane<const T> x, const A& area, T* y) {
    const Index OW = windows->OW();
    for (Index oh = 0; oh < windows->OH(); ++oh, y += OW) {
      const PoolWindows::Span rows = windows->rows(oh);
      for (Index ow = 0; ow < OW; ++ow) {
        if constexpr (FloatOrDouble<T>) {
          const Index SW = windows->stride().width;
          if (ow == windows->low() && x.column == 1 && SW <= 2) {
            ow = SW == 1 ? row<VectorBytes, 1>(*windows, rows, x, area, ow, y)
                         : row<VectorBytes, 2>(*windows, rows, x, area, ow, y);
            if (ow == OW) break;
          }
        }
        y[ow] = T(sum<VectorBytes>(x, rows, windows->columns(ow), windows->IW()) / area);
      }
    }
  }

 private:
  template <int VectorBytes>
  [[gnu::always_inline]] static A sum(const Plane<const T>& x, const PoolWindows::Span& rows,
                                      const PoolWindows::Span& columns, Index IW) {
    Index lines = rows.end - rows.begin, length = columns.end - columns.begin;
    if (length == IW && x.row == IW) length *= std::exchange(lines, 1);  // rows without gaps are one
    A total(0);
    for (Index i = 0; i < lines; ++i) {
      const T* const line = &x(rows.begin + i, columns.begin);
      if (x.column == 1 && length >= lane_count) {
        const auto term = [=](Index l) { return A(line[l]); };
        A part(0);
        SumLanes<A, decltype(term)>::template body<VectorBytes>(length, &part, term);
        total += part;
      } else {
        for (Index l = 0; l < length; ++l) total += A(line[l * x.column]);
      }
    }
    return total;
  }

  /// The windows [ow, high()) of a row, lane_count at a time.
  template <int VectorBytes, int Stride>
  [[gnu::always_inline]] static Index row(const PoolWindows& windows, const PoolWindows::Span& rows,
                                          const Plane<const T>& x, A area, Index low, T* y) {
    using V = PoolVectors<T, VectorBytes>;
    const Index end = windows.high();
    Index ow = low;
    for (; ow < end && end - low >= lane_count; ow += lane_count) {
      const Index i = std::min(ow, end - lane_count);
      const T* from = &x(rows.begin, windows.columns(i).first);
      A sums[lane_count] = {};
      for (Index ih = rows.begin; ih < rows.end; ++ih, from += x.row) {
        for (Index kw = 0; kw < windows.kernel().width; ++kw) {
          T values[lane_count];
          for (Index l = 0; l < lane_count; l += V::L) {
            typename V::Vector v;
            V::template take_every<Stride>(from + kw + l * Stride, v);
            *reinterpret_cast<typename V::Memory*>(values + l) = v;
          }
          for (Index l = 0; l < lane_count; ++l) sums[l] += A(values[l]);
        }
      }
      for (Index l = 0; l < lane_count; ++l) y[i + l] = T(sums[l] / area);
    }
    return std::min(ow, end);
  }
};

/// dx = the sum of dy / area over the windows that a pixel lies in. dx without gaps.
template <class T>
struct MeanPlaneGradient {
  template <int VectorBytes>
  [[gnu::always_inline]] static void body(Index, const PoolWindows* windows, Plane<const T> dy, T area, T* dx) {
    const Index IW = windows->IW();
    std::fill_n(dx, windows->IH() * IW, T(0));
    for (Index oh = 0; oh < windows->OH(); ++oh) {
      const PoolWindows::Span rows = windows->rows(oh);
      for (Index ow = 0; ow < windows->OW(); ++ow) {
        const PoolWindows::Span columns = windows->columns(ow);
        const T share = T(dy(oh, ow) / area);
        Index lines = rows.end - rows.begin, length = columns.end - columns.begin;
        if (length == IW) length *= std::exchange(lines, 1);  // whole rows are one
        for (Index i = 0; i < lines; ++i) {
          T* const line = dx + (rows.begin + i) * IW + columns.begin;
          if (length >= lane_count) {
            const auto sum = [=](Index l) { return T(line[l] + share); };
            const auto same = [](Index, const T& value) { return value; };
            MapLanes<T, decltype(sum), decltype(same)>::template body<VectorBytes>(length, line, sum, same);
          } else {
            for (Index l = 0; l < length; ++l) line[l] += share;
          }
        }
      }
    }
  }
};

}  // namespace unfold::detail
