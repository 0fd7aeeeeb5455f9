// SPDX-License-Identifier: MIT
// Safetensors, and load_checkpoint of the same file.
#include "fuzz/fuzz.hpp"

#include <unfold/io/checkpoint.hpp>

#include <sys/mman.h>  // ::memfd_create

using namespace unfold;
using namespace unfold::test;
using Bytes = std::span<const std::byte>;

namespace {

Bytes data_of(Bytes file) {
  Index length = 0;
  std::memcpy(&length, file.data(), 8);
  return file.subspan(8 + static_cast<std::size_t>(length));
}

/// The tensor can be read with its type and shape, and holds the bytes between its offsets.
void check_elements(Safetensors& safetensors, const Safetensors::TensorInfo& info, Bytes data) {
  for_each_element_type([&]<class T>(T) {
    if (info.dtype != detail::FileType<T>::safetensors) return;
    with_rank(info.shape.size(), [&]<int Rank>() {
      Shape<Rank> shape;
      std::copy(info.shape.begin(), info.shape.end(), shape.begin());
      Tensor<T, Rank> tensor(shape);
      safetensors.read(info.name, tensor);
      const auto begin = static_cast<std::size_t>(info.begin);
      must(holds_bytes(tensor, data.subspan(begin, static_cast<std::size_t>(info.end) - begin)),
           "the elements are the file's");
    });
  });
}

/// A header written for the same tensors says the same.
void check_written(const Safetensors& file) {
  const Tensor<std::uint8_t, 1> nothing(Shape<1>(0));
  std::vector<SafetensorsEntry> entries;
  std::vector<const SafetensorsEntry*> pointers;
  std::size_t data_bytes = 0;
  for (const Safetensors::TensorInfo& info : file.tensors()) {
    SafetensorsEntry& entry = entries.emplace_back(info.name, nothing);
    entry.dtype = info.dtype;
    entry.element_bytes = detail::safetensors_element_bytes(info.dtype);
    entry.shape = info.shape;
    data_bytes += static_cast<std::size_t>(info.end - info.begin);
  }
  for (const SafetensorsEntry& entry : entries) pointers.push_back(&entry);
  std::string written = detail::safetensors_header(pointers, file.metadata());
  must(written.size() % 64 == 0, "the data are aligned");
  written.append(data_bytes, '?');
  const Safetensors again(std::as_bytes(std::span(written)), "written");
  must(again.metadata() == file.metadata(), "the metadata come back");
  must(again.tensors().size() == entries.size(), "the tensors come back");
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Safetensors::TensorInfo& info = again.tensors()[i];
    must(info.name == entries[i].name && info.dtype == entries[i].dtype && info.shape == entries[i].shape,
         "name, type and shape come back");
  }
}

/// The network whose checkpoint is among the seeds.
struct Net {
  Tensor<float, 2> weights{Shape<2>(2, 3), 1.F};
  Tensor<double, 1> bias{Shape<1>(2), 2.};

  template <class Visit>
  void visit_state(Visit&& visit) {
    visit("0.weights", weights.view());
    visit("0.bias", bias.view());
  }
};

/// As a file of the system, in memory: a refusal leaves the network as it was.
void load(Bytes bytes) {
  static const int file = ::memfd_create("checkpoint", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  must(::ftruncate(file, 0) == 0, "the file can be emptied");
  must(::pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()), "the file can be written");
  Net net;
  try {
    load_checkpoint(path, net);
  } catch (const FormatError&) {
    must(net.weights == Net().weights && net.bias == Net().bias, "a refused checkpoint changes nothing");
  }
}

void read_file(Bytes bytes) {
  Safetensors file(bytes, "input");
  const Bytes data = data_of(bytes);
  Index sum = 0;
  for (const Safetensors::TensorInfo& info : file.tensors()) {
    must(detail::is_utf8(info.name), "names are UTF-8");
    sum += info.end - info.begin;
    check_elements(file, info, data);
  }
  must(sum == static_cast<Index>(data.size()), "the tensors are all of the data");
  check_written(file);
  load(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  survives(bytes, size, read_file);
  return 0;
}
