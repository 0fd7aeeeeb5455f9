// SPDX-License-Identifier: MIT
// to_string(tensor): the text that NumPy's print gives for the same array, elision and line breaks included.
// takes a Tensor, a TensorView or an Eigen expression -> gives a std::string. See docs/01_tensors.md.
#pragma once

#include <unfold/core/eigen_map.hpp>

#include <algorithm>  // std::max, std::clamp
#include <charconv>   // std::to_chars
#include <cmath>      // std::isfinite, std::signbit
#include <complex>
#include <string>
#include <vector>

namespace unfold {

namespace detail {

template <class T>
inline constexpr bool is_complex = false;
template <class T>
inline constexpr bool is_complex<std::complex<T>> = std::floating_point<T>;

}  // namespace detail

/// An element type that has a text: integers, float, double, long double, and std::complex of the last three.
template <class T>
concept PrintableElement = std::integral<T> || std::floating_point<T> || detail::is_complex<T>;

/// A Tensor or TensorView of any rank whose elements have a text.
template <class X>
concept PrintableTensor = requires { typename ValueOf<X>; } && PrintableElement<ValueOf<X>>;

namespace detail {

// NumPy's defaults.
inline constexpr Index print_threshold = 1000;  // more elements than this: the middle of long axes is left out
inline constexpr Index print_edge = 3;          // elements kept at either end of such an axis
inline constexpr std::size_t print_width = 75;  // columns
inline constexpr int print_precision = 8;       // most digits after the point

/// std::to_chars with whatever says the notation, as a string.
template <class T, class... Notation>
std::string number_text(T x, Notation... notation) {
  char text[256];  // eight digits or one, the point, 99 digits, an exponent: positional numbers stay below 1e8
  return {text, std::to_chars(text, text + sizeof text, x, notation...).ptr};
}

/// Adds the point that NumPy always prints and takes the zeros behind it away.
inline std::string point_and_no_zeros(std::string digits) {
  if (digits.find('.') == std::string::npos) return digits + '.';
  return digits.erase(digits.find_last_not_of('0') + 1);
}

/// x as "12.5": the fewest digits that tell x from its neighbours, at most `precision` after the point.
template <class T>
std::string positional(T x, int precision) {
  std::string digits = number_text(x, std::chars_format::fixed);
  const std::size_t point = std::min(digits.find('.'), digits.size());
  if (digits.size() > point + 1 + static_cast<std::size_t>(precision)) {
    digits = number_text(x, std::chars_format::fixed, precision);
  }
  return point_and_no_zeros(std::move(digits));
}

struct Scientific {
  std::string digits;    // "1.25", the point always there
  char sign;             // of the exponent
  std::string exponent;  // its digits, two at least
};

/// x as "1.25e+01": the fewest digits that tell x from its neighbours, but at least `least` and at
/// most `most` after the point; digits past the fewest are x's own, not zeros.
template <class T>
Scientific scientific(T x, int least, int most) {
  std::string text = number_text(x, std::chars_format::scientific);
  const auto e = [&] { return text.find('e'); };
  const int digits = std::max(0, static_cast<int>(e()) - static_cast<int>(std::min(text.find('.'), e())) - 1);
  if (digits < least || digits > most) {
    text = number_text(x, std::chars_format::scientific, std::clamp(digits, least, most));
  }
  std::string head = text.substr(0, e());
  if (head.find('.') == std::string::npos) head += '.';
  return {std::move(head), text[e() + 1], text.substr(e() + 2)};
}

/// Writes the elements of one array in one width. Made from all elements that will be written.
template <std::floating_point T>
class FloatColumn {
 public:
  FloatColumn(const std::vector<T>& elements, int precision, bool plus_sign = false) : plus_sign_(plus_sign) {
    choose_notation(elements);
    int fraction = 0;
    std::size_t word = 0;  // the longest of nan, inf, -inf and +inf that may stand in this column
    for (const T x : elements) {
      if (!std::isfinite(x)) {
        word = std::max<std::size_t>(word, plus_sign || x < 0 ? 4 : 3);
        continue;
      }
      std::string text;
      if (scientific_) {
        Scientific parts = scientific(x, 0, precision);
        exponent_ = std::max(exponent_, parts.exponent.size());
        text = point_and_no_zeros(std::move(parts.digits));
      } else {
        text = positional(x, precision);
      }
      const std::size_t point = text.find('.');
      left_ = std::max(left_, point + (plus_sign && !std::signbit(x) ? 1 : 0));
      fraction = std::max(fraction, static_cast<int>(text.size() - point) - 1);
    }
    precision_ = scientific_ ? fraction : precision;
    right_ = static_cast<std::size_t>(fraction) + (scientific_ ? exponent_ + 2 : 0);
    left_ = std::max(left_, word - std::min(word, right_ + 1));
  }

