// SPDX-License-Identifier: MIT
// Labelled grey images in two parts, one to train on and one held out, and their pixels as numbers.
#pragma once

#include <unfold/core/tensor.hpp>

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>

namespace unfold::program {

inline constexpr Index classes = 10;  // labels are 0..9

struct LabelledImages {
  Tensor<std::uint8_t, 3> pixels;  // [N, H, W]
  Tensor<Index, 1> labels;         // [N]
  Index size() const { return labels.size(); }
};

/// By how many pixels an image is moved; what comes in from outside is 0.
struct Shift {
  Index down, right;
};

/// Some of a set of images, in an order, and each moved a little.
struct Batch {
  std::span<const Index> which;
  std::span<const Shift> shifts;  // as many, or empty for none
  Index size() const { return static_cast<Index>(which.size()); }
};

struct Dataset {
  LabelledImages training, held_out;

  /// A CRC-32 of every shape, pixel and label: a run is resumed only on the data it began with.
  std::uint32_t fingerprint() const;
};

/// The digits the program draws itself: 10,000 to train on and 2,000 held out, the same on every machine.
Dataset drawn_digits();

/// A folder of IDX files with MNIST's names, plain or .gz: the pair train-* and t10k-*, or t10k-* alone, whose last
/// tenth is then held out.
///
/// Errors  std::system_error for a file missing or unreadable; FormatError if one is damaged, the counts of images
///         and labels differ, a label is over 9, or a part is empty
Dataset read_dataset(const std::filesystem::path& folder);

/// Splits off the last tenth (at least one image) of `images` as held out.
Dataset split_nine_to_one(const LabelledImages& images);

/// How a byte becomes a number: with mean 0 and variance 1 over the training images.
class PixelScale {
 public:
  /// From the exact integer sums over all pixels of `images`.
  explicit PixelScale(const LabelledImages& images);

  double mean() const { return mean_; }            // in [0, 255]
  double deviation() const { return deviation_; }  // 1 where all pixels are equal

  /// The images of a batch as numbers, and their labels.
  ///
  /// Shape   x [batch.size(), 1, H, W], labels [batch.size()]: both are given these shapes and overwritten
  template <class T>
  void gather(const LabelledImages& images, const Batch& batch, Tensor<T, 4>& x, Tensor<Index, 1>& labels) const {
    const Index N = batch.size(), H = images.pixels.shape(1), W = images.pixels.shape(2);
    x.reshape_for_overwrite({N, 1, H, W});
    labels.reshape_for_overwrite({N});
    for (Index n = 0; n < N; ++n) {
      const auto i = static_cast<std::size_t>(n);
      const Shift shift = batch.shifts.empty() ? Shift{0, 0} : batch.shifts[i];
      const auto pixels = images.pixels[batch.which[i]];  // [H, W]
      const auto number = x[n][0];                        // [H, W]
      labels(n) = images.labels(batch.which[i]);
      for (Index h = 0; h < H; ++h) {
        for (Index w = 0; w < W; ++w) {
          const Index from_h = h - shift.down, from_w = w - shift.right;
          const bool inside = from_h >= 0 && from_h < H && from_w >= 0 && from_w < W;
          number(h, w) = static_cast<T>(number_of_[inside ? pixels(from_h, from_w) : 0]);
        }
      }
    }
  }

 private:
  double mean_, deviation_;
  std::array<double, 256> number_of_;
};

}  // namespace unfold::program
