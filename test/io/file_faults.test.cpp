// SPDX-License-Identifier: MIT
// Saves and reads while the system refuses, interrupts, or does less than it is asked for.
#include "io/save.hpp"
#include "io/system_calls.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

#include <unfold/io/file.hpp>

#include <sys/resource.h>  // ::setrlimit

#include <csignal>

using unfold::detail::OutputFile;
using unfold::detail::Source;
using unfold::test::error_of;
using unfold::test::read_whole;
using unfold::test::save;
using unfold::test::save_error;
using unfold::test::ScratchFolder;
using unfold::test::SystemCalls;
using unfold::test::write_whole;

TEST_CASE("whichever call of a save fails, the error names it and the file is the old one or the new one in full") {
  const ScratchFolder folder;
  const std::string a = (folder / "a").string();
  const std::string expected[] = {
      "cannot look at " + a,
      "cannot create " + a + ".partial",
      "cannot look at " + a + ".partial",
      "cannot lock " + a + ".partial",
      "cannot look at " + a + ".partial",
      "cannot empty " + a + ".partial",
      "cannot change " + a + ".partial",
      "cannot write " + a + ".partial",
      "cannot sync " + a + ".partial",
      "cannot rename to " + a + " " + a + ".partial",
      "cannot open " + folder.path().string(),
      "cannot sync " + folder.path().string(),
  };
  for (const int error : {ENOSPC, EIO}) {
    for (std::size_t call = 0; call < std::size(expected); ++call) {
      write_whole(a, "old");
      std::string message;
      {
        SystemCalls calls;
        calls.fails_at = call;
        calls.error = error;
        message = save_error(a);
      }
      CHECK(message == "unfold::save: " + expected[call] + ": " + std::generic_category().message(error));
      CHECK(read_whole(a) == (call < 10 ? "old" : "new"));
      const bool not_locked = 2 <= call && call <= 4;  // then the temporary might be another writer's
      CHECK(folder.count() == (not_locked ? 2 : 1));
    }
  }
  save(a, "last");
  CHECK(read_whole(a) == "last");
  CHECK(folder.count() == 1);
}

TEST_CASE("when everything fails from some call on, the old file stays, and the next save takes the rest over") {
  const ScratchFolder folder;
  for (std::size_t call = 0; call < 10; ++call) {
    write_whole(folder / "a", "old");
    {
      SystemCalls calls;
      calls.fails_at = call;
      calls.times = 1000;
      calls.error = EIO;
      CHECK(save_error(folder / "a") != "(nothing was thrown)");
    }
    CHECK(read_whole(folder / "a") == "old");
    CHECK(folder.count() <= 2);  // not even the temporary could be removed
    save(folder / "a", "new");
    CHECK(read_whole(folder / "a") == "new");
    CHECK(folder.count() == 1);
  }
}

TEST_CASE("interrupted calls and short ones are carried on with") {
  const ScratchFolder folder;
  const std::string text = "what is written bit by bit";
  {
    SystemCalls calls;
    calls.most_bytes = 3;
    save(folder / "a", text);
    CHECK(std::count(calls.log.begin(), calls.log.end(), "write") == 9);
  }
  CHECK(read_whole(folder / "a") == text);
  for (const std::size_t call : {1U, 3U, 5U, 7U, 8U, 10U, 11U}) {  // open, flock, ftruncate, write, fsync, open, fsync
    write_whole(folder / "a", "old");
    SystemCalls calls;
    calls.fails_at = call;
    calls.times = 5;
    calls.error = EINTR;
    save(folder / "a", text);
    CHECK(calls.log.size() == 12 + 5);
    CHECK(read_whole(folder / "a") == text);
  }

  SystemCalls calls;
  calls.most_bytes = 5;
  calls.fails_at = 3;  // behind open, fstat and the first pread
  calls.error = EINTR;
  std::string read(text.size(), '?');
  Source("load", folder / "a").read(0, read.data(), static_cast<unfold::Index>(read.size()));
  CHECK(read == text);
  CHECK(calls.log.size() == 2 + 7);
}