  std::string operator()(T x) const {
    if (!std::isfinite(x)) {
      const char* sign = plus_sign_ && !(x < 0) ? "+" : x < 0 ? "-" : "";
      return padded(sign + std::string(std::isnan(x) ? "nan" : "inf"), left_ + 1 + right_);
    }
    std::string text = plus_sign_ && !std::signbit(x) ? "+" : "";
    if (scientific_) {
      const Scientific parts = scientific(x, precision_, precision_);
      text += parts.digits + 'e' + parts.sign + std::string(exponent_ - parts.exponent.size(), '0') + parts.exponent;
      return padded(text, left_ + 1 + right_);
    }
    text += positional(x, precision_);
    const std::size_t behind_point = text.size() - text.find('.') - 1;
    return padded(text + std::string(right_ - behind_point, ' '), left_ + 1 + right_);
  }

 private:
  static std::string padded(const std::string& text, std::size_t width) {
    return std::string(width - std::min(width, text.size()), ' ') + text;
  }

  /// With an exponent where the finite non-zero magnitudes are large, small, or far apart.
  void choose_notation(const std::vector<T>& elements) {
    T largest = 0;
    T smallest = std::numeric_limits<T>::infinity();
    for (const T x : elements) {
      if (!std::isfinite(x) || x == 0) continue;
      largest = std::max(largest, std::abs(x));
      smallest = std::min(smallest, std::abs(x));
    }
    // 0.0001 is a double here for float too: so does NumPy 1, and 0.0001f, just below it, prints as 1.e-04.
    scientific_ = largest > 0 && (largest >= T(1e8) || smallest < 0.0001 || largest / smallest > T(1000));
  }

  bool plus_sign_;
  bool scientific_ = false;
  int precision_ = 0;
  std::size_t left_ = 0;      // columns before the point
  std::size_t right_ = 0;     // columns behind it, the exponent among them
  std::size_t exponent_ = 0;  // digits of the exponent
};

template <std::integral T>
class IntegerColumn {
 public:
  explicit IntegerColumn(const std::vector<T>& elements) {
    for (const T x : elements) width_ = std::max(width_, std::to_string(x).size());
  }
  std::string operator()(T x) const {
    const std::string text = std::to_string(x);
    return std::string(width_ - text.size(), ' ') + text;
  }

 private:
  std::size_t width_ = 0;
};

template <std::floating_point T>
class ComplexColumn {
 public:
  ComplexColumn(const std::vector<std::complex<T>>& elements, int precision)
      : real_(parts(elements, [](const std::complex<T>& z) { return z.real(); }), precision),
        imaginary_(parts(elements, [](const std::complex<T>& z) { return z.imag(); }), precision, true) {}

  std::string operator()(const std::complex<T>& z) const {
    std::string imaginary = imaginary_(z.imag());
    imaginary.insert(imaginary.find_last_not_of(' ') + 1, 1, 'j');
    return real_(z.real()) + imaginary;
  }

 private:
  template <class Part>
  static std::vector<T> parts(const std::vector<std::complex<T>>& elements, Part part) {
    std::vector<T> values;
    for (const std::complex<T>& z : elements) values.push_back(part(z));
    return values;
  }

