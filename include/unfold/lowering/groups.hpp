// SPDX-License-Identifier: MIT
// Groups: the matrices of several groups of a convolution at once, [K, P], [OC/G, P] and [OC/G, K] for each of them.
// Their products are taken group by group; for float and double the engine takes all the groups in one pass.
#pragma once

#include <unfold/core/threads.hpp>
#include <unfold/lowering/col2im.hpp>

namespace unfold {

/// The groups [first, first + count) of a convolution.
struct Groups {
  Index first, count;
};

namespace detail {

/// Axis 1 of a [N, C, H, W] view cut down to the channels of some of G groups.
template <class T>
TensorView<T, 4> channels_of(const TensorView<T, 4>& view, Index G, Groups groups) {
  const Index channels = view.shape(1) / G;
  return view.slice(1, groups.first * channels, groups.count * channels);
}

/// A matrix of each group, m[i], turned; and the product of two for each group, a[i] * b[i].
template <class M>
struct GroupTransposes {
  M m;
  auto operator[](Index i) const { return m[i].transpose(); }
};
template <class A, class B>
struct GroupProducts {
  A a;
  B b;
  auto operator[](Index i) const { return a[i] * b[i]; }
};

/// Classes whose objects hold one matrix for each group.
template <class M>
struct HoldsGroups : std::false_type {};
template <class M>
struct HoldsGroups<GroupTransposes<M>> : std::true_type {};
template <class A, class B>
  requires(HoldsGroups<A>::value && HoldsGroups<B>::value)
GroupProducts<A, B> operator*(const A& a, const B& b) {
  return {a, b};
}

/// The matrices of `to` = or += those of p, one after another.
template <class To, class Product>
void assign_each(const To& to, const Product& p, Index count, bool overwrite) {
  for (Index i = 0; i < count; ++i) {
    auto matrix = to[i];
    overwrite ? void(matrix.noalias() = p[i]) : void(matrix.noalias() += p[i]);
  }
}

/// im2col of each group, [K, P].
template <class T>
struct GroupPatches {
  TensorView<const T, 4> x;
  Conv2DOptions options;
  Groups groups;

  Im2Col<T> operator[](Index i) const { return im2col(x, options, groups.first + i); }
  GroupTransposes<GroupPatches> transpose() const { return {*this}; }
};
template <class T>
engine::Patches<T> patches(const TensorView<T, 4>& x, const Conv2DOptions& options, Groups groups) {
  const TensorView<T, 4> part = channels_of(x, options.groups, groups);
  return {batch(part.data(), part.strides()), conv2d_geometry("im2col", options, x.shape()), groups.count};
}

template <class T>
struct GroupChannels;

/// The filters of each group, [OC/G, K]: blocks of the rows of w [OC, IC/G, KH, KW].
template <class T>
struct GroupFilters {
  TensorView<T, 4> w;  // of these groups
  Index count;

  MatrixMap<T> operator[](Index i) const {
    const Index filters = w.shape(0) / count;
    return w.slice(0, i * filters, filters).matrix();
  }
  GroupTransposes<GroupFilters> transpose() const { return {*this}; }

  /// Each group's filters = or += dY * X^T.
  template <class Y>
  GroupFilters& operator=(const GroupProducts<GroupChannels<Y>, GroupTransposes<GroupPatches<T>>>& p) {
    assign(p, true);
    return *this;
  }
  template <class Y>
  GroupFilters& operator+=(const GroupProducts<GroupChannels<Y>, GroupTransposes<GroupPatches<T>>>& p) {
    assign(p, false);
    return *this;
  }

 private:
  template <class Product>
  void assign(const Product& p, bool overwrite) {
    if constexpr (FloatOrDouble<T>) {
      if (count > 1) {
        auto dw = w.matrix();
        const auto x = patches(p.b.m.x, p.b.m.options, p.b.m.groups);
        engine::weight_gradient<T>(p.a.batch(), w.shape(0) / count, x, strided(dw), T(1), overwrite);
        return;
      }
    }
    assign_each(*this, p, count, overwrite);
  }
};

/// The channels of each group, [OC/G, P].
template <class T>
struct GroupChannels {
  TensorView<T, 4> y;
  Index G;
  Groups groups;

  auto operator[](Index i) const { return channels(y, G, groups.first + i); }
  auto batch() const {
    const TensorView<T, 4> part = channels_of(y, G, groups);
    return detail::batch(part.data(), part.strides());
  }

