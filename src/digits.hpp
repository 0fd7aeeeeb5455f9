// SPDX-License-Identifier: MIT
// Images the program draws itself: ten classes of handwritten-like digits from stroke skeletons, with random
// style, affine map, thickness, blur and noise. The same bytes on every machine: digits.cpp calls only sqrt
// of the mathematical library, and is compiled without contraction of a*b + c.
#pragma once

#include <unfold/core/tensor.hpp>

#include <cstdint>

namespace unfold::program {

inline constexpr Index digit_extent = 28;   // height and width of a drawn image
inline constexpr Index digit_classes = 10;  // image `index` of a sequence shows the digit index % 10

/// Draws image `index` of the endless sequence that `seed` names: ink 255 on paper 0.
///
/// Shape   image [28, 28]
/// Errors  ShapeError if image has another shape or index is negative
void draw_digit(std::uint64_t seed, Index index, TensorView<std::uint8_t, 2> image);

/// Images [0, count) of the sequence: [count, 28, 28].
Tensor<std::uint8_t, 3> draw_digits(std::uint64_t seed, Index count);

}  // namespace unfold::program
