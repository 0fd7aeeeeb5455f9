// SPDX-License-Identifier: MIT
// LayerUnderCheck: a layer at a point, its outputs and what it claims of their derivatives, ready for an engine; and
// what its conduct is: repeatable, touching nothing but its own, leaving nothing old in its outputs.
// See docs/06_gradient_checks.md.
#pragma once

#include <unfold/nn/layer.hpp>
#include <unfold/verify/claim.hpp>

#include <cmath>       // std::isfinite
#include <cstring>     // std::memcmp
#include <functional>  // std::less
#include <utility>     // std::pair
#include <vector>

namespace unfold::detail {

/// All that a check may change in a layer, its parameters among it, put back at the end: by address, since asking the
/// layer for its state again may need memory, and there may be none.
template <class T>
class KeptState {
 public:
  template <class L>
  explicit KeptState(L& layer) {
    const auto keep = [&](T& value) { kept_.emplace_back(&value, value); };
    const auto of_state = [&](std::string_view, auto view) { for_each_element(view, keep); };
    const auto of_parameters = [&](std::string_view, auto value, auto) { for_each_element(value, keep); };
    visit_state(layer, "", of_state);
    visit_parameters(layer, "", of_parameters);
  }
  KeptState(const KeptState&) = delete;
  KeptState& operator=(const KeptState&) = delete;
  ~KeptState() {
    for (const auto& [place, value] : kept_) *place = value;
  }

 private:
  std::vector<std::pair<T*, T>> kept_;
};

/// Whether two lists of numbers are the same: to the last bit, but any NaN like any other.
template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](T x, T y) {
    return (x == y && std::signbit(x) == std::signbit(y)) || (std::isnan(x) && std::isnan(y));
  });
}

template <class T>
bool new_nan(const std::vector<T>& now, const std::vector<T>& before) {
  for (std::size_t i = 0; i < std::min(now.size(), before.size()); ++i) {
    if (std::isnan(now[i]) && !std::isnan(before[i])) return true;
  }
  return false;
}

template <class L, AnyTensor X>
class LayerUnderCheck {
 public:
  using T = ValueOf<X>;

  /// At x and the layer's parameters; with the engine of integers both are drawn. The weights c of the outputs are
  /// drawn too, of either sign, or all 1.
  LayerUnderCheck(L& layer, const X& x, const GradientCheckOptions& options, bool drawn_weights)
      : layer_(layer), options_(checked(options)), kept_(layer), point_(ReadableView<X>(x)) {
    Random random(options.seed);
    const bool integers = options.engine == GradientEngine::integers;
    const auto draw_element = [&](T& element) { element = static_cast<T>(draw(random, integers)); };
    const bool draws_point = integers && drawn_weights;
    if (draws_point) for_each_element(point_.view(), draw_element);
    claims_.push_back(claim("x", point_.view()));
    const auto add_claim = [&](std::string_view name, auto value, auto gradient) {
      if (draws_point) for_each_element(value, draw_element);
      gradient.fill(T(0));
      claims_.push_back(claim(name, value));
    };
    visit_parameters(layer_, "", add_claim);
    require_finite();
    const std::vector<std::vector<T>> values = current_values();

    weigh_outputs([&](T& c) {
      c = T(1);
      if (drawn_weights) draw_element(c);
    });
    std::vector<T> y, dx;
    run(y, dx);
    note_gradients(dx);
    look_at_conduct(y, dx, values);
  }

  /// The outputs at the current values of all claims.
  void outputs(std::vector<T>& y) {
    y = elements(readable(layer_.forward(std::as_const(point_).view(), Mode::training)));
  }

  /// The layer forgets the point, and its gradients are zero. All else comes back with the end of this object.
  void finish() {
    zero_gradients(T(0));
    layer_.forward(std::as_const(point_).view(), Mode::inference);
  }

  GradientReport report(std::string engine) { return {std::move(engine), options_.seed, {}, findings_}; }

  /// Of x, then of the parameters.
  std::vector<Claim<T>>& claims() { return claims_; }
  /// c, flat.
  const std::vector<T>& weights() const { return weights_; }

 private:
  using Y = std::remove_cvref_t<decltype(std::declval<L&>().forward(std::declval<ReadableView<X>>(), Mode::training))>;

  static GradientCheckOptions checked(const GradientCheckOptions& options) {
    require(options.coordinates >= 1, "gradient_check", "coordinates must be >= 1", options.coordinates);
    require(options.directions >= 1, "gradient_check", "directions must be >= 1", options.directions);
    require(std::isfinite(options.roundings) && options.roundings >= 0, "gradient_check",
            "roundings must be finite and >= 0", options.roundings);
    return options;
  }

  void require_finite() const {
    for (const Claim<T>& claim : claims_) {
      for (std::size_t j = 0; j < claim.size(); ++j) {
        if (std::isfinite(*claim.at[j])) continue;
        fail("gradient_check", claim.name + " must be finite",
             std::to_string(*claim.at[j]) + " as element " + std::to_string(j));
      }
    }
  }

  /// Another point of the same kind: x back to front or, where that is x again, an eighth nearer to zero, and off it.
  Tensor<T, X::rank> other_point() const {
    Tensor<T, X::rank> other = point_;
    std::reverse(other.data(), other.data() + other.size());
    if (other == point_) {
      for_each_element(other.view(), [](T& q) { q = q == T(0) ? T(0.125) : q * T(0.875); });
    }
    return other;
  }

