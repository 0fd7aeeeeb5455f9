// SPDX-License-Identifier: MIT
// The tiles of every instruction set that this machine has, to be tested in one process.
#pragma once

#include <unfold/engine/tile.hpp>

#include <vector>

namespace unfold::test {

template <class T>
struct TileSet {
  const char* name;
  engine::Tiles<T> tiles;
};

template <class T>
std::vector<TileSet<T>> tile_sets() {
  std::vector<TileSet<T>> sets{{"baseline", engine::tiles_of<T, engine::Baseline>()}};
#if defined(__x86_64__)
  if (engine::supported(engine::Isa::avx2)) sets.push_back({"avx2", engine::tiles_of<T, engine::Avx2>()});
  if (engine::supported(engine::Isa::avx512)) sets.push_back({"avx512", engine::tiles_of<T, engine::Avx512>()});
#endif
  return sets;
}

}  // namespace unfold::test
