// SPDX-License-Identifier: MIT
// The stencils of an input gradient at a stride, taken together: what they read, and where their taps find it.
#pragma once

#include <unfold/engine/blocks.hpp>

namespace unfold::engine {

/// The stencils that together make an axis of a result: one, or for an input gradient one for each phase of the
/// strides, which makes the results phase, phase + count(), ...
struct Phases {
  Axis forward;
  bool gradient;

  Index count() const { return gradient ? forward.stride : 1; }
  Index results() const { return gradient ? forward.source : forward.outputs; }
  Index source() const { return gradient ? forward.outputs : forward.source; }
  /// The part of a phase that makes results in [begin, end); count() divides `begin`.
  Axis part(Index phase, Index begin, Index end) const {
    const Axis axis = gradient ? gradient_axis(forward, phase) : forward;
    return axis.part(begin / count(), parts_of(std::max<Index>(0, end - begin - phase), count()), 0, axis.taps);
  }
};

/// The elements [first, first + count) of an axis.
struct Span {
  Index first, count;
};

/// What the results [begin, end) read of the source and its padding.
inline Span read_by(const Phases& phases, Index begin, Index end) {
  Index first = 0, last = -1;
  for (Index i = 0; i < phases.count(); ++i) {
    const Axis a = phases.part(i, begin, end);
    if (a.taps == 0 || a.outputs == 0) continue;
    const Index low = a.lowest(), high = low + (a.outputs - 1) * a.stride + a.reach();
    const bool none = last < first;
    first = none ? low : std::min(first, low), last = none ? high : std::max(last, high);
  }
  return {first, last + 1 - first};
}

/// What all phases read: a kernel as dense as their taps span, for as many outputs as the first has, the longest.
inline Axis axis_of_all(const Phases& phases) {
  const Span taps = read_by(phases, 0, phases.count());
  return {phases.part(0, 0, phases.results()).outputs, phases.source(), 1, taps.count, taps.first, 1};
}

/// Where tap (i, j) of a phase finds its element of a source that is laid out for the axes of all, cut alike.
template <class T>
Index offset_of_phase(const Laid<T>& laid, const Taps& phase, Index i, Index j) {
  return laid.offset(phase.h.first + i * phase.h.step - laid.h.first, phase.w.first + j * phase.w.step - laid.w.first);
}

}  // namespace unfold::engine
