// SPDX-License-Identifier: MIT
#include "dataset.hpp"

#include "packed.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/shared_data.hpp"

#include <unfold/io/idx.hpp>

#include <array>
#include <cmath>
#include <string>
#include <system_error>
#include <vector>

namespace unfold::program {
namespace {

using test::error_of, test::ScratchFolder;

/// `count` images of 2x3 pixels, image i filled with 10*i + `first` and labelled i % 10.
void write_part(const ScratchFolder& folder, const std::string& part, Index count, std::uint8_t first = 0) {
  Tensor<std::uint8_t, 3> images({count, 2, 3});
  Tensor<std::uint8_t, 1> labels({count});
  for (Index i = 0; i < count; ++i) {
    images[i].fill(static_cast<std::uint8_t>(10 * i + first));
    labels(i) = static_cast<std::uint8_t>(i % 10);
  }
  write_idx(folder / (part + "-images-idx3-ubyte"), images);
  write_idx(folder / (part + "-labels-idx1-ubyte"), labels);
}

TEST_CASE("the drawn digits are 10,000 and 2,000 of ten classes as large as one another") {
  const Dataset data = drawn_digits();
  CHECK(data.training.pixels.shape() == Shape(10000, 28, 28));
  CHECK(data.held_out.pixels.shape() == Shape(2000, 28, 28));
  for (const LabelledImages* part : {&data.training, &data.held_out}) {
    std::array<Index, classes> count{};
    for (Index i = 0; i < part->size(); ++i) ++count[static_cast<std::size_t>(part->labels(i))];
    for (const Index n : count) CHECK(n == part->size() / classes);
  }
}

TEST_CASE("a folder with train and t10k gives both as they are") {
  const ScratchFolder folder;
  write_part(folder, "train", 7);
  write_part(folder, "t10k", 3, 5);
  const Dataset data = read_dataset(folder.path());
  CHECK(data.training.size() == 7);
  CHECK(data.held_out.size() == 3);
  CHECK(data.training.pixels(6, 1, 2) == 60);
  CHECK(data.held_out.pixels(2, 0, 0) == 25);
  CHECK(data.held_out.labels(2) == 2);
}

TEST_CASE("of a lone t10k the last tenth is held out") {
  const ScratchFolder folder;
  write_part(folder, "t10k", 25);
  const Dataset data = read_dataset(folder.path());
  CHECK(data.training.size() == 23);
  CHECK(data.held_out.size() == 2);
  CHECK(data.held_out.pixels(0, 0, 0) == 230);
  CHECK(data.held_out.labels(1) == 4);
  write_part(folder, "t10k", 2);
  CHECK(read_dataset(folder.path()).held_out.size() == 1);
}

TEST_CASE("files packed by gzip and files of the older spelling are found") {
  const ScratchFolder folder;
  write_part(folder, "t10k", 20);
  const std::uint32_t plain = read_dataset(folder.path()).fingerprint();
  const auto images = folder / "t10k-images-idx3-ubyte", labels = folder / "t10k-labels-idx1-ubyte";
  test::write_whole(folder / "t10k-images-idx3-ubyte.gz", test::packed(test::read_whole(images)));
  std::filesystem::remove(images);
  std::filesystem::rename(labels, folder / "t10k-labels.idx1-ubyte");
  CHECK(read_dataset(folder.path()).fingerprint() == plain);
}

TEST_CASE("the fingerprint tells data apart: by a pixel, a label, the split") {
  const ScratchFolder folder;
  write_part(folder, "t10k", 20);
  const Dataset data = read_dataset(folder.path());
  Dataset other = data;
  CHECK(other.fingerprint() == data.fingerprint());
  other.training.pixels(3, 1, 1) += 1;
  CHECK(other.fingerprint() != data.fingerprint());
  other = data;
  other.held_out.labels(1) = 0;
  CHECK(other.fingerprint() != data.fingerprint());
  const Index split = 17;
  other = {{Tensor<std::uint8_t, 3>(data.training.pixels.slice(0, 0, split)), Tensor<Index, 1>({split})},
           data.held_out};
  CHECK(other.fingerprint() != data.fingerprint());
}

TEST_CASE("a folder without the files, or with files that do not fit one another, is refused by name") {
  const ScratchFolder folder;
  const std::string images = (folder / "t10k-images-idx3-ubyte").string();
  const std::string labels = (folder / "t10k-labels-idx1-ubyte").string();
  const auto refused = [&] { return error_of<FormatError>([&] { read_dataset(folder.path()); }); };
  CHECK(error_of<std::system_error>([&] { read_dataset(folder.path()); }) ==
        images + "[.gz]: No such file or directory");
  CHECK(error_of<std::system_error>([&] { read_dataset(folder / "none"); }) ==
        (folder / "none").string() + ": Not a directory");

  write_part(folder, "t10k", 5);
  write_idx(labels, Tensor<std::uint8_t, 1>({4}));
  CHECK(refused() == labels + ": must hold one label an image, 5, got 4");

  Tensor<std::uint8_t, 1> wrong({5}, 9);
  wrong(3) = 10;
  write_idx(labels, wrong);
  CHECK(refused() == labels + ": label 3 must be at most 9, got 10");

  write_part(folder, "t10k", 1);
  CHECK(refused() == folder.path().string() + ": a lone t10k must hold 2 images, got 1");
  write_part(folder, "t10k", 0);
  CHECK(refused() == labels + ": the set is empty");

  write_part(folder, "train", 4);
  write_idx(images, Tensor<std::uint8_t, 3>({3, 2, 4}));
  write_idx(labels, Tensor<std::uint8_t, 1>({3}));
  CHECK(refused() == folder.path().string() + ": train and t10k images must have one size, got [2, 3] and [2, 4]");

  test::write_whole(images, test::read_whole(images).substr(0, 20));
  CHECK(refused() ==
        "unfold::parse_idx: " + images + ": shape [3, 2, 4] of uint8 needs 24 bytes from byte 16 to the end, got 4");
}

TEST_CASE("MNIST's ten thousand test images are split 9,000 to 1,000") {
  const std::filesystem::path mnist = test::shared("data/mnist");
  if (mnist.empty()) SKIP(test::absent("data/mnist"));
  const Dataset data = read_dataset(mnist);
  CHECK(data.training.pixels.shape() == Shape(9000, 28, 28));
  CHECK(data.held_out.pixels.shape() == Shape(1000, 28, 28));
  CHECK(data.training.labels(0) == 7);
  CHECK(data.held_out.labels(999) == 6);
}

TEST_CASE("scaled pixels have mean 0 and variance 1 over the training images") {
  LabelledImages images{Tensor<std::uint8_t, 3>({2, 1, 2}), Tensor<Index, 1>({2})};
  images.pixels(0, 0, 0) = 1;  // 1, 3, 5, 7: mean 4, variance 5
  images.pixels(0, 0, 1) = 3;
  images.pixels(1, 0, 0) = 5;
  images.pixels(1, 0, 1) = 7;
  const PixelScale scale(images);
  CHECK(scale.mean() == 4);
  CHECK(scale.deviation() == std::sqrt(5.0));
  images.pixels.fill(200);
  CHECK(PixelScale(images).mean() == 200);
  CHECK(PixelScale(images).deviation() == 1);
}

TEST_CASE("a batch is gathered in its order, each image moved by its own shift and 0 coming in") {
  LabelledImages images{Tensor<std::uint8_t, 3>({2, 2, 3}), Tensor<Index, 1>({2})};
  for (Index i = 0; i < 12; ++i) images.pixels.data()[i] = static_cast<std::uint8_t>(i + 1);
  images.labels(0) = 3;
  images.labels(1) = 8;
  const PixelScale scale(images);
  const std::vector<Index> which{1, 0, 1};
  const std::vector<Shift> shifts{{0, 0}, {1, -1}, {0, 2}};
  Tensor<double, 4> x({1, 1, 1, 1}, NAN);
  Tensor<Index, 1> labels;
  scale.gather(images, {which, shifts}, x, labels);
  const std::vector<int> expected{7, 8, 9, 10, 11, 12,  //
                                  0, 0, 0, 2,  3,  0,   //
                                  0, 0, 7, 0,  0,  10};
  REQUIRE(x.shape() == Shape(3, 1, 2, 3));
  for (Index i = 0; i < x.size(); ++i) {
    CAPTURE(i);
    CHECK(x.data()[i] == (expected[static_cast<std::size_t>(i)] - scale.mean()) / scale.deviation());
  }
  CHECK((labels(0) == 8 && labels(1) == 3 && labels(2) == 8));
  scale.gather(images, {std::span(which).first(1), {}}, x, labels);
  CHECK(x.shape() == Shape(1, 1, 2, 3));
  CHECK(x(0, 0, 1, 2) == (12 - scale.mean()) / scale.deviation());
}

}  // namespace
}  // namespace unfold::program