  /// Draws c, of y's shape, in a first pass at another point: what a layer keeps from it and uses later is wrong at x.
  template <class Draw>
  void weigh_outputs(const Draw& draw_weight) {
    const Tensor<T, X::rank> other = other_point();
    const ReadableView<X> input = std::as_const(other).view();
    c_ = Tensor<T, Y::rank>(readable(layer_.forward(input, Mode::training)));
    for_each_element(c_.view(), draw_weight);
    weights_ = elements(c_.view());
    layer_.backward(c_, InputGradient::compute);
    zero_gradients(T(0));
  }

  void zero_gradients(T value) {
    const auto fill = [&](std::string_view, auto, auto gradient) { gradient.fill(value); };
    visit_parameters(layer_, "", fill);
  }

  /// One forward and backward; their results are then overwritten with NaN, where they lie in memory of the layer.
  void run(std::vector<T>& y, std::vector<T>& dx) {
    auto&& out = layer_.forward(std::as_const(point_).view(), Mode::training);
    y = elements(readable(out));
    auto&& din = layer_.backward(std::as_const(c_), InputGradient::compute);
    dx = elements(readable(din));
    poison(readable(out));
    poison(readable(din));
  }

  void note_gradients(const std::vector<T>& dx) {
    claims_[0].gradient = dx;
    std::size_t next = 1;
    const auto note = [&](std::string_view, auto, auto gradient) { claims_[next++].gradient = elements(gradient); };
    visit_parameters(layer_, "", note);
    for (const Claim<T>& claim : claims_) {
      require(claim.gradient.size() == claim.size(), "gradient_check",
              "the gradient of " + claim.name + " must have " + std::to_string(claim.size()) + " elements",
              claim.gradient.size());
    }
  }

  /// Elements of x, c, and the parameters stay: an output may be a view of them.
  template <int Rank>
  void poison(const TensorView<const T, Rank>& output) {
    std::vector<const T*> keep;
    for (const Claim<T>& claim : claims_) keep.insert(keep.end(), claim.at.begin(), claim.at.end());
    for_each_element(std::as_const(c_).view(), [&](const T& c) { keep.push_back(&c); });
    std::sort(keep.begin(), keep.end(), std::less<>());
    for_each_element(output, [&](const T& y) {
      if (std::binary_search(keep.begin(), keep.end(), &y, std::less<>())) return;
      // The layer owns it and will write there: it only shows it as const.
      const_cast<T&>(y) = std::numeric_limits<T>::quiet_NaN();  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    });
  }

  void find(bool is_so, Verdict verdict, const std::string& text) {
    if (is_so) findings_.push_back({verdict, text});
  }

  /// What a second and a third run do, compared with the first: y and dx, and the gradients in `claims`; and whether x
  /// and the parameters are still the `values` that they had before any run.
  void look_at_conduct(const std::vector<T>& y, const std::vector<T>& dx, const std::vector<std::vector<T>>& values) {
    const std::vector<T> c = elements(c_.view());
    find(!same(c, weights_), Verdict::fail, "the layer wrote to dy");
    // Where gradients are overwritten, what stood there before must not matter.
    zero_gradients(options_.accumulates ? T(0) : std::numeric_limits<T>::quiet_NaN());
    std::vector<T> again, dx_again;
    run(again, dx_again);
    compare(again, y, "y");
    compare(dx_again, dx, "dx");
    std::size_t next = 1;
    const auto compare_gradient = [&](std::string_view name, auto, auto gradient) {
      compare(elements(gradient), claims_[next++].gradient, "the gradient of " + std::string(name));
    };
    visit_parameters(layer_, "", compare_gradient);

    if (options_.accumulates) look_at_accumulation();
    const std::vector<std::vector<T>> now = current_values();
    for (std::size_t i = 0; i < claims_.size(); ++i) {
      find(!same(now[i], values[i]), Verdict::fail, "the layer wrote to " + claims_[i].name);
    }
  }

  void compare(const std::vector<T>& now, const std::vector<T>& before, const std::string& name) {
    if (same(now, before)) return;
    if (new_nan(now, before)) {
      find(true, Verdict::fail, name + " keeps what stood there: NaN put there before the call came back");
    } else {
      find(true, Verdict::nondeterministic, "the same call gives " + name + " other numbers");
    }
  }

  /// A further backward must make g into 2*g. What it makes instead of it is g, or anything: an element counts as wrong
  /// where it is nearer to g. Elements so small beside the largest that rounding could decide do not count.
  void look_at_accumulation() {
    std::vector<T> y, dx;
    run(y, dx);
    std::size_t next = 1;
    const auto look = [&](std::string_view name, auto, auto gradient) {
      const std::vector<T> twice = elements(gradient), &once = claims_[next++].gradient;
      T largest = 0;
      for (const T g : once) largest = std::max(largest, std::abs(g));
      const T least = std::sqrt(std::numeric_limits<T>::epsilon()) * largest;
      bool overwritten = false;
      for (std::size_t j = 0; j < once.size() && j < twice.size(); ++j) {
        const T half = std::abs(once[j]) / 2;
        overwritten = overwritten || (2 * half > least && std::abs(twice[j] - 2 * once[j]) > half);
      }
      find(overwritten, Verdict::fail, "a second backward does not add to the gradient of " + std::string(name));
    };
    visit_parameters(layer_, "", look);
  }

  std::vector<std::vector<T>> current_values() const {
    std::vector<std::vector<T>> values;
    for (const Claim<T>& claim : claims_) {
      values.emplace_back();
      for (const T* q : claim.at) values.back().push_back(*q);
    }
    return values;
  }

  L& layer_;
  GradientCheckOptions options_;
  std::vector<Claim<T>> claims_;
  std::vector<T> weights_;
  std::vector<Finding> findings_;
  KeptState<T> kept_;
  Tensor<T, X::rank> point_;
  Tensor<T, Y::rank> c_;
};

}  // namespace unfold::detail
