// SPDX-License-Identifier: MIT
// The network of src/lenet.cpp as a user of libtorch writes it, with autograd and the optimiser that it brings.
#pragma once

#include <unfold/core/tensor.hpp>
#include <unfold/nn/sgd.hpp>

#include <filesystem>
#include <functional>

namespace unfold::bench {

/// A training step on images [begin, begin + count); returns the loss summed over them.
using Step = std::function<double(Index begin, Index count)>;

/// The network with the parameters of a checkpoint of ours, on so many threads. Its images are numbers already: it need
/// not make them of bytes, as ours must in each step.
///
/// Shape   x [N, 1, 28, 28], labels [N]: they must outlive it
template <class T>
Step torch_lenet(const std::filesystem::path& checkpoint, Tensor<T, 4>& x, Tensor<Index, 1>& labels,
                 const SgdArgs& args, int threads);

}  // namespace unfold::bench