  FloatColumn<T> real_;
  FloatColumn<T> imaginary_;
};

template <class T>
auto column(const std::vector<T>& elements, int precision) {
  if constexpr (std::integral<T>) {
    return IntegerColumn<T>(elements);
  } else if constexpr (std::floating_point<T>) {
    return FloatColumn<T>(elements, precision);
  } else {
    return ComplexColumn<typename T::value_type>(elements, precision);
  }
}

/// Calls f(i) for each index of an axis that is printed, and f(-1) where "..." stands.
template <class F>
void for_each_printed(Index extent, bool elide, F&& f) {
  const bool gap = elide && extent > 2 * print_edge;
  for (Index i = 0; i < extent; ++i) {
    if (gap && i == print_edge) {
      f(Index{-1});
      i = extent - print_edge;
    }
    f(i);
  }
}

template <class T, int Rank>
void collect_printed(TensorView<const T, Rank> a, bool elide, std::vector<T>& elements) {
  for_each_printed(a.shape(0), elide, [&](Index i) {
    if (i < 0) return;
    if constexpr (Rank == 1) {
      elements.push_back(a[i]);
    } else {
      collect_printed<T>(a[i], elide, elements);
    }
  });
}

/// Appends a vector in its brackets, in as many lines as it takes; `indent` columns stand before them.
template <class T, class Column>
void append_vector(std::string& text, TensorView<const T, 1> a, bool elide, const Column& column, std::size_t indent) {
  text += '[';
  ++indent;
  std::size_t end = indent;  // the column that the line has reached
  for_each_printed(a.shape(0), elide, [&](Index i) {
    const std::string word = i < 0 ? "..." : column(a[i]);
    if (i != 0) {
      text += ' ';
      ++end;
    }
    if (end + word.size() > print_width - indent && end > indent) {
      text.erase(text.find_last_not_of(' ') + 1);
      text.append(1, '\n').append(indent, ' ');
      end = indent;
    }
    text += word;
    end += word.size();
  });
  text += ']';
}

/// The same of an array: blank lines set its outer axes apart.
template <class T, int Rank, class Column>
void append_array(std::string& text, TensorView<const T, Rank> a, bool elide, const Column& column,
                  std::size_t indent) {
  if constexpr (Rank == 1) {
    append_vector(text, a, elide, column, indent);
  } else {
    text += '[';
    for_each_printed(a.shape(0), elide, [&](Index i) {
      if (i != 0) text.append(Rank - 1, '\n').append(indent + 1, ' ');
      if (i < 0) {
        text += "...";
      } else {
        append_array<T>(text, a[i], elide, column, indent + 1);
      }
    });
    text += ']';
  }
}

template <class T, int Rank>
std::string array_text(TensorView<const T, Rank> a, int precision) {
  if (a.size() == 0) return "[]";
  const bool elide = a.size() > print_threshold;
  std::vector<T> elements;
  collect_printed(a, elide, elements);
  std::string text;
  append_array(text, a, elide, column(elements, std::clamp(precision, 0, 99)), 0);
  return text;
}

}  // namespace detail

/// The text that NumPy's print gives for the same array: digits, widths, "..." and line breaks.
///
/// Units   precision: the most digits after the point, 0 to 99 (NumPy's print option of that name)
template <PrintableTensor X>
std::string to_string(const X& tensor, int precision = detail::print_precision) {
  return detail::array_text(ReadableView<const X>(tensor), precision);
}

/// The same for an Eigen matrix or any expression of one, e.g. im2col(x, options), evaluated once.
template <class Derived>
  requires PrintableElement<typename Derived::Scalar>
std::string to_string(const Eigen::MatrixBase<Derived>& matrix, int precision = detail::print_precision) {
  using T = typename Derived::Scalar;
  const detail::RowMajorMatrix<T> values = matrix;
  return detail::array_text(TensorView<const T, 2>(values.data(), {values.rows(), values.cols()}), precision);
}

}  // namespace unfold