  /// Each group's channels = or += W * X.
  template <class W>
  GroupChannels& operator=(const GroupProducts<GroupFilters<W>, GroupPatches<T>>& p) {
    assign(p, true);
    return *this;
  }
  template <class W>
  GroupChannels& operator+=(const GroupProducts<GroupFilters<W>, GroupPatches<T>>& p) {
    assign(p, false);
    return *this;
  }

 private:
  template <class Product>
  void assign(const Product& p, bool overwrite) {
    if constexpr (FloatOrDouble<T>) {
      if (groups.count > 1) {
        const auto w = p.a.w.matrix();
        engine::forward<T>(strided(w), y.shape(1) / G, patches(p.b.x, p.b.options, groups), batch(), T(1), overwrite);
        return;
      }
    }
    assign_each(*this, p, groups.count, overwrite);
  }
};

/// col2im of each group, [K, P].
template <class T>
struct GroupCol2Im {
  TensorView<T, 4> dx;
  Conv2DOptions options;
  Groups groups;
  bool zero = false;  // is the sum that starts at zero

  GroupCol2Im from_zero() const { return {dx, options, groups, true}; }

  /// dx += col2im(W^T * dY) of each group.
  template <class W, class Y>
  const GroupCol2Im& operator+=(const GroupProducts<GroupTransposes<GroupFilters<W>>, GroupChannels<Y>>& p) const {
    if constexpr (FloatOrDouble<T>) {
      if (groups.count > 1) {
        const auto w = p.a.m.w.matrix().transpose();
        engine::input_gradient<T>(strided(w), p.b.batch(), p.b.y.shape(1) / p.b.G, patches(dx, options, groups), zero);
        return *this;
      }
    }
    for (Index i = 0; i < groups.count; ++i) {
      const auto dx_i = col2im(dx, options, groups.first + i);
      zero ? void(dx_i.from_zero() += p[i]) : void(dx_i += p[i]);
    }
    return *this;
  }
};

template <class T>
struct HoldsGroups<GroupPatches<T>> : std::true_type {};
template <class T>
struct HoldsGroups<GroupFilters<T>> : std::true_type {};
template <class T>
struct HoldsGroups<GroupChannels<T>> : std::true_type {};

/// Calls f(groups) for all groups of a convolution, as many at once as its products take best; several such parts at a
/// time where they are enough for all threads, else one by one, each product on all threads. The results are the same:
/// no sum runs across groups.
template <class T, class F>
void for_each_group(const Conv2DGeometry& g, const F& f) {
  Index at_once = 1;
  if constexpr (FloatOrDouble<T>) at_once = engine::groups_at_once<T>(g);
  const Index parts = engine::parts_of(g.G, at_once);
  const auto part = [&](Index i) { f(Groups{i * at_once, std::min(at_once, g.G - i * at_once)}); };
  if (parts >= threads()) return parallel_for(parts, part);
  for (Index i = 0; i < parts; ++i) part(i);
}

}  // namespace detail

/// The matrices of several groups, each as im2col(x, options, group), channels(y, G, group), col2im(dx, options, group)
/// give it, and the filters of a group as a matrix [OC/G, K]. They are multiplied with each other only, and a product
/// is assigned or added (to col2im: added) where it belongs:
///
///   channels(y, G, g) = filters(w, G, g) * im2col(x, options, g)
///   filters(dw, G, g) += channels(dy, G, g) * im2col(x, options, g).transpose()
///   col2im(dx, options, g) += filters(w, G, g).transpose() * channels(dy, G, g)
///
/// Shape   x, dx [N, IC, IH, IW], w, dw [OC, IC/G, KH, KW], y, dy [N, OC, OH, OW]; the groups lie in [0, G), and the
///         shapes fit the options: the caller has checked
/// Writes  no aliasing: a result must not overlap a factor
template <class T>
detail::GroupPatches<T> im2col(const TensorView<const T, 4>& x, const Conv2DOptions& options, Groups groups) {
  return {x, options, groups};
}
template <class T>
detail::GroupCol2Im<T> col2im(const TensorView<T, 4>& dx, const Conv2DOptions& options, Groups groups) {
  return {dx, options, groups};
}
template <class T>
detail::GroupChannels<T> channels(const TensorView<T, 4>& y, Index G, Groups groups) {
  return {y, G, groups};
}
template <class T>
detail::GroupFilters<T> filters(const TensorView<T, 4>& w, Index G, Groups groups) {
  const Index each = w.shape(0) / G;
  return {w.slice(0, groups.first * each, groups.count * each), groups.count};
}

}  // namespace unfold
