// SPDX-License-Identifier: MIT
#include <unfold/engine/blocks.hpp>

#include "support/catch.hpp"

using namespace unfold;
using engine::Axis;
using engine::PixelBlock;
using engine::PixelBlocks;
using engine::TapBlocks;
using engine::Taps;

namespace {

constexpr auto at = [](Index i) { return static_cast<std::size_t>(i); };

bool all_once(const std::vector<int>& met) {
  return std::all_of(met.begin(), met.end(), [](int n) { return n == 1; });
}

}  // namespace

TEST_CASE("Equal parts are as few as may be, cover n, and none is longer than the most") {
  for (Index n = 0; n <= 40; ++n) {
    for (Index most = 1; most <= 45; ++most) {
      const Index part = engine::equal_part(n, most), parts = engine::parts_of(n, part);
      CAPTURE(n, most, part);
      CHECK((part >= 1 && part <= most));
      CHECK((part * parts >= n && part * (parts - 1) < std::max<Index>(n, 1)));
      CHECK(parts == (n + most - 1) / most);
    }
  }
}

TEST_CASE("Blocks of pixels hold every pixel once, and none more than the most") {
  for (const Index N : {0, 1, 3, 8}) {
    for (const Index OH : {0, 1, 2, 7, 13}) {
      for (const Index OW : {0, 1, 3, 8, 17}) {
        for (const Index most : {1, 2, 5, 16, 40, 64, 500}) {
          CAPTURE(N, OH, OW, most);
          const PixelBlocks blocks(N, OH, OW, most);
          std::vector<int> met(at(N * OH * OW));
          for (Index i = 0; i < blocks.count(); ++i) {
            const PixelBlock b = blocks[i];
            CHECK((b.pixels() >= 1 && b.pixels() <= most));
            CHECK((b.images <= blocks.images && b.rows <= blocks.rows && b.columns <= blocks.columns));
            CHECK((b.images == 1 || (b.rows == OH && b.columns == OW)));
            for (Index n = b.image; n < b.image + b.images; ++n) {
              for (Index r = b.row; r < b.row + b.rows; ++r) {
                for (Index c = b.column; c < b.column + b.columns; ++c) ++met.at(at((n * OH + r) * OW + c));
              }
            }
          }
          CHECK(all_once(met));
        }
      }
    }
  }
}

TEST_CASE("Runs hold the pixels of a block in order, as long as they are contiguous") {
  for (const PixelBlock b : {PixelBlock{0, 1, 0, 1, 0, 7}, PixelBlock{2, 1, 3, 4, 1, 5}, PixelBlock{1, 3, 0, 2, 0, 3},
                             PixelBlock{0, 3, 0, 1, 0, 4}, PixelBlock{0, 2, 0, 3, 0, 1}}) {
    for (const Index step : {1, 2}) {
      for (const Index row_gap : {0, 1}) {
        for (const Index image_gap : {0, 1}) {
          const Index row = b.columns * step + row_gap, image = b.rows * row + image_gap;
          const auto address = [&](Index pixel) {
            return pixel / (b.rows * b.columns) * image + pixel / b.columns % b.rows * row + pixel % b.columns * step;
          };
          for (Index begin = 0; begin < b.pixels(); ++begin) {
            for (Index count = 1; count <= b.pixels() - begin; ++count) {
              CAPTURE(b.images, b.rows, b.columns, step, row_gap, image_gap, begin, count);
              std::vector<engine::Run> runs(at(count), engine::Run{-1, -1, -1});
              const Index used = b.runs(begin, count, image, row, step, runs.data());
              REQUIRE((used >= 1 && used <= count));
              Index pixel = 0, wrong = 0;
              for (Index u = 0; u < used; ++u) {
                const engine::Run run = runs[at(u)];
                wrong += run.at != pixel || run.count < 1;
                for (Index i = 0; i < run.count; ++i, ++pixel) wrong += run.from + i * step != address(begin + pixel);
              }
              CHECK(wrong == 0);
              CHECK(pixel == count);
              if (row_gap == 0 && image_gap == 0) CHECK(used == 1);
            }
          }
        }
      }
    }
  }
}

TEST_CASE("Blocks of taps hold every tap once, and neither they nor their copies are larger than asked") {
  Index of_one_tap = 0;
  for (const auto& [KH, KW] : {std::pair<Index, Index>{1, 1}, {3, 3}, {2, 5}, {7, 1}, {1, 9}, {5, 6}}) {
    for (const Index step : {1, 3, -1}) {
      for (const Index stride : {1, 2}) {
        for (const Index C : {1, 4, 13}) {
          for (const Index depth : {1, 2, 6, 9, 40, 300}) {
            for (const Index room : {30, 200, 2000}) {
              const Axis h{6, 20, stride, KH, -1, step, 1, 2}, w{5, 21, stride, KW, 2, step};
              const PixelBlocks pixels(3, h.outputs, w.outputs, 60);
              const TapBlocks blocks(h, w, pixels, C, depth, room);
              CAPTURE(KH, KW, step, stride, C, depth, room);
              std::vector<int> met(at(C * KH * KW));
              for (Index i = 0; i < blocks.count(); ++i) {
                const Taps taps = blocks[i];
                CHECK((taps.count() >= 1 && taps.count() <= depth));
                CHECK((taps.h.outputs == h.outputs && taps.w.outputs == w.outputs));
                CHECK((taps.channels <= blocks.channels));
                const Taps seen = engine::seen_from(pixels[0], taps);
                const Index copy = pixels.images * taps.channels * engine::laid_size(seen.h, seen.w);
                CHECK((copy <= room || taps.count() == 1));
                of_one_tap += copy > room;
                for (Index c = taps.channel; c < taps.channel + taps.channels; ++c) {
                  for (Index kh = 0; kh < taps.h.taps; ++kh) {
                    for (Index kw = 0; kw < taps.w.taps; ++kw) {
                      const Index t = (taps.h.kernel_first - 1) / 2 + kh, u = taps.w.kernel_first + kw;
                      ++met.at(at((c * KH + t) * KW + u));
                      CHECK(taps.h.first + kh * step == -1 + t * step);
                      CHECK(taps.w.first + kw * step == 2 + u * step);
                    }
                  }
                }
              }
              CHECK(all_once(met));
            }
          }
        }
      }
    }
  }
  CHECK(of_one_tap > 0);
}

TEST_CASE("The taps of a block seen from a block of pixels read what they read from its first output on") {
  const Taps taps{{12, 30, 2, 3, -4, 3, 1, 2}, {10, 31, 1, 2, -1, -2}, 5, 7};
  const Taps seen = engine::seen_from({1, 1, 4, 5, 3, 6}, taps);
  CHECK((seen.h.outputs == 5 && seen.h.first == -4 + 4 * 2 && seen.h.taps == 3 && seen.h.kernel_first == 1));
  CHECK((seen.w.outputs == 6 && seen.w.first == -1 + 3 && seen.w.taps == 2 && seen.w.step == -2));
  CHECK((seen.channel == 5 && seen.channels == 7 && seen.h.stride == 2 && seen.h.step == 3));
}
