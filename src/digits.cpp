// SPDX-License-Identifier: MIT
// A digit is a few pen strokes: smooth curves through knots. Drawing shakes the knots, bends and maps the
// plane, flattens the curves to short lines of varying width, and inks each pixel by its distance to them.
#include "digits.hpp"

#include <unfold/core/random.hpp>
#include <unfold/core/threads.hpp>

#include <algorithm>
#include <array>
#include <cmath>  // std::lround; std::sqrt, exact by IEEE 754
#include <vector>

namespace unfold::program {
namespace {

enum class Turn : std::uint8_t { smooth, corner };

struct Knot {
  double x, y;  // right and down, in hundredths of the digit's height
  Turn turn = Turn::smooth;
};
using Stroke = std::vector<Knot>;
using Glyph = std::vector<Stroke>;

/// The ways of writing each digit.
const std::array<std::vector<Glyph>, digit_classes>& alphabet() {
  constexpr Turn corner = Turn::corner;
  static const std::array<std::vector<Glyph>, digit_classes> glyphs = {{
      // 0: closed with a small overlap; pinched
      {{{{40, 3}, {20, 2}, {4, 28}, {2, 64}, {18, 97}, {40, 96}, {56, 66}, {55, 30}, {40, 5}, {32, 3}}},
       {{{26, 2}, {6, 22}, {1, 56}, {10, 90}, {30, 99}, {48, 82}, {54, 46}, {44, 12}, {24, 1}, {18, 6}}}},
      // 1: a stroke; with a flag; with flag and foot
      {{{{32, 0}, {30, 50}, {28, 100}}},
       {{{12, 24}, {32, 0, corner}, {31, 50}, {30, 100}}},
       {{{12, 22}, {31, 0, corner}, {30, 50}, {30, 100}}, {{8, 100}, {52, 99}}}},
      // 2: with a corner at the foot; with a loop there
      {{{{4, 24}, {14, 4}, {36, 0}, {52, 18}, {44, 46}, {22, 76}, {2, 98, corner}, {58, 96}}},
       {{{6, 22}, {22, 2}, {46, 5}, {52, 30}, {36, 62}, {14, 92}, {2, 92}, {6, 80}, {22, 84}, {40, 97}, {60, 92}}}},
      // 3: two bows; with a flat top
      {{{{4, 12}, {24, 0}, {48, 8}, {48, 32}, {22, 46, corner}, {48, 56}, {54, 80}, {32, 100}, {2, 88}}},
       {{{4, 2}, {52, 2, corner}, {24, 40, corner}, {48, 50}, {54, 78}, {34, 98}, {2, 92}}}},
      // 4: open; closed, in one stroke; open and round
      {{{{12, 2}, {4, 54, corner}, {58, 52}}, {{44, 10}, {42, 55}, {40, 100}}},
       {{{44, 100}, {46, 50}, {46, 0, corner}, {2, 64, corner}, {62, 62}}},
       {{{8, 4}, {4, 32}, {14, 52}, {32, 50}, {50, 40}}, {{52, 2}, {48, 50}, {44, 100}}}},
      // 5: in one stroke; with its roof apart
      {{{{54, 2}, {14, 2, corner}, {8, 42, corner}, {32, 35}, {54, 52}, {52, 82}, {30, 100}, {2, 90}}},
       {{{14, 4}, {10, 44, corner}, {34, 39}, {52, 58}, {46, 90}, {22, 100}, {2, 88}}, {{14, 4}, {58, 1}}}},
      // 6: curved; straight-backed
      {{{{46, 2}, {20, 22}, {4, 58}, {8, 90}, {30, 100}, {50, 84}, {46, 60}, {26, 54}, {6, 70}}},
       {{{36, 0}, {14, 36}, {2, 74}, {16, 98}, {42, 94}, {50, 70}, {32, 55}, {6, 70}}}},
      // 7: plain; with a bar; with a serif
      {{{{2, 4}, {54, 2, corner}, {38, 44}, {24, 100}}},
       {{{2, 4}, {56, 2, corner}, {38, 46}, {26, 100}}, {{14, 52}, {54, 48}}},
       {{{3, 18}, {5, 3, corner}, {56, 4, corner}, {32, 48}, {20, 100}}}},
      // 8: one crossing line; two rings
      {{{{48, 14}, {28, 0}, {8, 14}, {16, 38}, {42, 60}, {50, 84}, {28, 100}, {6, 86}, {14, 60}, {42, 36}, {48, 14}}},
       {{{28, 46},
         {9, 32},
         {12, 8},
         {30, 0},
         {46, 10},
         {46, 32},
         {28, 46},
         {6, 62},
         {6, 90},
         {28, 100},
         {50, 88},
         {50, 62},
         {28, 46}}}},
      // 9: with a straight stem; with a hooked tail
      {{{{50, 18}, {32, 2}, {10, 10}, {4, 34}, {20, 50}, {42, 42}, {51, 16, corner}, {49, 60}, {44, 100}}},
       {{{50, 16}, {30, 1}, {8, 12}, {5, 38}, {26, 48}, {46, 34}, {51, 14, corner}, {53, 58}, {42, 92}, {12, 97}}}},
  }};
  return glyphs;
}

struct Point {
  double x, y;
};

/// A piece of a stroke in pixels: a line from `a` to `b` with a pen radius at either end.
struct Line {
  Point a, b;
  double a_radius, b_radius;
};

/// `mean` give or take: normal, cut at two deviations.
double vary(Random& random, double mean, double deviation) {
  return mean + deviation * std::clamp(random.normal(), -2.0, 2.0);
}
double between(Random& random, double low, double high) { return low + (high - low) * random.uniform(); }

/// How one writer holds the plane: a bend of the paper, then slant, turn and size.
struct Writing {
  double bend_x, bend_y, swell;  // quadratic
  double xx, xy, yx, yy;         // linear
  double radius, pressure;       // of the pen in pixels, and how the radius changes along a stroke
  double softness, ink, noise;   // width of the edge in pixels; blackness; of every pixel
  double shift_x, shift_y;       // from the middle, in pixels

