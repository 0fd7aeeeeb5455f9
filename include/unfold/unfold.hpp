// SPDX-License-Identifier: MIT
// unfold: tensors, im2col as a view, and the training of 2-D convolutions.
// This is the one header to include; the list below is the order in which data flows.
#pragma once

// clang-format off: sorting would lose the order
#include <unfold/core/error.hpp>
#include <unfold/core/shape.hpp>
#include <unfold/core/view.hpp>
#include <unfold/core/tensor.hpp>
#include <unfold/core/eigen_map.hpp>
#include <unfold/core/conv2d_options.hpp>
#include <unfold/core/geometry.hpp>
#include <unfold/core/workspace.hpp>
#include <unfold/core/threads.hpp>
#include <unfold/core/random.hpp>
#include <unfold/core/text.hpp>
#include <unfold/core/json_text.hpp>
#if __has_include(<fmt/core.h>)
#include <unfold/core/print.hpp>
#endif
#include <unfold/engine/isa.hpp>
#include <unfold/engine/rows.hpp>
#include <unfold/engine/tile.hpp>
#include <unfold/engine/transpose.hpp>
#include <unfold/engine/few.hpp>
#include <unfold/engine/kernels.hpp>
#include <unfold/engine/stencil.hpp>
#include <unfold/engine/filters.hpp>
#include <unfold/engine/blocks.hpp>
#include <unfold/engine/pixel_lanes.hpp>
#include <unfold/engine/channel_lanes.hpp>
#include <unfold/engine/channel_phases.hpp>
#include <unfold/engine/contract.hpp>
#include <unfold/engine/few_channels.hpp>
#include <unfold/engine/few_phases.hpp>
#include <unfold/engine/few_pixels.hpp>
#include <unfold/engine/group_lanes.hpp>
#include <unfold/engine/scatter.hpp>
#include <unfold/engine/products.hpp>
#include <unfold/lowering/channels.hpp>
#include <unfold/lowering/patch_matrix.hpp>
#include <unfold/lowering/patch_products.hpp>
#include <unfold/lowering/im2col.hpp>
#include <unfold/lowering/col2im.hpp>
#include <unfold/lowering/groups.hpp>
#include <unfold/nn/scalar.hpp>
#include <unfold/nn/layer.hpp>
#include <unfold/nn/sgd.hpp>
#include <unfold/nn/activation_formulas.hpp>
#include <unfold/nn/activation.hpp>
#include <unfold/nn/batch_norm.hpp>
#include <unfold/nn/conv2d_products.hpp>
#include <unfold/nn/conv2d.hpp>
#include <unfold/nn/pooling.hpp>
#include <unfold/nn/dense.hpp>
#include <unfold/nn/flatten.hpp>
#include <unfold/nn/loss.hpp>
#include <unfold/nn/residual.hpp>
#include <unfold/nn/sequential.hpp>
#include <unfold/verify/reference.hpp>
#include <unfold/verify/gradient_report.hpp>
#include <unfold/verify/gradient_text.hpp>
#include <unfold/verify/claim.hpp>
#include <unfold/verify/central_differences.hpp>
#include <unfold/verify/directions.hpp>
#include <unfold/verify/infinitesimals.hpp>
#include <unfold/verify/layer_under_check.hpp>
#include <unfold/verify/gradient_check.hpp>
#include <unfold/io/element.hpp>
#include <unfold/io/file.hpp>
#include <unfold/io/cursor.hpp>
#include <unfold/io/npy.hpp>
#include <unfold/io/idx.hpp>
#include <unfold/io/json.hpp>
#include <unfold/io/safetensors.hpp>
#include <unfold/io/checkpoint.hpp>
// clang-format on
