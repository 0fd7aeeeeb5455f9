// SPDX-License-Identifier: MIT
// Source: the bytes of a file, on disk or in memory, for the readers of this floor.
// write_file_atomically: a file that is at every moment the old one or the new one in full, power loss included.
#pragma once

#include <unfold/io/element.hpp>

#include <fcntl.h>     // ::open
#include <sys/file.h>  // ::flock
#include <sys/stat.h>  // ::fstat, ::fchmod
#include <unistd.h>    // ::pread, ::write, ::fsync

#include <cerrno>
#include <cstddef>
#include <cstring>  // std::memcpy
#include <filesystem>
#include <system_error>
#include <utility>

namespace unfold::detail {

/// Throws std::system_error "unfold::<function>: cannot <action> <path>: <what errno says>".
[[noreturn]] inline void fail_system(std::string_view function, std::string_view action, const std::string& path,
                                     int error = errno) {
  std::string message = "unfold::";
  message.append(function).append(": cannot ").append(action).append(" ").append(path);
  throw std::system_error(error, std::generic_category(), message);
}

/// Throws FormatError "unfold::<function>: <file>: <rule>, got <got>".
[[noreturn]] inline void fail_format(std::string_view function, std::string_view file, std::string_view rule,
                                     std::string_view got) {
  std::string message = "unfold::";
  message.append(function).append(": ").append(file).append(": ");
  throw FormatError(message.append(rule).append(", got ").append(got));
}

/// Bytes of a file as they may stand in a message: quoted, at most `limit` of them, odd ones as \x7f.
inline std::string in_quotes(std::string_view bytes, std::size_t limit = 24) {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string text = "\"";
  for (const char c : bytes.substr(0, limit)) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      text.append({'\\', c});
    } else if (code >= 0x20 && code < 0x7f) {
      text += c;
    } else {
      text.append("\\x").append({hex[code / 16], hex[code % 16]});
    }
  }
  return text.append(bytes.size() > limit ? "\"..." : "\"");
}

/// Calls `call` again for as long as a signal interrupts it.
template <class Call>
auto uninterrupted(Call&& call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

/// An open file of the operating system, closed at the end of its scope.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  FileDescriptor(const char* path, int flags) {
    number_ = uninterrupted([&] { return ::open(path, flags | O_CLOEXEC, 0666); });
  }
  FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  ~FileDescriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

/// The bytes of one file, read where the reader points; its size is known before anything is read.
class Source {
 public:
  /// Errors: std::system_error if `path` cannot be opened or is no regular file.
  Source(std::string_view function, const std::filesystem::path& path)
      : function_(function),
        name_(path.string()),
        file_(path.c_str(), O_RDONLY | O_NONBLOCK) {  // O_NONBLOCK: a pipe is refused below instead of waited for
    if (!file_.is_open()) fail_system(function_, "open", name_);
    struct stat status{};
    if (::fstat(file_.number(), &status) != 0) fail_system(function_, "look at", name_);
    if (S_ISDIR(status.st_mode)) fail_system(function_, "read", name_, EISDIR);
    if (!S_ISREG(status.st_mode)) fail_system(function_, "read, as it is no regular file,", name_, EINVAL);
    size_ = static_cast<Index>(status.st_size);
  }

  /// A file that is in memory already; `name` stands in messages in place of the path.
  Source(std::string_view function, std::span<const std::byte> bytes, std::string_view name)
      : function_(function), name_(name), bytes_(bytes), size_(static_cast<Index>(bytes.size())) {}

  Index size() const { return size_; }

  /// Copies the bytes [begin, begin + count), which must lie inside the file.
  /// Errors: std::system_error; FormatError if the file has become shorter meanwhile
  void read(Index begin, void* to, Index count) const {
    if (count == 0) return;
    if (!file_.is_open()) {
      std::memcpy(to, bytes_.data() + begin, static_cast<std::size_t>(count));
      return;
    }
    for (Index done = 0; done < count;) {
      const Index step = uninterrupted([&] {
        return ::pread(file_.number(), static_cast<std::byte*>(to) + done, static_cast<std::size_t>(count - done),
                       begin + done);
      });
      if (step < 0) fail_system(function_, "read", name_);
      if (step == 0) {
        fail("the file must not change while it is read",
             "its end at byte " + std::to_string(begin + done) + " of " + std::to_string(size_));
      }
      done += step;
    }
  }

  [[noreturn]] void fail(std::string_view rule, std::string_view got) const {
    fail_format(function_, name_, rule, got);
  }
  const std::string& name() const { return name_; }

 private:
  std::string function_;
  std::string name_;
  FileDescriptor file_;  // open, or else bytes_
  std::span<const std::byte> bytes_;
  Index size_ = 0;
};

/// The file being written: small pieces are gathered, large ones go straight to the system.
class OutputFile {
 public:
  OutputFile(std::string_view function, int descriptor, std::string path)
      : function_(function), descriptor_(descriptor), path_(std::move(path)) {
    gathered_.reserve(gathered_bytes);
  }

