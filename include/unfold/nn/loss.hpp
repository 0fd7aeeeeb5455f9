// SPDX-License-Identifier: MIT
// SoftmaxCrossEntropy<T>: the loss of a classifier, its gradient, and the count of right answers.
// takes logits [N, classes], labels [N] -> gives the summed loss; backward gives dlogits.
#pragma once

#include <unfold/core/tensor.hpp>
#include <unfold/nn/layer.hpp>
#include <unfold/nn/scalar.hpp>

#include <cmath>

namespace unfold {

/// Minus the logarithm of the probability that softmax gives to the right class, summed over the batch.
///
///   p = exp(z - max z) / sum exp(z - max z)     per row z of logits
///   loss = sum over rows of -log p[label]        dlogits = p - onehot(label)
///
/// Shape   logits [N, classes], labels [N] -> dlogits [N, classes]
/// Writes  dlogits lives here until the next forward; nothing of logits or labels is kept
/// Errors  ShapeError if a shape differs or a label is no class; StateError if backward precedes forward
/// Source  C. Bishop, Pattern Recognition and Machine Learning, 2006, eq. 4.108 and 4.109
template <class T>
  requires detail::Ordered<T>
class SoftmaxCrossEntropy {
 public:
  using value_type = T;

  T forward(TensorView<const T, 2> logits, TensorView<const Index, 1> labels) {
    using std::exp, std::log;
    const Index N = logits.shape(0), classes = logits.shape(1);
    check(logits.shape(), labels);
    dlogits_.reshape_for_overwrite(logits.shape());
    correct_ = 0;
    A loss(0);
    for (Index n = 0; n < N; ++n) {
      const auto z = logits[n];           // [classes]
      const auto p = dlogits_.view()[n];  // [classes]
      Index best = 0;
      for (Index k = 1; k < classes; ++k) {
        if (z(best) < z(k)) best = k;
      }
      A sum(0);
      for (Index k = 0; k < classes; ++k) {
        p(k) = T(exp(T(z(k) - z(best))));
        sum += A(p(k));
      }
      for (Index k = 0; k < classes; ++k) p(k) = T(A(p(k)) / sum);
      p(labels(n)) -= T(1);
      loss += A(log(sum)) - A(z(labels(n)) - z(best));
      correct_ += best == labels(n) ? 1 : 0;
    }
    kept_ = true;
    return T(loss);
  }

  /// dlogits of the last forward, summed loss: not divided by N.
  const Tensor<T, 2>& backward() const {
    if (!kept_) throw StateError("unfold::SoftmaxCrossEntropy::backward: call forward first");
    return dlogits_;
  }

  /// Rows of the last forward whose largest logit, the first of equals, is the label's.
  Index correct() const { return correct_; }

 private:
  using A = detail::Accumulator<T>;

  static void check(const Shape<2>& logits, TensorView<const Index, 1> labels) {
    constexpr auto function = "SoftmaxCrossEntropy::forward";
    detail::require(logits[1] >= 1, function, "logits must be [N, classes] with classes >= 1", logits);
    if (labels.shape(0) != logits[0]) {
      detail::fail(function, "labels must be [" + std::to_string(logits[0]) + "]", to_string(labels.shape()));
    }
    for (Index n = 0; n < logits[0]; ++n) {
      if (labels(n) >= 0 && labels(n) < logits[1]) continue;
      detail::fail(function, "labels must be in [0, " + std::to_string(logits[1]) + ")",
                   std::to_string(labels(n)) + " at index " + std::to_string(n));
    }
  }

  Tensor<T, 2> dlogits_;
  Index correct_ = 0;
  bool kept_ = false;
};

}  // namespace unfold
