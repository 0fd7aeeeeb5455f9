// SPDX-License-Identifier: MIT
// Every expected text is what NumPy 1.24 prints for the expression in the comment above it.
#include "support/catch.hpp"

#include <unfold/core/text.hpp>

#include <cstdint>
#include <initializer_list>
#include <limits>

namespace {

using unfold::Index;
using unfold::Shape;
using unfold::Tensor;
using unfold::TensorView;

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T, int Rank>
Tensor<T, Rank> tensor(const Shape<Rank>& shape, std::initializer_list<T> values) {
  Tensor<T, Rank> t(shape);
  std::copy(values.begin(), values.end(), t.data());
  return t;
}
template <class T>
Tensor<T, 1> vector(std::initializer_list<T> values) {
  return tensor<T, 1>({static_cast<Index>(values.size())}, values);
}

/// first, first + step, ... in row-major order.
template <class T, int Rank>
Tensor<T, Rank> counting(const Shape<Rank>& shape, T step = 1, T first = 0) {
  Tensor<T, Rank> t(shape);
  for (Index i = 0; i < t.size(); ++i) t.data()[i] = static_cast<T>((first + static_cast<T>(i)) * step);
  return t;
}

}  // namespace

TEST_CASE("floats have the fewest digits that name them, in one width") {
  // [[1, 2], [3, 4]], float32
  CHECK(to_string(tensor<float, 2>({2, 2}, {1, 2, 3, 4})) == "[[1. 2.]\n [3. 4.]]");
  // [0.5, 500.0]
  CHECK(to_string(vector<double>({0.5, 500})) == "[  0.5 500. ]");
  // [-0.1, 0.25, -0.0], float32
  CHECK(to_string(vector<float>({-0.1F, 0.25F, -0.0F})) == "[-0.1   0.25 -0.  ]");
  // [1, 3] / 7, longdouble
  CHECK(to_string(vector<long double>({1.0L / 7, 3.0L / 7})) == "[0.14285714 0.42857143]");
}

TEST_CASE("no more than eight digits stand after the point, rounded from the exact value") {
  // [2**-9, 3 * 2**-9]: exact ties, to the even digit
  CHECK(to_string(vector<double>({0.001953125, 0.005859375})) == "[0.00195312 0.00585938]");
  // [99999992], float32: not the 99999990 that would name it as well
  CHECK(to_string(vector<float>({99999992.F})) == "[99999992.]");
}

TEST_CASE("numbers have exponents where they are large, small or far apart") {
  // [1e8, 1], [1e8, 2e7] and [99999999, 1e5]
  CHECK(to_string(vector<double>({1e8, 1})) == "[1.e+08 1.e+00]");
  CHECK(to_string(vector<double>({1e8, 2e7})) == "[1.e+08 2.e+07]");
  CHECK(to_string(vector<double>({99999999, 1e5})) == "[99999999.   100000.]");
  // [0.00009, 0.01] and [0.0001, 0.01]
  CHECK(to_string(vector<double>({0.00009, 0.01})) == "[9.e-05 1.e-02]");
  CHECK(to_string(vector<double>({0.0001, 0.01})) == "[0.0001 0.01  ]");
  // [0.0001], float32: just below the double 0.0001
  CHECK(to_string(vector<float>({0.0001F})) == "[1.e-04]");
  // [0.5, 500.5]
  CHECK(to_string(vector<double>({0.5, 500.5})) == "[5.000e-01 5.005e+02]");
  // [[0.1, -2.25, 3], [10, 0.001, -0.0]], float32
  CHECK(to_string(tensor<float, 2>({2, 3}, {0.1F, -2.25F, 3, 10, 0.001F, -0.0F})) ==
        "[[ 1.00e-01 -2.25e+00  3.00e+00]\n"
        " [ 1.00e+01  1.00e-03 -0.00e+00]]");
  // [1e-300, -2.5e100, 0]
  CHECK(to_string(vector<double>({1e-300, -2.5e100, 0})) == "[ 1.0e-300 -2.5e+100  0.0e+000]");
}

TEST_CASE("a float shows digits of its own, not zeros, where another in its column needs more") {
  // [0.1, 1.09414535e14] and [0.1, 1.0000001e-6], float32
  CHECK(to_string(vector<float>({0.1F, 1.09414535e14F})) == "[1.00000001e-01 1.09414535e+14]");
  CHECK(to_string(vector<float>({0.1F, 1.0000001e-6F})) == "[1.0000000e-01 1.0000001e-06]");
}

