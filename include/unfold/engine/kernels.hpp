// SPDX-License-Identifier: MIT
// All kernels of one instruction set in one table, and the table of this process.
#pragma once

#include <unfold/engine/few.hpp>
#include <unfold/engine/line_tile.hpp>
#include <unfold/engine/rows.hpp>
#include <unfold/engine/tile.hpp>
#include <unfold/engine/transpose.hpp>

namespace unfold::engine {

template <class T>
struct Kernels {
  static constexpr Index most_few_rows = 4;

  Index lanes;  // elements of a vector
  TileSet<T> tiles;
  LineTileSet<T> line_tiles;
  typename Gather<T>::Function gather;
  typename Scatter<T>::Function scatter;
  typename Transpose<T>::Function transpose;
  typename Pad<T>::Function pad;
  typename AddPadded<T>::Function add_padded;
  typename Interleave<T>::Function interleave;
  FewRowsFunction<T> few_rows[most_few_rows];  // of 1 to 4 rows
  DotsFunction<T> dots_one, dots_four;         // of 1 row and of 4
  Index taps_of_one, taps_of_four;
  LaneRowsFunction<T> lane_rows;
  LaneDotsFunction<T> lane_dots;
};

template <class T, class Set>
constexpr Kernels<T> kernels_of() {
  Kernels<T> k{};
  k.lanes = Set::vector_bytes / static_cast<Index>(sizeof(T));
  k.tiles = tile_set_of<T, Set>();
  k.line_tiles = line_tile_set_of<T, Set>();
  k.gather = Set::template run<Gather<T>, const T*, const Index*, Index, const Run*, Index, T*, Index, bool>;
  k.scatter = Set::template run<Scatter<T>, const T*, Index, const Index*, Index, const Run*, Index, T*, bool>;
  k.transpose = Set::template run<Transpose<T>, const T*, Index, Index, Index, T*, Index>;
  k.pad = Set::template run<Pad<T>, const T*, Index, Index, Index, const Padded&, const Padded&, T*>;
  k.add_padded = Set::template run<AddPadded<T>, const T*, const Padded&, const Padded&, T*, Index, Index>;
  k.interleave = Set::template run<Interleave<T>, const T*, Index, Index, T*, Index, bool>;
  const auto few_rows = [&]<int Rows, int Vectors>() {
    k.few_rows[Rows - 1] = Set::template run<FewRows<T, Rows, Vectors>, Index, const T*, const T*, const Index*, Index,
                                             Index, Index, T*, Index, Index, bool, bool>;
  };
  const auto dots = [&]<int Rows, int Taps>(DotsFunction<T>& function, Index& taps) {
    function = Set::template run<Dots<T, Rows, Taps>, Index, const T*, Index, const T*, const Index*, T*, Index, bool>;
    taps = Taps;
  };
  constexpr bool many = Set::registers == 32;
  few_rows.template operator()<1, many ? 6 : 4>(), few_rows.template operator()<2, many ? 6 : 4>();
  few_rows.template operator()<3, many ? 4 : 3>(), few_rows.template operator()<4, many ? 4 : 2>();
  dots.template operator()<1, 9>(k.dots_one, k.taps_of_one);
  dots.template operator()<4, many ? 6 : 3>(k.dots_four, k.taps_of_four);
  k.lane_rows = Set::template run<LaneRows<T, many ? 7 : 4>, Index, const T*, Index, Index, Index, const T*,
                                  const Index*, Raster, T*, Index, Raster>;
  k.lane_dots = Set::template run<LaneDots<T>, Index, Index, const T*, const T*, const Index*, Raster, T*, bool>;
  return k;
}

/// The most lanes of a vector of any instruction set.
template <class T>
inline constexpr Index most_lanes = 64 / static_cast<Index>(sizeof(T));

/// The kernels of isa().
template <class T>
const Kernels<T>& kernels() {
  static constexpr Kernels<T> baseline = kernels_of<T, Baseline>();
#if defined(__x86_64__)
  static constexpr Kernels<T> avx2 = kernels_of<T, Avx2>();
  static constexpr Kernels<T> avx512 = kernels_of<T, Avx512>();
  if (isa() == Isa::avx512) return avx512;
  if (isa() == Isa::avx2) return avx2;
#endif
  return baseline;
}

}  // namespace unfold::engine