  explicit Writing(Random& random)
      : bend_x(vary(random, 0, 0.18)), bend_y(vary(random, 0, 0.15)), swell(vary(random, 0, 0.22)) {
    const double height = between(random, 16.0, 21.5);  // pixels
    const double width = height * vary(random, 1.0, 0.17);
    const double slant = vary(random, 0.08, 0.18);
    const double t = vary(random, 0, 0.065);  // tangent of half the turn
    const double cosine = (1 - t * t) / (1 + t * t), sine = 2 * t / (1 + t * t);
    xx = cosine * width;
    xy = -sine * height - cosine * slant * width;
    yx = sine * width;
    yy = cosine * height - sine * slant * width;
    radius = between(random, 0.75, 1.75);
    pressure = vary(random, 0, 0.2);
    softness = between(random, 0.8, 1.9);
    ink = between(random, 0.8, 1.0);
    noise = 12 * random.uniform() * random.uniform();
    shift_x = vary(random, 0, 0.9);
    shift_y = vary(random, 0, 0.9);
  }

  /// A place of the unit glyph, its middle at (0, 0), in pixels around the middle of the image.
  Point place(double x, double y) const {
    const double u = x + bend_x * y * y + swell * x * y;
    const double v = y + bend_y * x * (x + y);
    return {xx * u + xy * v, yx * u + yy * v};
  }
};

/// The uniform Catmull-Rom curve from b to c at t in [0, 1], with neighbours a and d.
double through(double a, double b, double c, double d, double t) {
  return b + 0.5 * t * ((c - a) + t * ((2 * a - 5 * b + 4 * c - d) + t * (3 * (b - c) + d - a)));
}

/// Appends the curve through the knots as short lines. At a corner the curve starts anew.
void flatten(const Stroke& knots, const Writing& writing, std::vector<Line>& lines) {
  constexpr int pieces = 6;  // a knot interval
  const std::size_t last = knots.size() - 1;
  const auto radius_at = [&](double way) { return writing.radius * (1 + writing.pressure * (2 * way - 1)); };
  for (std::size_t k = 0; k < last; ++k) {
    const Knot &b = knots[k], &c = knots[k + 1];
    const Knot& a = k == 0 || b.turn == Turn::corner ? b : knots[k - 1];
    const Knot& d = k + 1 == last || c.turn == Turn::corner ? c : knots[k + 2];
    const auto end_of = [&](int piece) {
      const double t = static_cast<double>(piece) / pieces;
      return writing.place(through(a.x, b.x, c.x, d.x, t), through(a.y, b.y, c.y, d.y, t));
    };
    for (int piece = 0; piece < pieces; ++piece) {
      const double way = static_cast<double>(k) + static_cast<double>(piece) / pieces;
      const double whole = static_cast<double>(last);
      lines.push_back(
          {end_of(piece), end_of(piece + 1), radius_at(way / whole), radius_at((way + 1.0 / pieces) / whole)});
    }
  }
}

/// The glyph with shaken knots, as lines in pixels, its middle moved to the image's middle and shifted.
std::vector<Line> write(const Glyph& glyph, const Writing& writing, Random& random) {
  std::vector<Line> lines;
  for (Stroke stroke : glyph) {
    for (Knot& knot : stroke) {
      knot.x = vary(random, knot.x, 3.2) / 100 - 0.3;
      knot.y = vary(random, knot.y, 3.2) / 100 - 0.5;
    }
    flatten(stroke, writing, lines);
  }
  Point low = lines[0].a, high = lines[0].a;
  for (const Line& line : lines) {
    low = {std::min(low.x, line.b.x), std::min(low.y, line.b.y)};
    high = {std::max(high.x, line.b.x), std::max(high.y, line.b.y)};
  }
  constexpr double middle = 0.5 * static_cast<double>(digit_extent - 1);
  const double dx = middle + writing.shift_x - 0.5 * (low.x + high.x);
  const double dy = middle + writing.shift_y - 0.5 * (low.y + high.y);
  for (Line& line : lines) {
    for (Point* end : {&line.a, &line.b}) *end = {end->x + dx, end->y + dy};
  }
  return lines;
}

using Ink = std::array<double, digit_extent * digit_extent>;  // 0 paper, 1 ink

/// Inks the pixels near one line: full inside the pen's radius, falling to none over the softness.
void stroke_line(const Line& line, double softness, Ink& ink) {
  const double reach = std::max(line.a_radius, line.b_radius) + 0.5 * softness;
  const auto first = [&](double p, double q) {
    return static_cast<Index>(std::clamp(std::min(p, q) - reach, 0.0, double(digit_extent - 1)));
  };
  const auto last = [&](double p, double q) {
    return static_cast<Index>(std::clamp(std::max(p, q) + reach + 1, 0.0, double(digit_extent - 1)));
  };
  const double ux = line.b.x - line.a.x, uy = line.b.y - line.a.y;
  const double length2 = ux * ux + uy * uy;
  for (Index y = first(line.a.y, line.b.y); y <= last(line.a.y, line.b.y); ++y) {
    for (Index x = first(line.a.x, line.b.x); x <= last(line.a.x, line.b.x); ++x) {
      const double px = static_cast<double>(x) - line.a.x, py = static_cast<double>(y) - line.a.y;
      const double t = length2 > 0 ? std::clamp((px * ux + py * uy) / length2, 0.0, 1.0) : 0.0;
      const double ex = px - t * ux, ey = py - t * uy;
      const double radius = line.a_radius + t * (line.b_radius - line.a_radius);
      const double cover = std::clamp(0.5 + (radius - std::sqrt(ex * ex + ey * ey)) / softness, 0.0, 1.0);
      double& pixel = ink[static_cast<std::size_t>(y * digit_extent + x)];
      pixel = std::max(pixel, cover);
    }
  }
}

}  // namespace

void draw_digit(std::uint64_t seed, Index index, TensorView<std::uint8_t, 2> image) {
  detail::require(image.shape() == Shape(digit_extent, digit_extent), "draw_digit", "image must be [28, 28]",
                  image.shape());
  detail::require(index >= 0, "draw_digit", "index must be >= 0", index);
  Random random(Random(seed).next() + static_cast<std::uint64_t>(index));  // far from the images of other seeds
  const std::vector<Glyph>& ways = alphabet()[static_cast<std::size_t>(index % digit_classes)];
  const Glyph& glyph = ways[static_cast<std::size_t>(random.below(static_cast<Index>(ways.size())))];
  const Writing writing(random);
  Ink ink{};
  for (const Line& line : write(glyph, writing, random)) stroke_line(line, writing.softness, ink);
  for (Index y = 0; y < digit_extent; ++y) {
    for (Index x = 0; x < digit_extent; ++x) {
      const double cover = ink[static_cast<std::size_t>(y * digit_extent + x)];
      const double value = 255 * writing.ink * cover + writing.noise * random.normal();
      image(y, x) = static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
    }
  }
}

Tensor<std::uint8_t, 3> draw_digits(std::uint64_t seed, Index count) {
  Tensor<std::uint8_t, 3> images({count, digit_extent, digit_extent});
  constexpr Index part = 64;  // images a task
  detail::parallel_for((count + part - 1) / part, [&](Index task) {
    for (Index i = task * part; i < std::min(count, (task + 1) * part); ++i) draw_digit(seed, i, images[i]);
  });
  return images;
}

}  // namespace unfold::program