TEST_CASE("nan and inf stand right in the column") {
  // [[nan, inf], [-inf, 1.5]]
  CHECK(to_string(tensor<double, 2>({2, 2}, {not_a_number, infinity, -infinity, 1.5})) ==
        "[[ nan  inf]\n [-inf  1.5]]");
  // [nan, -inf, inf] and [nan, 1, 2]
  CHECK(to_string(vector<double>({not_a_number, -infinity, infinity})) == "[ nan -inf  inf]");
  CHECK(to_string(vector<double>({not_a_number, 1, 2})) == "[nan  1.  2.]");
}

TEST_CASE("integers stand in the width of the longest") {
  // [[1, -20], [300, 4]]
  CHECK(to_string(tensor<std::int32_t, 2>({2, 2}, {1, -20, 300, 4})) == "[[  1 -20]\n [300   4]]");
  // [0, 255, 7], uint8
  CHECK(to_string(vector<std::uint8_t>({0, 255, 7})) == "[  0 255   7]");
  // [-2**63, 1]
  CHECK(to_string(vector<std::int64_t>({std::numeric_limits<std::int64_t>::min(), 1})) ==
        "[-9223372036854775808                    1]");
}

TEST_CASE("complex numbers are two columns") {
  using Complex = std::complex<double>;
  // [1 + 2j, 0.5 - 0.003j]
  CHECK(to_string(vector<Complex>({{1, 2}, {0.5, -0.003}})) == "[1. +2.j    0.5-0.003j]");
  // [complex(nan, inf), -1.5]
  CHECK(to_string(vector<Complex>({{not_a_number, infinity}, -1.5})) == "[ nan+infj -1.5 +0.j]");
  // [complex(1, -inf), complex(-inf, 2)]
  CHECK(to_string(vector<Complex>({{1, -infinity}, {-infinity, 2}})) == "[  1.-infj -inf +2.j]");
}

TEST_CASE("outer axes are set apart by blank lines") {
  // arange(12).reshape(2, 3, 2)
  CHECK(to_string(counting<int, 3>({2, 3, 2})) == R"([[[ 0  1]
  [ 2  3]
  [ 4  5]]

 [[ 6  7]
  [ 8  9]
  [10 11]]])");
  // arange(16, dtype=float32).reshape(2, 2, 2, 2)
  CHECK(to_string(counting<float, 4>({2, 2, 2, 2})) == R"([[[[ 0.  1.]
   [ 2.  3.]]

  [[ 4.  5.]
   [ 6.  7.]]]


 [[[ 8.  9.]
   [10. 11.]]

  [[12. 13.]
   [14. 15.]]]])");
}

TEST_CASE("an empty tensor of any shape is two brackets") {
  CHECK(to_string(Tensor<float, 2>({3, 0})) == "[]");
  CHECK(to_string(Tensor<int, 1>()) == "[]");
}

TEST_CASE("lines break before column 75") {
  // zeros(38, int): the first line is full
  std::string zeros = "[0";
  for (int i = 1; i < 37; ++i) zeros += " 0";
  CHECK(to_string(Tensor<int, 1>(Shape<1>(37))) == zeros + "]");
  CHECK(to_string(Tensor<int, 1>(Shape<1>(38))) == zeros + "\n 0]");
  // full(25, 10): 75 columns would not leave one for the bracket
  std::string tens = "[10";
  for (int i = 1; i < 24; ++i) tens += " 10";
  CHECK(to_string(Tensor<int, 1>(Shape<1>(25), 10)) == tens + "\n 10]");
  // arange(30, dtype=float32) / 8
  CHECK(to_string(counting<float, 1>({30}, 0.125F)) ==
        R"([0.    0.125 0.25  0.375 0.5   0.625 0.75  0.875 1.    1.125 1.25  1.375
 1.5   1.625 1.75  1.875 2.    2.125 2.25  2.375 2.5   2.625 2.75  2.875
 3.    3.125 3.25  3.375 3.5   3.625])");
  // (arange(26) - 13.0).reshape(2, 13) * 12345.678
  CHECK(to_string(counting<double, 2>({2, 13}, 12345.678, -13)) ==
        R"([[-160493.814 -148148.136 -135802.458 -123456.78  -111111.102  -98765.424
   -86419.746  -74074.068  -61728.39   -49382.712  -37037.034  -24691.356
   -12345.678]
 [      0.      12345.678   24691.356   37037.034   49382.712   61728.39
    74074.068   86419.746   98765.424  111111.102  123456.78   135802.458
   148148.136]])");
}

