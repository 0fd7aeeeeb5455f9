// SPDX-License-Identifier: MIT
// Activations by name, on single elements and on contiguous memory: y = f(z) and dz = dy * f'(z).
// The slope f'(z) is read off the output y, except for silu and gelu, where slope_from_input says so.
// takes z [n] -> gives y [n]; takes y (or z) [n], dy [n] -> gives dz [n]. See docs/04_conv2d.md.
#pragma once

#include <unfold/core/conv2d_options.hpp>
#include <unfold/nn/activation_formulas.hpp>
#include <unfold/nn/lanes.hpp>

#include <array>
#include <string>
#include <string_view>
#include <type_traits>

namespace unfold {
namespace detail {

inline constexpr std::array<std::string_view, 16> activation_names = {  // in the order of the enumeration
    "linear", "logistic", "loggy", "relu",  "elu",     "selu",  "relie", "ramp",
    "leaky",  "tanh",     "plse",  "stair", "hardtan", "lhtan", "silu",  "gelu"};

}  // namespace detail

/// The name by which files and command lines know an activation, e.g. "leaky".
inline std::string_view activation_name(Activation f) {
  const auto i = static_cast<std::size_t>(f);
  detail::require(i < detail::activation_names.size(), "activation_name", "activation must be one of the 16", i);
  return detail::activation_names[i];
}

/// The activation of that name. Errors: ShapeError, naming all, if there is none.
inline Activation activation_from_name(std::string_view name) {
  std::string known;
  for (std::size_t i = 0; i < detail::activation_names.size(); ++i) {
    if (detail::activation_names[i] == name) return static_cast<Activation>(i);
    known.append(i == 0 ? "" : ", ").append(detail::activation_names[i]);
  }
  detail::fail("activation_from_name", "name must be one of " + known, "\"" + std::string(name) + "\"");
}

/// True if f'(z) must be read off the input z: the output y does not determine it.
constexpr bool slope_from_input(Activation f) { return f == Activation::silu || f == Activation::gelu; }

namespace detail {

template <class F, class T>
concept FormulaFor = requires(const T& z) {
  F::value(z);
  F::slope(z);
};

/// visit(F()) with the formula F that f names: the one switch over the activations.
/// Errors  ShapeError if f is no activation, or one that scalars like T do not have
template <class T, class Visit>
auto with_formula(const char* function, Activation f, const Visit& visit) {
  using Result = std::invoke_result_t<Visit, Linear>;
  const auto call = [&]<class F>(F formula) -> Result {
    if constexpr (FormulaFor<F, T>) {
      return visit(formula);
    } else {
      fail(function, "activation must be one that the scalar type has", activation_name(f));
    }
  };
  switch (f) {
    case Activation::linear: return call(Linear());
    case Activation::logistic: return call(Logistic());
    case Activation::loggy: return call(Loggy());
    case Activation::relu: return call(Relu());
    case Activation::elu: return call(Elu());
    case Activation::selu: return call(Selu());
    case Activation::relie: return call(Relie());
    case Activation::ramp: return call(Ramp());
    case Activation::leaky: return call(Leaky());
    case Activation::tanh: return call(Tanh());
    case Activation::plse: return call(Plse());
    case Activation::stair: return call(Stair());
    case Activation::hardtan: return call(Hardtan());
    case Activation::lhtan: return call(Lhtan());
    case Activation::silu: return call(Silu());
    case Activation::gelu: return call(Gelu());
  }
  fail(function, "activation must be one of the 16", std::to_string(static_cast<int>(f)));
}

/// Errors: ShapeError, as `with_formula`, unless scalars like T have the activation f.
template <class T>
void check_activation(const char* function, Activation f) {
  with_formula<T>(function, f, [](auto) {});
}

}  // namespace detail

/// y = f(z) of one element.
///
/// Errors  ShapeError if f is no activation, or needs an order or an error function that T does not have
template <class T>
T activation_value(Activation f, const T& z) {
  return detail::with_formula<T>("activation_value", f, [&](auto formula) { return T(formula.value(z)); });
}

/// f'(z) of one element, from y = f(z), or from z itself where slope_from_input(f).
///
/// Errors  as activation_value
template <class T>
T activation_slope(Activation f, const T& y_or_z) {
  return detail::with_formula<T>("activation_slope", f, [&](auto formula) { return T(formula.slope(y_or_z)); });
}

namespace detail {

/// y = f(z + b) of n elements without gaps; y may be z.
/// Errors: ShapeError of `function`, as `with_formula`; nothing is written on throw.
template <class T>
void activate_biased(const char* function, Activation f, const T* z, const T& b, T* y, Index n) {
  with_formula<T>(function, f,
                  [&](auto formula) { map_lanes(y, n, [=](Index i) { return T(formula.value(T(z[i] + b))); }); });
}

}  // namespace detail

/// y = f(z) of n elements without gaps; y may be z, and must not overlap it otherwise.
///
/// Errors  as activation_value; nothing is written on throw
template <class T>
void activate(Activation f, const T* z, T* y, Index n) {
  detail::activate_biased("activate", f, z, T(-T(0)), y, n);  // to add -0 changes nothing, not even a zero's sign
}

/// dz = dy * f'(z) of n elements without gaps; `y_or_z` is z where slope_from_input(f), else y = f(z).
/// dz may be dy, and must not overlap its arguments otherwise.
///
/// Errors  as activation_value; nothing is written on throw
template <class T>
void activation_gradient(Activation f, const T* y_or_z, const T* dy, T* dz, Index n) {
  detail::with_formula<T>("activation_gradient", f, [=](auto formula) {
    detail::map_lanes(
        dz, n, [=](Index i) { return T(formula.slope(y_or_z[i])); },
        [=](Index i, const T& slope) { return T(dy[i] * slope); });
  });
}

}  // namespace unfold