  void write(const void* bytes, std::size_t count) {
    if (count > gathered_bytes - gathered_.size()) flush();
    if (count > gathered_bytes) {
      write_all(static_cast<const std::byte*>(bytes), count);
    } else {
      const auto* first = static_cast<const std::byte*>(bytes);
      gathered_.insert(gathered_.end(), first, first + count);
    }
  }
  void write(std::string_view text) { write(text.data(), text.size()); }

  /// The elements in row-major order, whatever the strides.
  template <class T, int Rank>
  void write(TensorView<const T, Rank> view) {
    if (view.contiguous()) {
      write(view.data(), static_cast<std::size_t>(view.size()) * sizeof(T));
      return;
    }
    view.for_each_run([&](const T* run, Index n, Index step) {
      for (Index i = 0; i < n; ++i) write(run + i * step, sizeof(T));
    });
  }

  void flush() {
    write_all(gathered_.data(), gathered_.size());
    gathered_.clear();
  }

 private:
  static constexpr std::size_t gathered_bytes = std::size_t{1} << 16;

  void write_all(const std::byte* next, std::size_t left) {
    while (left > 0) {
      const auto step = uninterrupted([&] { return ::write(descriptor_, next, left); });
      if (step <= 0) fail_system(function_, "write", path_, step < 0 ? errno : EIO);
      next += step;
      left -= static_cast<std::size_t>(step);
    }
  }

  std::string function_;
  int descriptor_;
  std::string path_;
  std::vector<std::byte> gathered_;
};

/// Whether this is what flock says on a file system that knows no locks; there a save goes on without.
inline bool has_no_locks(int error) {
  return error == ENOLCK || error == ENOSYS || error == EINVAL || error == EOPNOTSUPP;
}

/// Opens the temporary and holds its lock, which keeps a second writer of the same file out.
/// One left behind by a process that was killed is simply taken over.
inline FileDescriptor open_temporary(std::string_view function, const std::string& path) {
  for (;;) {
    FileDescriptor file(path.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK);
    if (!file.is_open()) fail_system(function, "create", path);
    struct stat held{};
    struct stat named{};
    if (::fstat(file.number(), &held) != 0) fail_system(function, "look at", path);
    if (!S_ISREG(held.st_mode)) fail_system(function, "overwrite, as it is no regular file,", path, EINVAL);
    const bool locked = uninterrupted([&] { return ::flock(file.number(), LOCK_EX | LOCK_NB); }) == 0;
    if (!locked && !has_no_locks(errno)) fail_system(function, "lock", path);
    // Before the lock was ours its last holder may have renamed the file away: then it is no temporary any more.
    const bool is_named = ::lstat(path.c_str(), &named) == 0;
    if (!is_named && errno != ENOENT) fail_system(function, "look at", path);
    if (is_named && named.st_ino == held.st_ino && named.st_dev == held.st_dev) return file;
  }
}

/// Makes the names in a folder outlive a power loss.
inline void sync_folder(std::string_view function, const std::filesystem::path& folder) {
  const FileDescriptor file(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY);
  if (!file.is_open()) fail_system(function, "open", folder.string());
  const bool synced = uninterrupted([&] { return ::fsync(file.number()); }) == 0;
  if (!synced && errno != EINVAL) fail_system(function, "sync", folder.string());  // EINVAL: it knows no such thing
}

/// Writes `path` through `writer(OutputFile&)`: into "<path>.partial" in the same folder, synced, renamed
/// over `path`, folder synced. An old file keeps its permissions; a symbolic link is replaced.
///
/// Errors  std::system_error naming the file; strong guarantee: whatever was at `path` is still there, and the
///         temporary is removed, except one that cannot be looked at or locked, which may be another writer's (only
///         after a failed last sync, of the folder, is the new file there already)
template <class Writer>
void write_file_atomically(std::string_view function, const std::filesystem::path& path, Writer&& writer) {
  struct stat old{};
  const bool replaces = ::stat(path.c_str(), &old) == 0;
  const bool is_free = !replaces && (errno == ENOENT || errno == ELOOP);  // ELOOP: a link to itself is replaced too
  if (!replaces && !is_free) fail_system(function, "look at", path.string());
  if (replaces && !S_ISREG(old.st_mode)) {
    fail_system(function, "replace, as it is no regular file,", path.string(), S_ISDIR(old.st_mode) ? EISDIR : EINVAL);
  }
  const std::string temporary = path.string() + ".partial";
  const FileDescriptor file = open_temporary(function, temporary);
  try {
    if (uninterrupted([&] { return ::ftruncate(file.number(), 0); }) != 0) fail_system(function, "empty", temporary);
    if (replaces && ::fchmod(file.number(), old.st_mode & 07777) != 0) fail_system(function, "change", temporary);
    OutputFile output(function, file.number(), temporary);
    writer(output);
    output.flush();
    if (uninterrupted([&] { return ::fsync(file.number()); }) != 0) fail_system(function, "sync", temporary);
    if (::rename(temporary.c_str(), path.c_str()) != 0) fail_system(function, "rename to " + path.string(), temporary);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(function, path.parent_path());
}

}  // namespace unfold::detail
