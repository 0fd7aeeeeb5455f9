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

  /// The images `which` as numbers, and their labels.
  ///
  /// Shape   x [which.size(), 1, H, W], labels [which.size()]: both are given these shapes and overwritten
  template <class T>
  void gather(const LabelledImages& images, std::span<const Index> which, Tensor<T, 4>& x,
              Tensor<Index, 1>& labels) const {
    const Index N = static_cast<Index>(which.size()), H = images.pixels.shape(1), W = images.pixels.shape(2);
    x.reshape_for_overwrite({N, 1, H, W});
    labels.reshape_for_overwrite({N});
    for (Index n = 0; n < N; ++n) {
      const Index image = which[static_cast<std::size_t>(n)];
      labels(n) = images.labels(image);
      const std::uint8_t* const pixels = images.pixels.data() + image * H * W;
      T* const numbers = x.data() + n * H * W;
      for (Index p = 0; p < H * W; ++p) numbers[p] = static_cast<T>(number_of_[pixels[p]]);
    }
  }

 private:
  double mean_, deviation_;
  std::array<double, 256> number_of_;
};

}  // namespace unfold::program
