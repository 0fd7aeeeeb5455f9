// SPDX-License-Identifier: MIT
#include <unfold/core/workspace.hpp>

#include "support/catch.hpp"

#include <cstdint>
#include <thread>

using namespace unfold;
using detail::Workspace;

namespace {

template <class P>
std::uintptr_t address(const P* p) {
  return reinterpret_cast<std::uintptr_t>(p);
}

}  // namespace

TEST_CASE("A thread's workspace is 4 MiB at the beginning of a page") {
  STATIC_REQUIRE(workspace_bytes == 4 * 1024 * 1024);
  CHECK(address(Workspace::block()) % 4096 == 0);
  CHECK(Workspace::block() == Workspace::block());
}

TEST_CASE("Pieces are aligned to 64 bytes, one after the other, and all of the block can be taken and written") {
  Workspace workspace;
  auto* const a = workspace.take<float>(17);  // 68 bytes
  auto* const b = workspace.take<double>(1);
  auto* const c = workspace.take<char>(0);
  auto* const d = workspace.take<char>(workspace_bytes - 3 * 64);
  CHECK(address(a) == address(Workspace::block()));
  CHECK(address(b) == address(a) + 128);
  CHECK(address(c) == address(b) + 64);
  CHECK(address(d) == address(c));
  d[0] = d[workspace_bytes - 3 * 64 - 1] = 'x';
  a[16] = 1;
  *b = 2;
  CHECK(d[0] == 'x');
  CHECK(workspace.take<double>(0) == reinterpret_cast<double*>(Workspace::block() + workspace_bytes));
}

TEST_CASE("The block is handed out anew after each scope") {
  const auto first = [] { return Workspace().take<float>(100); };
  CHECK(first() == first());
}

TEST_CASE("Every thread has a block of its own") {
  const std::byte* const mine = Workspace::block();
  const std::byte* other = nullptr;
  std::thread([&] { other = Workspace::block(); }).join();
  CHECK(other != nullptr);
  CHECK(other != mine);
}
