// SPDX-License-Identifier: MIT
// The products of several groups of few channels at once: a group has a lane of the vectors. A block of the source is
// turned so that one channel's elements of all groups are neighbours, and the result is turned back.
#pragma once

#include <unfold/engine/contract.hpp>
#include <unfold/engine/phases.hpp>

namespace unfold::engine {

/// Block sizes in elements.
template <class T>
struct GroupLanesBlocks {
  static constexpr Index unit = static_cast<Index>(sizeof(T));
  static constexpr Index turned = (Index{3} << 20) / unit;    // source and result of a block of rows
  static constexpr Index wanted = (Index{384} << 10) / unit;  // of them, that the second-level cache may keep them
  static constexpr Index window = (Index{20} << 10) / unit;   // that the taps of some columns read
  static constexpr Index filters = (Index{512} << 10) / unit;
  static constexpr Index taps = 512;  // of a group
  static_assert((turned + filters + taps * most_lanes<T>)*unit + 4096 <= workspace_bytes,
                "the blocks fit the workspace");
};

/// The elements that a block of result rows takes turned, source and result, for M results and C source channels.
template <class T>
Index turned_size(Index M, Index C, const Phases& h, const Phases& w, Index rows) {
  const Index columns = w.results();
  return (C * read_by(h, 0, rows).count * read_by(w, 0, columns).count + M * rows * columns) * kernels<T>().lanes;
}

/// The rows of a block of results.
template <class T>
Index turned_rows(Index M, Index C, const Phases& h, const Phases& w) {
  Index rows = h.results();
  while (rows > h.count() && turned_size<T>(M, C, h, w, rows) > GroupLanesBlocks<T>::wanted) {
    rows = parts_of(parts_of(rows, 2), h.count()) * h.count();
  }
  return rows;
}

/// Whether the products of this header can run.
template <class T>
bool fit_group_lanes(Index M, Index C, const Phases& h, const Phases& w) {
  using B = GroupLanesBlocks<T>;
  const Index K = C * h.forward.taps * w.forward.taps;
  return K <= B::taps && M * (K + lane_taps) * kernels<T>().lanes <= B::filters &&
         turned_size<T>(M, C, h, w, turned_rows<T>(M, C, h, w)) <= B::turned;
}

inline constexpr Index turned_at_once = 64;  // pixels: both sides stay in the first-level cache

/// to[c, row, column, lane] = x(lane * C + c, rows.first + row, columns.first + column), 0 outside the H x W image and
/// in lanes of no group.
template <class T>
void turn(const Kernels<T>& k, const Batch<const T>& x, Index groups, Index C, Index H, Index W, Span rows,
          Span columns, T* to) {
  const Index L = k.lanes, line = columns.count * L;
  if (groups < L) std::fill_n(to, C * rows.count * line, T(0));
  const Index top = std::clamp<Index>(-rows.first, 0, rows.count);
  const Index bottom = std::clamp(H - rows.first, top, rows.count);
  const Index left = std::clamp<Index>(-columns.first, 0, columns.count);
  const Index right = std::clamp(W - columns.first, left, columns.count);
  const bool whole = columns.first == 0 && columns.count == W && x.w == 1 && x.h == W;
  for (Index c = 0; c < C; ++c) {
    const Batch<const T> plane = x.from(0, c, 0, columns.first + left);
    const auto row_to = [&](Index r, Index n, T* at) {
      const T* const from = plane.data + r * x.h;
      for (Index j = 0; j < n && x.w == 1; j += turned_at_once) {
        k.transpose(from + j, C * x.c, groups, std::min(turned_at_once, n - j), at + j * L, L);
      }
      if (x.w == 1) return;
      for (Index i = 0; i < groups; ++i) {
        for (Index j = 0; j < n; ++j) at[j * L + i] = from[i * C * x.c + j * x.w];
      }
    };
    std::fill_n(to, top * line, T(0));
    if (whole) {
      row_to(rows.first + top, (bottom - top) * W, to + top * line);
    } else {
      for (Index r = top; r < bottom; ++r) {
        T* const at = to + r * line;
        std::fill_n(at, left * L, T(0));
        row_to(rows.first + r, right - left, at + left * L);
        std::fill_n(at + right * L, (columns.count - right) * L, T(0));
      }
    }
    std::fill_n(to + bottom * line, (rows.count - bottom) * line, T(0));
    to += rows.count * line;
  }
}

/// y(lane * M + m, row, column) = or += from[m, row, column, lane]; `buffer` has room for GroupLanesBlocks::taps
/// pixels.
template <class T>
void turn_back(const Kernels<T>& k, const T* from, Index groups, Index M, Index rows, Index columns, const Batch<T>& y,
               bool overwrite, T* buffer) {
  constexpr Index most = GroupLanesBlocks<T>::taps;
  const Index L = k.lanes;
  const bool whole = y.w == 1 && y.h == columns;
  const Index lines = whole ? 1 : rows, count = whole ? rows * columns : columns;
  Index offsets[most_lanes<T>];
  for (Index i = 0; i < groups; ++i) offsets[i] = i * M * y.c;
  for (Index m = 0; m < M; ++m) {
    for (Index r = 0; r < lines; ++r) {
      T* const to = y.data + m * y.c + r * y.h;
      if (overwrite && y.w == 1) {
        for (Index q = 0; q < count; q += turned_at_once) {
          k.transpose(from + q * L, L, std::min(turned_at_once, count - q), groups, to + q, M * y.c);
        }
        from += count * L;
        continue;
      }
      for (Index q = 0; q < count; q += most) {
        const Run run{q * y.w, 0, std::min(most, count - q)};
        k.transpose(from, L, run.count, groups, buffer, most);
        store_rows(k, buffer, most, offsets, groups, &run, 1, to, y.w, overwrite);
        from += run.count * L;
      }
    }
  }
}

/// Where the taps of C turned channels find their elements for the first output.
inline void turned_offsets(Index C, const Axis& h, const Axis& w, Span rows, Span columns, Index L, Index* to) {
  for (Index c = 0; c < C; ++c) {
    for (Index i = 0; i < h.taps; ++i) {
      const Index row = c * rows.count + h.first + i * h.step - rows.first;
      for (Index j = 0; j < w.taps; ++j) *to++ = (row * columns.count + w.first + j * w.step - columns.first) * L;
    }
  }
}

/// y(g*M + m, pixel) = or += alpha * the sum over C channels and taps of a(g, m, c, tap) * x(g*C + c, pixel, tap) for
/// `groups` groups, as many as a vector has lanes at most. a_group is the stride of the groups' filters.
template <FloatOrDouble T>
void convolve_in_group_lanes(const Filters<const T>& a, Index a_group, Index groups, Index M, const Batch<const T>& x,
                             Index N, Index C, const Phases& h, const Phases& w, const Batch<T>& y, T alpha,
                             bool overwrite) {
  using B = GroupLanesBlocks<T>;
  const Kernels<T>& k = kernels<T>();
  const Index L = k.lanes, H = h.results(), W = w.results();
  const Index block_rows = turned_rows<T>(M, C, h, w), blocks = parts_of(H, block_rows);
  const Span columns = read_by(w, 0, W);
  detail::parallel_for(N * blocks, [&](Index task) {
    const Index image = task / blocks, begin = task % blocks * block_rows, end = std::min(H, begin + block_rows);
    const Span rows = read_by(h, begin, end);
    detail::Workspace workspace;
    T* const turned = workspace.take<T>(B::turned);
    T* const packed = workspace.take<T>(B::filters);
    T* const buffer = workspace.take<T>(B::taps * most_lanes<T>);
    T* const result = turned + C * rows.count * columns.count * L;  // [M, end - begin, W, L]
    Index offsets[B::taps];
    turn(k, x.from(image, 0, 0, 0), groups, C, h.source(), w.source(), rows, columns, turned);
    const Index filter = (end - begin) * W * L;
    for (Index i = 0; i < h.count(); ++i) {
      const Axis hp = h.part(i, begin, end);
      for (Index j = 0; j < w.count() && hp.outputs > 0; ++j) {
        const Axis wp = w.part(j, 0, W);
        const Index taps = C * hp.taps * wp.taps;
        for (Index m = 0; m < M && taps > 0; ++m) {
          const Filters<const T> of_m{a.data + m * a.m, a_group, a.c, a.kh, a.kw};
          pack_filters(k, of_m, 0, groups, Taps{hp, wp, 0, C}, alpha, packed + m * taps * L, L);
        }
        turned_offsets(C, hp, wp, rows, columns, L, offsets);
        // Few columns at a time, so that what their taps read stays in the first-level cache from line to line.
        const Index part =
            equal_part(wp.outputs, std::max<Index>(8, B::window / std::max<Index>(1, C * hp.taps * wp.stride * L)));
        for (Index q = 0; q < wp.outputs; q += part) {
          k.lane_rows(taps, packed, M, hp.outputs, std::min(part, wp.outputs - q), turned + q * wp.stride * L, offsets,
                      {hp.stride * columns.count * L, wp.stride * L}, result + (i * W + j + q * w.count()) * L, filter,
                      {h.count() * W * L, w.count() * L});
        }
      }
    }
    turn_back(k, result, groups, M, end - begin, W, y.from(image, 0, begin, 0), overwrite, buffer);
  });
}

/// dw(g*M + m, k) = or += alpha * the sum over pixels of dy(g*M + m, pixel) * x(g*C + c, pixel, tap), k running over
/// the C channels and taps, for `groups` groups, as many as a vector has lanes at most.
template <FloatOrDouble T>
void contract_in_group_lanes(const Batch<const T>& dy, Index groups, Index M, const Batch<const T>& x, Index N, Index C,
                             const Axis& h, const Axis& w, const Strided<T>& dw, T alpha, bool overwrite) {
  using B = GroupLanesBlocks<T>;
  const Kernels<T>& k = kernels<T>();
  const Phases phases_h{h, false}, phases_w{w, false};
  const Index L = k.lanes, K = C * h.taps * w.taps, H = h.outputs, W = w.outputs;
  const Index block_rows = turned_rows<T>(M, C, phases_h, phases_w);
  const Span columns = read_by(phases_w, 0, W);
  detail::Workspace workspace;
  T* const turned = workspace.take<T>(B::turned);
  T* const sums = workspace.take<T>(B::filters);  // [M, sums_taps, L]
  T* const buffer = workspace.take<T>(B::taps * most_lanes<T>);
  const Index sums_taps = parts_of(K, lane_taps) * lane_taps;
  Index offsets[B::taps + lane_taps];
  std::fill_n(sums, M * sums_taps * L, T(0));
  for (Index n = 0; n < N; ++n) {
    for (Index begin = 0; begin < H; begin += block_rows) {
      const Index end = std::min(H, begin + block_rows);
      const Span rows = read_by(phases_h, begin, end);
      T* const dy_turned = turned + C * rows.count * columns.count * L;  // [M, end - begin, W, L]
      turn(k, x.from(n, 0, 0, 0), groups, C, h.source, w.source, rows, columns, turned);
      turn(k, dy.from(n, 0, 0, 0), groups, M, H, W, {begin, end - begin}, {0, W}, dy_turned);
      turned_offsets(C, phases_h.part(0, begin, end), w, rows, columns, L, offsets);
      std::fill_n(offsets + K, sums_taps - K, offsets[0]);
      for (Index m = 0; m < M; ++m) {
        for (Index t = 0; t < K; t += lane_taps) {
          k.lane_dots(end - begin, W, dy_turned + m * (end - begin) * W * L, turned, offsets + t,
                      {h.stride * columns.count * L, w.stride * L}, sums + (m * sums_taps + t) * L, false);
        }
      }
    }
  }
  const Run row{0, 0, K};
  for (Index m = 0; m < M; ++m) {
    k.transpose(sums + m * sums_taps * L, L, K, groups, buffer, K);
    store_sums(k, buffer, K, groups, &row, 1, Strided<T>{dw.data + m * dw.row, M * dw.row, dw.col}, alpha, overwrite);
  }
}

}  // namespace unfold::engine
