// SPDX-License-Identifier: MIT
// How far results are from the true sums: |error| <= m * epsilon * S for each element, m terms of magnitudes S in all,
// on data of three kinds. The watched figure, the largest |error| / (epsilon * S), is printed: see docs/reliability.md.
#include "support/bounds.hpp"
#include "support/catch.hpp"
#include "support/conformance.hpp"
#include "support/shared_data.hpp"

#include <unfold/unfold.hpp>

#include <cmath>
#include <iomanip>

using namespace unfold;

namespace {

enum class Kind : std::uint8_t { normal, badly_scaled, cancelling };
constexpr const char* names[] = {"normal", "badly scaled", "cancelling"};

/// N(0, 1); badly scaled: those times 10^-15 to 10^15.
template <class T>
void fill(Tensor<T, 4>& tensor, Kind kind, Random& random) {
  test::fill_with(tensor.view(), [&] {
    const double scale = kind == Kind::badly_scaled ? std::pow(10.0, 30 * random.uniform() - 15) : 1;
    return scale * random.normal();
  });
}

/// Makes every second slice along an axis nearly `sign` times the one before it. Where all slices of one factor are
/// nearly equal so, and those of the other nearly opposite, sums along the axis are much smaller than their terms.
template <class T>
void pair(Tensor<T, 4>& tensor, int axis, double sign, Random& random) {
  const Index step = tensor.stride(axis), extent = tensor.shape(axis);
  for (Index i = 0; i < tensor.size(); ++i) {
    if (i / step % extent % 2 == 0) continue;
    tensor.data()[i] = static_cast<T>(sign * (1 + 0x1p-12 * random.normal()) * tensor.data()[i - step]);
  }
}

/// What was seen of one result: of y, dx, dw or db.
struct Figure {
  double by_magnitude = 0;        // the largest |error| / (epsilon * S)
  double by_root = 0;             // the same over sqrt(m)
  double by_bound = 0;            // the same over m: at most 1
  double cancellation = 0;        // the largest S / |sum|
  Index elements = 0, tight = 0;  // tight: the bound is below 1 % of the sum

  template <class T>
  void see(T is, long double sum, long double magnitude, Index terms, Index& wrong) {
    constexpr auto epsilon = static_cast<long double>(std::numeric_limits<T>::epsilon());
    constexpr auto smallest = static_cast<long double>(std::numeric_limits<T>::denorm_min());
    const auto m = static_cast<long double>(terms);
    const long double error = std::abs(static_cast<long double>(is) - sum);
    const long double bound = m * (epsilon * magnitude + smallest);  // each product may lose half a smallest number
    if (!(error <= bound)) ++wrong;
    if (magnitude == 0) return;
    ++elements;
    if (bound < 0.01L * std::abs(sum)) ++tight;
    const auto of_magnitude = static_cast<double>(std::max(0.0L, error - m * smallest) / (epsilon * magnitude));
    by_magnitude = std::max(by_magnitude, of_magnitude);
    by_root = std::max(by_root, of_magnitude / std::sqrt(static_cast<double>(terms)));
    by_bound = std::max(by_bound, of_magnitude / static_cast<double>(terms));
    if (sum != 0) cancellation = std::max(cancellation, static_cast<double>(magnitude / std::abs(sum)));
  }
};

/// Sums in long double, and those of the magnitudes.
struct Sums {
  explicit Sums(Index n) : sum(static_cast<std::size_t>(n)), magnitude(static_cast<std::size_t>(n)) {}
  void add(Index i, long double product) {
    sum[static_cast<std::size_t>(i)] += product;
    magnitude[static_cast<std::size_t>(i)] += std::abs(product);
  }
  std::vector<long double> sum, magnitude;
};

class Survey {
 public:
  /// One convolution and its gradients in T, against sums of the same numbers in long double.
  template <class T>
  void look_at(const test::Problem& problem, const test::ConvolutionData<T>& data) {
    const Conv2DGeometry g = problem.geometry();
    const Conv2DOptions options = problem.options();
    Conv2D<T> layer(options);
    test::copy_into(layer.weights(), data.w);
    if (options.bias) test::copy_into(layer.bias(), data.b);
    Sums y(g.P() * g.OC), dx(data.x.size()), dw(data.w.size()), db(g.OC);
    reference::for_each_product(options, g.x_shape(), g.y_shape(), [&](const reference::Product& p) {
      const Index at_x = ((p.n * g.IC + p.ic) * g.IH + p.ih) * g.IW + p.iw;
      const Index at_w = ((p.oc * (g.IC / g.G) + p.c) * g.KH + p.kh) * g.KW + p.kw;
      const Index at_y = ((p.n * g.OC + p.oc) * g.OH + p.oh) * g.OW + p.ow;
      const auto x = static_cast<long double>(data.x.data()[at_x]), w = static_cast<long double>(data.w.data()[at_w]),
                 d = static_cast<long double>(data.dy.data()[at_y]);
      y.add(at_y, x * w);
      dx.add(at_x, d * w);
      dw.add(at_w, d * x);
    });
    for (Index i = 0; i < data.dy.size(); ++i) {
      const Index oc = i / (g.OH * g.OW) % g.OC;
      db.add(oc, static_cast<long double>(data.dy.data()[i]));
      if (options.bias) y.add(i, static_cast<long double>(data.b(oc)));
    }
    compare(0, layer.forward(data.x), y, g.K() + (options.bias ? 1 : 0));
    compare(1, layer.backward(data.dy), dx, g.OC / g.G * g.KH * g.KW);
    compare(2, std::as_const(layer).weight_gradient(), dw, g.P());
    if (options.bias) compare(3, std::as_const(layer).bias_gradient(), db, g.P());
    ++convolutions_;
  }

