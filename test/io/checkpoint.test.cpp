// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/files.hpp"

#include <unfold/io/checkpoint.hpp>

using unfold::FormatError;
using unfold::Index;
using unfold::load_checkpoint;
using unfold::Metadata;
using unfold::save_checkpoint;
using unfold::Shape;
using unfold::Tensor;
using unfold::test::error_of;
using unfold::test::ScratchFolder;
using unfold::test::write_whole;

namespace {

/// All that a checkpoint asks of a network.
struct Net {
  Tensor<float, 4> weights{{2, 3, 1, 5}};
  Tensor<double, 1> bias{Shape<1>(2)};
  bool with_bias = true;

  explicit Net(double start) {
    for (Index i = 0; i < weights.size(); ++i) weights.data()[i] = static_cast<float>(start + static_cast<double>(i));
    bias.fill(start);
  }

  template <class Visit>
  void visit_state(Visit&& visit) {
    visit("0.weights", weights.view());
    if (with_bias) visit("1.0.bias", bias.view());
  }
};

/// What loading into a net that started at 100 says; the net must be unchanged.
template <class AnyNet = Net>
std::string load_error(const std::filesystem::path& path, AnyNet net = AnyNet(100)) {
  const AnyNet before = net;
  const std::string message = error_of<FormatError>([&] { load_checkpoint(path, net); });
  CHECK(net.weights == before.weights);
  CHECK(net.bias == before.bias);
  return message;
}

}  // namespace

TEST_CASE("a network's whole state comes back, and the strings beside it") {
  const ScratchFolder folder;
  Net saved(1);
  save_checkpoint(folder / "c", saved, {{"epoch", "3"}, {"generator", "18446744073709551615"}});
  Net loaded(100);
  CHECK(load_checkpoint(folder / "c", loaded) == Metadata{{"epoch", "3"}, {"generator", "18446744073709551615"}});
  CHECK(loaded.weights == saved.weights);
  CHECK(loaded.bias == saved.bias);
}

TEST_CASE("a checkpoint that is not the network's is refused, and nothing of it is taken over") {
  const ScratchFolder folder;
  const std::filesystem::path path = folder / "c";
  const std::string read = "unfold::Safetensors::read: " + path.string() + ": tensor ";

  Net without(1);
  without.with_bias = false;
  save_checkpoint(path, without);
  CHECK(load_error(path) == read + "\"1.0.bias\" must be in the file, got 1 tensors of other names");

  Net whole(1);
  save_checkpoint(path, whole);
  without = Net(100);
  without.with_bias = false;
  CHECK(load_error(path, without) ==
        "unfold::load_checkpoint: " + path.string() + ": every tensor must be part of the network, got \"1.0.bias\"");

  Net longer(1);
  longer.bias = Tensor<double, 1>(Shape<1>(3));
  save_checkpoint(path, longer);
  CHECK(load_error(path) == read + "\"1.0.bias\" must have shape [2], got [3]");

  const Tensor<float, 1> single(Shape<1>(2));
  unfold::save_safetensors(path, {{"0.weights", whole.weights}, {"1.0.bias", single}});
  CHECK(load_error(path) == read + "\"1.0.bias\" must be F64, got F32");

  write_whole(path, "{}");
  CHECK(load_error(path) ==
        "unfold::Safetensors: " + path.string() + ": the file must be at least 8 bytes long, got 2");
}
