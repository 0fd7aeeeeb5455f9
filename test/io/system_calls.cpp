// SPDX-License-Identifier: MIT
// The linker takes these definitions before those of the C library; each makes the call itself.
#include "io/system_calls.hpp"

#include <fcntl.h>     // AT_FDCWD
#include <sys/file.h>  // flock
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>   // rename
#include <utility>  // std::exchange

namespace unfold::test {

SystemCalls* SystemCalls::current = nullptr;

SystemCalls::SystemCalls() { current = this; }
SystemCalls::~SystemCalls() { current = nullptr; }

bool SystemCalls::fail(const char* name) {
  log.emplace_back(name);
  const std::size_t number = log.size() - 1;
  if (number < fails_at || number - fails_at >= times) return false;
  errno = error;
  return true;
}

}  // namespace unfold::test

namespace {

bool fails(const char* name) {
  return unfold::test::SystemCalls::current != nullptr && unfold::test::SystemCalls::current->fail(name);
}

std::size_t limited(std::size_t bytes) {
  return unfold::test::SystemCalls::current == nullptr
             ? bytes
             : std::min(bytes, unfold::test::SystemCalls::current->most_bytes);
}

}  // namespace

extern "C" {

ssize_t write(int file, const void* bytes, size_t count) {
  return fails("write") ? -1 : ::syscall(SYS_write, file, bytes, limited(count));
}
ssize_t pread(int file, void* bytes, size_t count, off_t begin) {
  return fails("pread") ? -1 : ::syscall(SYS_pread64, file, bytes, limited(count), begin);
}
int flock(int file, int operation) noexcept {
  if (unfold::test::SystemCalls::current != nullptr) {
    std::exchange(unfold::test::SystemCalls::current->before_flock, [] {})();
  }
  return fails("flock") ? -1 : static_cast<int>(::syscall(SYS_flock, file, operation));
}
int ftruncate(int file, off_t size) noexcept {
  return fails("ftruncate") ? -1 : static_cast<int>(::syscall(SYS_ftruncate, file, size));
}
int fchmod(int file, mode_t mode) noexcept {
  return fails("fchmod") ? -1 : static_cast<int>(::syscall(SYS_fchmod, file, mode));
}
int fsync(int file) { return fails("fsync") ? -1 : static_cast<int>(::syscall(SYS_fsync, file)); }
int rename(const char* from, const char* to) noexcept {
  return fails("rename") ? -1 : static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

}  // extern "C"