  void print(const std::string& title) const {
    constexpr const char* results[] = {"y", "dx", "dw", "db"};
    for (std::size_t i = 0; i < figures_.size(); ++i) {
      const Figure& f = figures_[i];
      std::cout << title << ", " << std::setw(2) << results[i] << std::setprecision(3) << ": error/(eps*S) "
                << f.by_magnitude << ", over sqrt(m) " << f.by_root << ", over m " << f.by_bound << "; S/|sum| to "
                << f.cancellation << "; bound below 1 % of " << 100 * f.tight / std::max<Index>(1, f.elements)
                << " % of " << f.elements << " sums, " << convolutions_ << " convolutions\n";
    }
  }
  Index wrong() const { return wrong_; }
  int convolutions() const { return convolutions_; }

 private:
  template <class Result>
  void compare(std::size_t which, const Result& result, const Sums& sums, Index terms) {
    std::size_t i = 0;
    ReadableView<Result>(result).for_each_run([&](const auto* run, Index n, Index) {
      for (Index k = 0; k < n; ++k, ++i) figures_[which].see(run[k], sums.sum[i], sums.magnitude[i], terms, wrong_);
    });
  }

  std::array<Figure, 4> figures_;
  Index wrong_ = 0;
  int convolutions_ = 0;
};

double multiply_adds(const test::Problem& problem) {
  const auto g = problem.geometry();
  return static_cast<double>(g.P()) * static_cast<double>(g.K()) * static_cast<double>(g.OC);
}

/// The named problems, and of the shapes of real networks, as single images, those below so many multiply-adds.
std::vector<test::Problem> problems(double most) {
  std::vector<test::Problem> list = test::problems();
  const auto file = test::shared("conformance/shapes_public.csv");
  if (file.empty()) return list;
  for (auto problem : test::read_shapes(file)) {
    problem.x[0] = 1;
    if (multiply_adds(problem) <= most) list.push_back(problem);
  }
  return list;
}

template <class T>
test::ConvolutionData<T> drawn(const Conv2DGeometry& g, Kind kind) {
  Random random(1);
  test::ConvolutionData<T> data(g);
  for (auto* tensor : {&data.x, &data.w, &data.dy}) fill(*tensor, kind, random);
  test::fill_normal(data.b.view(), random);
  if (kind == Kind::cancelling) {
    pair(data.x, 1, 1, random);
    pair(data.w, 1, -1, random);
    pair(data.w, 0, -1, random);
    pair(data.dy, 1, 1, random);
    data.b.fill(0);
  }
  return data;
}

}  // namespace

TEMPLATE_TEST_CASE("Every element is within m * epsilon * S, and the watched figure is printed", "", float, double) {
  using T = TestType;
  const auto list = problems(test::long_tests() ? 25e6 : 1e5);
  for (const Kind kind : {Kind::normal, Kind::badly_scaled, Kind::cancelling}) {
    Survey survey;
    for (const auto& problem : list) survey.look_at(problem, drawn<T>(problem.geometry(), kind));
    survey.print(std::string(std::is_same_v<T, float> ? "float, " : "double, ") + names[static_cast<int>(kind)]);
    CHECK(survey.wrong() == 0);
    CHECK(survey.convolutions() == static_cast<int>(list.size()));
  }
}

TEMPLATE_TEST_CASE("The golden cases are within m * epsilon * S, and the watched figure is printed", "", float,
                   double) {
  using T = TestType;
  const auto set = test::shared("conformance/golden_public");
  if (set.empty()) SKIP(test::absent("conformance/golden_public"));
  Survey survey;
  for (const auto& golden : test::golden_cases(set)) {
    const auto expected = test::read_convolution(golden);
    test::ConvolutionData<T> data(expected.problem.geometry());
    data.x = test::converted<T>(expected.data.x);
    data.w = test::converted<T>(expected.data.w);
    data.dy = test::converted<T>(expected.data.dy);
    data.b = test::converted<T>(expected.data.b);
    survey.look_at(expected.problem, data);
  }
  survey.print(std::string(std::is_same_v<T, float> ? "float" : "double") + ", golden");
  CHECK(survey.wrong() == 0);
  CHECK(survey.convolutions() == 61);
}