TEST_CASE("above a thousand elements the middle of long axes is left out") {
  // arange(1001)
  CHECK(to_string(counting<int, 1>({1001})) == "[   0    1    2 ...  998  999 1000]");
  // arange(1000): printed whole
  CHECK(to_string(counting<int, 1>({1000})).find("...") == std::string::npos);
  // arange(2000.0).reshape(40, 50) / 4
  CHECK(to_string(counting<double, 2>({40, 50}, 0.25)) ==
        R"([[0.0000e+00 2.5000e-01 5.0000e-01 ... 1.1750e+01 1.2000e+01 1.2250e+01]
 [1.2500e+01 1.2750e+01 1.3000e+01 ... 2.4250e+01 2.4500e+01 2.4750e+01]
 [2.5000e+01 2.5250e+01 2.5500e+01 ... 3.6750e+01 3.7000e+01 3.7250e+01]
 ...
 [4.6250e+02 4.6275e+02 4.6300e+02 ... 4.7425e+02 4.7450e+02 4.7475e+02]
 [4.7500e+02 4.7525e+02 4.7550e+02 ... 4.8675e+02 4.8700e+02 4.8725e+02]
 [4.8750e+02 4.8775e+02 4.8800e+02 ... 4.9925e+02 4.9950e+02 4.9975e+02]])");
  // arange(2000).reshape(400, 5): the short axis whole
  CHECK(to_string(counting<int, 2>({400, 5})) == R"([[   0    1    2    3    4]
 [   5    6    7    8    9]
 [  10   11   12   13   14]
 ...
 [1985 1986 1987 1988 1989]
 [1990 1991 1992 1993 1994]
 [1995 1996 1997 1998 1999]])");
  // arange(1080).reshape(9, 2, 60)
  CHECK(to_string(counting<int, 3>({9, 2, 60})) == R"([[[   0    1    2 ...   57   58   59]
  [  60   61   62 ...  117  118  119]]

 [[ 120  121  122 ...  177  178  179]
  [ 180  181  182 ...  237  238  239]]

 [[ 240  241  242 ...  297  298  299]
  [ 300  301  302 ...  357  358  359]]

 ...

 [[ 720  721  722 ...  777  778  779]
  [ 780  781  782 ...  837  838  839]]

 [[ 840  841  842 ...  897  898  899]
  [ 900  901  902 ...  957  958  959]]

 [[ 960  961  962 ... 1017 1018 1019]
  [1020 1021 1022 ... 1077 1078 1079]]])");
}

TEST_CASE("what is left out has no say in the width") {
  Tensor<double, 1> ones(Shape<1>(1100), 1);
  ones(500) = 1e30;
  CHECK(to_string(ones) == "[1. 1. 1. ... 1. 1. 1.]");
}

TEST_CASE("the precision limits the digits after the point") {
  const Tensor<double, 1> t = vector<double>({3.14159265358979, 2.5, 1.000000001});
  CHECK(to_string(t, 3) == "[3.142 2.5   1.   ]");
  CHECK(to_string(t, 0) == "[3. 2. 1.]");
  CHECK(to_string(t, -7) == to_string(t, 0));
  CHECK(to_string(vector<double>({0.1}), 1'000'000) == "[0.1]");
  CHECK(to_string(vector<double>({3.14159e20, 2.5e20}), 3) == "[3.142e+20 2.500e+20]");
}

TEST_CASE("a view prints the elements that it shows") {
  const Tensor<int, 3> t = counting<int, 3>({2, 3, 4});
  CHECK(to_string(t[1]) == "[[12 13 14 15]\n [16 17 18 19]\n [20 21 22 23]]");
  CHECK(to_string(TensorView<const int, 2>(t.data(), {4, 3}, {1, 4})) ==
        "[[ 0  4  8]\n [ 1  5  9]\n [ 2  6 10]\n [ 3  7 11]]");
}

TEST_CASE("an Eigen expression prints as the matrix that it is") {
  Eigen::Matrix<float, 2, 3> m;
  m << 1, 2, 3, 4, 5, 6;
  CHECK(unfold::to_string(m) == "[[1. 2. 3.]\n [4. 5. 6.]]");
  CHECK(unfold::to_string(m.transpose() * 0.5F) == "[[0.5 2. ]\n [1.  2.5]\n [1.5 3. ]]");
  CHECK(unfold::to_string(Eigen::VectorXd::LinSpaced(2, 0, 1)) == "[[0.]\n [1.]]");
}
