// SPDX-License-Identifier: MIT
// oneDNN on plain NCHW tensors, in two ways; the table takes the better one of each row.
//   onednn-any    the library chooses the formats, and each call reorders from the plain ones and back
//   onednn-plain  the primitive itself is given the plain formats
#include "contender.hpp"

#include <oneapi/dnnl/dnnl.hpp>

#include <omp.h>

#include <memory>
#include <unordered_map>

namespace unfold::bench {
namespace {

using Tag = dnnl::memory::format_tag;
using Descriptor = dnnl::memory::desc;
using Dims = dnnl::memory::dims;
constexpr auto direct = dnnl::algorithm::convolution_direct;

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

struct Descriptors {
  Descriptor x, w, y;

  Descriptors(const Conv2DGeometry& g, Tag images, Tag filters, Tag grouped_filters)
      : x(of({g.N, g.IC, g.IH, g.IW}, images)),
        w(g.G == 1 ? of({g.OC, g.IC, g.KH, g.KW}, filters)
                   : of({g.G, g.OC / g.G, g.IC / g.G, g.KH, g.KW}, grouped_filters)),
        y(of({g.N, g.OC, g.OH, g.OW}, images)) {}

  static Descriptor of(const Dims& dims, Tag tag) { return {dims, dnnl::memory::data_type::f32, tag}; }
};

/// A tensor where the user has it, and where the primitive wants it: the same memory if the formats are the same.
struct Place {
  dnnl::memory plain, wanted;
  int argument;
  bool written;

  Place(const Descriptor& plain_format, const Descriptor& wanted_format, float* data, int arg, bool output)
      : plain(plain_format, cpu(), data),
        wanted(plain_format == wanted_format ? plain : dnnl::memory(wanted_format, cpu())),
        argument(arg),
        written(output) {
    if (plain == wanted) return;
    reorder_ = output ? dnnl::reorder(wanted, plain) : dnnl::reorder(plain, wanted);
  }

  void reorder(dnnl::stream& stream) {
    if (plain == wanted) return;
    written ? reorder_.execute(stream, wanted, plain) : reorder_.execute(stream, plain, wanted);
  }

  Index bytes() const { return plain == wanted ? 0 : static_cast<Index>(wanted.get_desc().get_size()); }

 private:
  dnnl::reorder reorder_;
};

/// One product as a primitive with its tensors, made once.
class Convolution {
 public:
  Convolution(Operands<float>& o, Direction d, const Descriptors& wanted) : stream_(cpu()) {
    const Conv2DGeometry& g = o.g;
    const Dims stride{g.SH, g.SW}, dilation{g.DH - 1, g.DW - 1}, before{g.PT, g.PL}, after{g.PB, g.PR};
    const dnnl::convolution_forward::primitive_desc forward(
        {dnnl::prop_kind::forward_training, direct, wanted.x, wanted.w, wanted.y, stride, dilation, before, after},
        cpu());
    const auto take = [&](const auto& p, const Descriptor& x, const Descriptor& w, const Descriptor& y) {
      const Descriptors plain(g, Tag::nchw, Tag::oihw, Tag::goihw);
      const bool to_x = d == Direction::backward_input, to_w = d == Direction::backward_weights;
      places_.emplace_back(plain.x, x, o.x.data(), to_x ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, to_x);
      places_.emplace_back(plain.w, w, o.w.data(), to_w ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, to_w);
      const bool forwards = d == Direction::forward;
      places_.emplace_back(plain.y, y, o.y.data(), forwards ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST, forwards);
      for (const Place& place : places_) arguments_.emplace(place.argument, place.wanted);
      workspace_ = p.query_s64(dnnl::query::memory_consumption_s64);
      for (const Place& place : places_) workspace_ += place.bytes();
    };
    if (d == Direction::forward) {
      primitive_ = dnnl::convolution_forward(forward);
      take(forward, forward.src_desc(), forward.weights_desc(), forward.dst_desc());
    } else if (d == Direction::backward_input) {
      const dnnl::convolution_backward_data::primitive_desc p(
          {direct, wanted.x, wanted.w, wanted.y, stride, dilation, before, after}, cpu(), forward);
      primitive_ = dnnl::convolution_backward_data(p);
      take(p, p.diff_src_desc(), p.weights_desc(), p.diff_dst_desc());
    } else {
      const dnnl::convolution_backward_weights::primitive_desc p(
          {direct, wanted.x, wanted.w, wanted.y, stride, dilation, before, after}, cpu(), forward);
      primitive_ = dnnl::convolution_backward_weights(p);
      take(p, p.src_desc(), p.diff_weights_desc(), p.diff_dst_desc());
    }
  }

  void run() {
    for (Place& place : places_) {
      if (!place.written) place.reorder(stream_);
    }
    primitive_.execute(stream_, arguments_);
    for (Place& place : places_) {
      if (place.written) place.reorder(stream_);
    }
    stream_.wait();
  }

  Index workspace() const { return workspace_; }

 private:
  dnnl::stream stream_;
  dnnl::primitive primitive_;
  std::vector<Place> places_;
  std::unordered_map<int, dnnl::memory> arguments_;
  Index workspace_ = 0;
};

}  // namespace

void add_onednn(std::vector<Contender>& to, Operands<float>& o, Direction d, int threads) {
  omp_set_num_threads(threads);
  const auto add = [&](const char* name, const Descriptors& wanted) {
    try {
      const auto convolution = std::make_shared<Convolution>(o, d, wanted);
      to.push_back({name, [convolution] { convolution->run(); }, {}, convolution->workspace()});
    } catch (const dnnl::error&) {
      // It has no implementation for these formats.
    }
  };
  add("onednn-any", Descriptors(o.g, Tag::any, Tag::any, Tag::any));
  add("onednn-plain", Descriptors(o.g, Tag::nchw, Tag::oihw, Tag::goihw));
}

}  // namespace unfold::bench
