// SPDX-License-Identifier: MIT
// The linker takes these definitions before those of the C library; each makes the call itself.
#include "io/system_calls.hpp"

#include <fcntl.h>     // AT_FDCWD, AT_EMPTY_PATH
#include <sys/file.h>  // flock
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
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

using unfold::test::SystemCalls;

/// call(), seen by the SystemCalls that lives; or -1 if that lets it fail.
template <class Call>
auto watched(const char* name, Call&& call) {
  SystemCalls* const watcher = SystemCalls::current;
  if (watcher == nullptr) return call();
  if (watcher->fail(name)) return decltype(call())(-1);
  const std::size_t number = watcher->log.size() - 1;
  watcher->before(number);
  const auto result = call();
  const int error = errno;
  watcher->after(number);
  errno = error;
  return result;
}

int system_call(long number, auto... arguments) { return static_cast<int>(::syscall(number, arguments...)); }

std::size_t limited(std::size_t bytes) {
  return SystemCalls::current == nullptr ? bytes : std::min(bytes, SystemCalls::current->most_bytes);
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  std::va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return watched("open", [&] { return system_call(SYS_openat, AT_FDCWD, path, flags, mode); });
}
int stat(const char* path, struct stat* status) noexcept {
  return watched("stat", [&] { return system_call(SYS_newfstatat, AT_FDCWD, path, status, 0); });
}
int lstat(const char* path, struct stat* status) noexcept {
  return watched("lstat", [&] { return system_call(SYS_newfstatat, AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW); });
}
int fstat(int file, struct stat* status) noexcept {
  return watched("fstat", [&] { return system_call(SYS_newfstatat, file, "", status, AT_EMPTY_PATH); });
}
ssize_t write(int file, const void* bytes, size_t count) {
  return watched("write", [&] { return ssize_t{::syscall(SYS_write, file, bytes, limited(count))}; });
}
ssize_t pread(int file, void* bytes, size_t count, off_t begin) {
  return watched("pread", [&] { return ssize_t{::syscall(SYS_pread64, file, bytes, limited(count), begin)}; });
}
int flock(int file, int operation) noexcept {
  if (SystemCalls::current != nullptr) std::exchange(SystemCalls::current->before_flock, [] {})();
  return watched("flock", [&] { return system_call(SYS_flock, file, operation); });
}
int ftruncate(int file, off_t size) noexcept {
  return watched("ftruncate", [&] { return system_call(SYS_ftruncate, file, size); });
}
int fchmod(int file, mode_t mode) noexcept {
  return watched("fchmod", [&] { return system_call(SYS_fchmod, file, mode); });
}
int fsync(int file) {
  return watched("fsync", [&] { return system_call(SYS_fsync, file); });
}
int rename(const char* from, const char* to) noexcept {
  return watched("rename", [&] { return system_call(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0); });
}
int unlink(const char* path) noexcept {
  return watched("unlink", [&] { return system_call(SYS_unlinkat, AT_FDCWD, path, 0); });
}

}  // extern "C"
