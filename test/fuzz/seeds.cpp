// SPDX-License-Identifier: MIT
// fuzz-seeds FOLDER: what fuzzing begins with, in FOLDER/npy, FOLDER/idx and FOLDER/safetensors: small valid files of
// every element type, and the malformed ones of the tests' tables.
#include "io/malformed_idx.hpp"
#include "io/malformed_npy.hpp"
#include "io/malformed_safetensors.hpp"

#include <unfold/io/checkpoint.hpp>
#include <unfold/io/idx.hpp>
#include <unfold/io/npy.hpp>

#include <fstream>
#include <iostream>

using namespace unfold;
using namespace unfold::test;

namespace {

template <class T, int Rank>
Tensor<T, Rank> counting(const Shape<Rank>& shape) {
  Tensor<T, Rank> tensor(shape);
  for (Index i = 0; i < tensor.size(); ++i) tensor.data()[i] = static_cast<T>(i);
  return tensor;
}

void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.exceptions(std::ios::failbit | std::ios::badbit);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

void write_malformed(const std::filesystem::path& folder, const std::vector<MalformedFile>& files) {
  for (std::size_t i = 0; i < files.size(); ++i)
    write_bytes(folder / ("malformed-" + std::to_string(i)), files[i].bytes);
}

void write_npy_seeds(const std::filesystem::path& folder) {
  write_npy(folder / "float", counting<float, 2>({2, 3}));
  write_npy(folder / "double", counting<double, 1>({3}));
  write_npy(folder / "uint8", counting<std::uint8_t, 4>({2, 1, 2, 3}));
  write_npy(folder / "int32", counting<std::int32_t, 3>({1, 2, 2}));
  write_npy(folder / "int64", counting<std::int64_t, 1>({1}));
  write_npy(folder / "empty", counting<float, 2>({0, 4}));
  const std::string literal = "{'descr': '<i4', 'fortran_order': True, 'shape': (2, 3), }\n";
  write_bytes(folder / "version2",
              "\x93NUMPY\2\0"s + low_bytes(literal.size(), 4) + literal + "elements are 24 bytes...");
  const std::string single = "{\"shape\":(),\"descr\":\"<f8\",\"fortran_order\":False}\n";
  write_bytes(folder / "version3", "\x93NUMPY\3\0"s + low_bytes(single.size(), 4) + single + "8 bytes.");
  write_malformed(folder, malformed_npy_files());
}

void write_idx_seeds(const std::filesystem::path& folder) {
  write_idx(folder / "labels", counting<std::uint8_t, 1>({5}));
  write_idx(folder / "images", counting<std::uint8_t, 3>({2, 3, 2}));
  write_idx(folder / "four", counting<std::uint8_t, 4>({1, 2, 1, 2}));
  write_idx(folder / "empty", counting<std::uint8_t, 2>({0, 7}));
  write_bytes(folder / "float", "\0\0\x0d\1\0\0\0\1????"s);
  write_malformed(folder, malformed_idx_files());
}

struct Net {
  Tensor<float, 2> weights = counting<float, 2>({2, 3});
  Tensor<double, 1> bias = counting<double, 1>({2});

  template <class Visit>
  void visit_state(Visit&& visit) {
    visit("0.weights", weights.view());
    visit("0.bias", bias.view());
  }
};

void write_safetensors_seeds(const std::filesystem::path& folder) {
  Net net;
  save_checkpoint(folder / "checkpoint", net, {{"epoch", "3"}});
  save_checkpoint(folder / "checkpoint_alone", net);
  const auto bytes = counting<std::uint8_t, 3>({1, 2, 2});
  const auto integers = counting<std::int32_t, 1>({3});
  const auto longs = counting<std::int64_t, 4>({1, 1, 2, 1});
  const auto nothing = counting<float, 2>({0, 4});
  save_safetensors(folder / "types", {{"u", bytes}, {"i", integers}, {"l", longs}, {"\u00e9 \"\\\n", nothing}});
  save_safetensors(folder / "empty", {});
  const std::string json =
      "{\n\t\"b\" : {\"shape\":[2],\"data_offsets\":[4,8],\"dtype\":\"BF16\"} ,\r\n"
      R"("\u00e9\ud83d\ude00\/\\\b\f\n\r\t\"":{"dtype":"I32","shape":[],"data_offsets":[0,4]},)"
      R"("__metadata__":{"\u20ac":"\u0000"},"z":{"dtype":"F64","shape":[3,0],"data_offsets":[4,4]}}  )";
  write_bytes(folder / "others", low_bytes(json.size(), 8) + json + "01234567");
  write_malformed(folder, malformed_safetensors_files());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: fuzz-seeds FOLDER\n";
    return 2;
  }
  const std::filesystem::path root = argv[1];
  for (const char* format : {"npy", "idx", "safetensors"}) std::filesystem::create_directories(root / format);
  write_npy_seeds(root / "npy");
  write_idx_seeds(root / "idx");
  write_safetensors_seeds(root / "safetensors");
}
