// SPDX-License-Identifier: MIT
// The rules of a convolution's options and sizes, broken one by one in everything that takes them.
#include "wrong_use/wrong_call.hpp"

#include <unfold/nn/conv2d.hpp>
#include <unfold/verify/reference.hpp>

using namespace unfold;
using test::huge;

namespace {

constexpr Index past = Index{1} << 31;

struct Operands {
  Conv2DOptions options{.in_channels = 6, .out_channels = 4, .kernel = {3, 2}, .groups = 2};
  Tensor<float, 4> x = test::counted(Shape{2, 6, 5, 4}), w = test::counted(Shape{4, 3, 3, 2});
  Tensor<float, 4> y = test::counted(Shape{2, 4, 3, 3});

  std::vector<float> bits() const {
    std::vector<float> bits;
    for (const auto* tensor : {&x, &w, &y}) test::append(bits, *tensor);
    return bits;
  }
};

/// A rule of the options, how it is broken, and what the error says.
struct BrokenRule {
  const char* message;
  void (*broken)(Conv2DOptions&);
};

const std::vector<BrokenRule> rules_of_options{
    {"in_channels must be >= 1, got 0", [](auto& o) { o.in_channels = 0; }},
    {"in_channels must be >= 1, got -6", [](auto& o) { o.in_channels = -6; }},
    {"out_channels must be >= 1, got 0", [](auto& o) { o.out_channels = 0; }},
    {"out_channels must be >= 1, got -4", [](auto& o) { o.out_channels = -4; }},
    {"groups must be >= 1, got 0", [](auto& o) { o.groups = 0; }},
    {"groups must be >= 1, got -2", [](auto& o) { o.groups = -2; }},
    {"groups must divide in_channels and out_channels, got 4 for 6 and 4", [](auto& o) { o.groups = 4; }},
    {"groups must divide in_channels and out_channels, got 3 for 6 and 4", [](auto& o) { o.groups = 3; }},
    {"kernel must be in [1, 2^31) on each axis, got {0, 2}", [](auto& o) { o.kernel.height = 0; }},
    {"kernel must be in [1, 2^31) on each axis, got {3, -1}", [](auto& o) { o.kernel.width = -1; }},
    {"kernel must be in [1, 2^31) on each axis, got {3, 2147483648}", [](auto& o) { o.kernel.width = past; }},
    {"stride must be in [1, 2^31) on each axis, got {1, 0}", [](auto& o) { o.stride.width = 0; }},
    {"stride must be in [1, 2^31) on each axis, got {-2, 1}", [](auto& o) { o.stride.height = -2; }},
    {"stride must be in [1, 2^31) on each axis, got {2147483648, 1}", [](auto& o) { o.stride.height = past; }},
    {"dilation must be in [1, 2^31) on each axis, got {0, 1}", [](auto& o) { o.dilation.height = 0; }},
    {"dilation must be in [1, 2^31) on each axis, got {1, -3}", [](auto& o) { o.dilation.width = -3; }},
    {"dilation must be in [1, 2^31) on each axis, got {1, 4611686018427387904}",
     [](auto& o) { o.dilation.width = huge; }},
    {"padding must be in [0, 2^31) on each side, got {-1, 0, 0, 0}", [](auto& o) { o.padding.top = -1; }},
    {"padding must be in [0, 2^31) on each side, got {0, -1, 0, 0}", [](auto& o) { o.padding.bottom = -1; }},
    {"padding must be in [0, 2^31) on each side, got {0, 0, -9, 0}", [](auto& o) { o.padding.left = -9; }},
    {"padding must be in [0, 2^31) on each side, got {0, 0, 0, 2147483648}", [](auto& o) { o.padding.right = past; }},
    {"padding must be in [0, 2^31) on each side, got {4611686018427387904, 0, 0, 0}",
     [](auto& o) { o.padding.top = huge; }},
    {"the size in bytes must fit 63 bits, got [4, 3, 2147483647, 2147483647]",
     [](auto& o) { o.kernel = {past - 1, past - 1}; }},
    {"the size in bytes must fit 63 bits, got [2147483648, 2147483648, 3, 2]",
     [](auto& o) { o.in_channels = o.out_channels = past, o.groups = 1; }},
};

const std::vector<BrokenRule> rules_of_images{
    {"x must be [N, 8, IH, IW] with IH, IW >= 1, got [2, 6, 5, 4]", [](auto& o) { o.in_channels = 8; }},
    {"the kernel must fit the padded image (kernel {6, 2}, dilation {1, 1}, padding {0, 0, 0, 0}), got x [2, 6, 5, 4]",
     [](auto& o) { o.kernel.height = 6; }},
    {"the kernel must fit the padded image (kernel {3, 2}, dilation {1, 6}, padding {0, 0, 1, 1}), got x [2, 6, 5, 4]",
     [](auto& o) { o.dilation.width = 6, o.padding = {0, 0, 1, 1}; }},
    {"the kernel must fit the padded image (kernel {3, 2}, dilation {2147483647, 1}, padding {2147483647, 0, 0, 0}), "
     "got x [2, 6, 5, 4]",
     [](auto& o) { o.dilation.height = o.padding.top = past - 1; }},
    // y, and the matrix K x P of a y that fits.
    {"the size in bytes must fit 63 bits, got [2, 4, 2147483650, 2147483650]",
     [](auto& o) { o.padding = {past - 1, 0, past - 1, 0}; }},
    {"the size in bytes must fit 63 bits, got [18, 2, 2147483650, 16777219]",
     [](auto& o) { o.padding = {past - 1, 0, Index{1} << 24, 0}; }},
};

struct Caller {
  const char* name;
  void (*call)(Operands&, const Conv2DOptions&);
};

const std::vector<Caller> callers{
    {"conv2d_geometry", [](Operands& s, const auto& o) { conv2d_geometry("conv2d_geometry", o, s.x.shape()); }},
    {"conv2d_forward", [](Operands& s, const auto& o) { conv2d_forward(s.x, s.w, o, s.y); }},
    {"conv2d_backward_input", [](Operands& s, const auto& o) { conv2d_backward_input(s.y, s.w, o, s.x); }},
    {"conv2d_backward_weights", [](Operands& s, const auto& o) { conv2d_backward_weights(s.x, s.y, o, s.w); }},
    {"im2col", [](Operands& s, const auto& o) { im2col(s.x, o); }},
    {"col2im", [](Operands& s, const auto& o) { col2im(s.x, o); }},
};

const std::vector<Caller> callers_without_image{
    {"Conv2D", [](Operands&, const auto& o) { const Conv2D<float> layer(o); }},
    {"reference::conv2d_forward", [](Operands& s, const auto& o) { reference::conv2d_forward(s.x, s.w, o, s.y); }},
    {"reference::conv2d_backward_input",
     [](Operands& s, const auto& o) { reference::conv2d_backward_input(s.y, s.w, o, s.x); }},
    {"reference::conv2d_backward_weights",
     [](Operands& s, const auto& o) { reference::conv2d_backward_weights(s.x, s.y, o, s.w); }},
};

void check_rules(const std::vector<Caller>& of, const std::vector<BrokenRule>& rules) {
  Operands s;
  const auto before = s.bits();
  for (const Caller& caller : of) {
    for (const BrokenRule& rule : rules) {
      Conv2DOptions options = s.options;
      rule.broken(options);
      CHECK(test::error_of<ShapeError>([&] { caller.call(s, options); }) ==
            "unfold::" + std::string(caller.name) + ": " + rule.message);
      ++test::wrong_calls_made;
    }
  }
  CHECK(s.bits() == before);
}

[[maybe_unused]] const bool listed = [] {
  test::wrong_calls_listed += (callers.size() + callers_without_image.size()) * rules_of_options.size();
  test::wrong_calls_listed += callers.size() * rules_of_images.size();
  return true;
}();

}  // namespace

TEST_CASE("Every broken rule of the options is told by everything that takes them, and nothing is written") {
  check_rules(callers, rules_of_options);
  check_rules(callers_without_image, rules_of_options);
}

TEST_CASE("Sizes that do not go together, or products past 2^63, are told before anything is written") {
  check_rules(callers, rules_of_images);
}
