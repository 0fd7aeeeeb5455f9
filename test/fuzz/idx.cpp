// SPDX-License-Identifier: MIT
#include "fuzz/fuzz.hpp"

#include <unfold/io/idx.hpp>

using namespace unfold;
using namespace unfold::test;
using Bytes = std::span<const std::byte>;

namespace {

void read_file(Bytes file) {
  const IdxHeader header = parse_idx_header(file, "input");
  const std::size_t begin = 4 + 4 * header.shape.size();
  must(begin <= file.size(), "the header lies in the file");
  must(!to_string(header.type).empty(), "the type has a name");
  with_rank(header.shape.size(), [&]<int Rank>() {
    const Tensor<std::uint8_t, Rank> tensor = parse_idx<Rank>(file, "input");  // refused if not uint8
    must(header.type == IdxType::uint8, "nothing is converted");
    must(has_shape(tensor, header.shape), "the tensor has the header's shape");
    must(holds_bytes(tensor, file.subspan(begin)), "the elements are the file's");
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  survives(bytes, size, read_file);
  return 0;
}
