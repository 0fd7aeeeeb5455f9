// SPDX-License-Identifier: MIT
#include "fuzz/fuzz.hpp"

#include <unfold/io/npy.hpp>

using namespace unfold;
using namespace unfold::test;
using Bytes = std::span<const std::byte>;

namespace {

/// The elements of a file in Fortran order, one by one, in row-major order.
std::vector<std::byte> row_major(Bytes elements, std::size_t element_bytes, std::vector<Index> shape) {
  std::vector<std::byte> ordered;
  std::vector<Index> index(shape.size(), 0);
  while (ordered.size() < elements.size()) {
    Index place = 0;
    for (std::size_t d = shape.size(); d-- > 0;) place = place * shape[d] + index[d];
    const Bytes element = elements.subspan(static_cast<std::size_t>(place) * element_bytes, element_bytes);
    ordered.insert(ordered.end(), element.begin(), element.end());
    for (std::size_t d = shape.size(); d-- > 0 && ++index[d] == shape[d];) index[d] = 0;
  }
  return ordered;
}

/// What was read has the file's shape and elements, and so has what is written of it.
template <class T, int Rank>
void check_elements(Bytes file, const NpyHeader& header) {
  const Tensor<T, Rank> tensor = parse_npy<T, Rank>(file, "input");
  must(has_shape(tensor, header.shape), "the tensor has the header's shape");
  const Bytes elements = file.subspan(static_cast<std::size_t>(header.data_begin));
  if (header.fortran_order) {
    must(holds_bytes(tensor, row_major(elements, sizeof(T), header.shape)), "the elements are turned");
  } else {
    must(holds_bytes(tensor, elements), "the elements are the file's");
  }

  std::string written = detail::npy_header_text(header.dtype, header.shape);
  written.append(reinterpret_cast<const char*>(tensor.data()), static_cast<std::size_t>(header.data_bytes));
  const Tensor<T, Rank> again = parse_npy<T, Rank>(std::as_bytes(std::span(written)), "written");
  must(again.shape() == tensor.shape() &&
           holds_bytes(again, std::as_bytes(std::span(tensor.data(), static_cast<std::size_t>(tensor.size())))),
       "what is written comes back");
}

void read_file(Bytes file) {
  const NpyHeader header = parse_npy_header(file, "input");
  must(header.data_begin + header.data_bytes == static_cast<Index>(file.size()), "the data end with the file");
  for_each_element_type([&]<class T>(T) {
    if (header.dtype != detail::FileType<T>::npy) return;
    with_rank(header.shape.size(), [&]<int Rank>() { check_elements<T, Rank>(file, header); });
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  survives(bytes, size, read_file);
  return 0;
}