TEST_CASE("a file system that cannot sync folders is no hindrance") {
  const ScratchFolder folder;
  SystemCalls calls;
  calls.fails_at = 10;
  calls.error = EINVAL;
  save(folder / "a", "new");
  CHECK(calls.log.size() == 11);
  CHECK(calls.log.back() == "fsync");
  CHECK(read_whole(folder / "a") == "new");
}

TEST_CASE("a disk that fills up in the middle of a save leaves the old file") {
  const ScratchFolder folder;
  for (std::size_t written = 0; written < 9; ++written) {
    write_whole(folder / "a", "old");
    SystemCalls calls;
    calls.most_bytes = 3;
    calls.fails_at = 7 + written;
    calls.error = ENOSPC;
    CHECK(save_error(folder / "a", "what is written bit by bit") ==
          "unfold::save: cannot write " + (folder / "a.partial").string() + ": No space left on device");
    CHECK(read_whole(folder / "a") == "old");
    CHECK(folder.count() == 1);
  }
}

TEST_CASE("a read that fails, or a file that shrinks while it is read, is an error") {
  const ScratchFolder folder;
  write_whole(folder / "a", "12345678");
  for (const std::size_t call : {0U, 1U}) {
    SystemCalls calls;
    calls.fails_at = call;
    calls.error = EIO;
    CHECK(error_of<std::system_error>([&] { Source("load", folder / "a"); }) ==
          "unfold::load: cannot " + std::string(call == 0 ? "open " : "look at ") + (folder / "a").string() +
              ": Input/output error");
  }
  const Source source("load", folder / "a");
  char bytes[8] = {};
  {
    SystemCalls calls;
    calls.fails_at = 0;
    calls.error = EIO;
    CHECK(error_of<std::system_error>([&] { source.read(0, bytes, 8); }) ==
          "unfold::load: cannot read " + (folder / "a").string() + ": Input/output error");
  }
  std::filesystem::resize_file(folder / "a", 5);
  CHECK(error_of<unfold::FormatError>([&] { source.read(2, bytes, 6); }) ==
        "unfold::load: " + (folder / "a").string() +
            ": the file must not change while it is read, got its end at byte 5 of 8");
}

TEST_CASE("a full disk is an error") {
  const unfold::detail::FileDescriptor full("/dev/full", O_WRONLY);
  REQUIRE(full.is_open());
  OutputFile file("save", full.number(), "/dev/full");
  file.write("gathered first");
  CHECK(error_of<std::system_error>([&] { file.flush(); }) ==
        "unfold::save: cannot write /dev/full: No space left on device");
}

TEST_CASE("a save that hits the limit of file size leaves the old file") {
  const ScratchFolder folder;
  save(folder / "a", "old");
  struct rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  struct rlimit small = before;
  small.rlim_cur = 4096;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const std::string message = save_error(folder / "a", std::string(1 << 20, 'x'));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(message == "unfold::save: cannot write " + (folder / "a.partial").string() + ": File too large");
  CHECK(read_whole(folder / "a") == "old");
  CHECK(folder.count() == 1);
}

TEST_CASE("a read-only folder is an error, and its file stays") {
  const ScratchFolder folder;
  save(folder / "a", "old");
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0555));
  const bool root = ::geteuid() == 0;
  if (root) REQUIRE(::seteuid(65534) == 0);  // root may write anywhere
  const std::string message = save_error(folder / "a");
  if (root) REQUIRE(::seteuid(0) == 0);
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  CHECK(message == "unfold::save: cannot create " + (folder / "a.partial").string() + ": Permission denied");
  CHECK(read_whole(folder / "a") == "old");
  CHECK(folder.count() == 1);
}

TEST_CASE("a file system without locks is written all the same") {
  const ScratchFolder folder;
  for (const int error : {ENOLCK, ENOSYS, EINVAL, EOPNOTSUPP}) {
    SystemCalls calls;
    calls.fails_at = 3;
    calls.error = error;
    save(folder / "a", "new");
    CHECK(read_whole(folder / "a") == "new");
    std::filesystem::remove(folder / "a");
  }
}
