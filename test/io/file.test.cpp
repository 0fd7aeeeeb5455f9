// SPDX-License-Identifier: MIT
#include "io/system_calls.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

#include <unfold/io/file.hpp>

#include <sys/resource.h>  // ::setrlimit
#include <sys/stat.h>      // ::mkfifo

#include <csignal>

using unfold::detail::OutputFile;
using unfold::detail::Source;
using unfold::detail::write_file_atomically;
using unfold::test::error_of;
using unfold::test::read_whole;
using unfold::test::ScratchFolder;
using unfold::test::SystemCalls;
using unfold::test::write_whole;

namespace {

void save(const std::filesystem::path& path, std::string_view text) {
  write_file_atomically("save", path, [&](OutputFile& file) { file.write(text); });
}

std::string save_error(const std::filesystem::path& path, std::string_view text = "new") {
  return error_of<std::system_error>([&] { save(path, text); });
}

using Calls = std::vector<std::string>;

}  // namespace

TEST_CASE("a save writes, syncs, renames and syncs the folder, in this order") {
  const ScratchFolder folder;
  SystemCalls calls;
  save(folder / "a", "first");
  CHECK(calls.log == Calls{"flock", "ftruncate", "write", "fsync", "rename", "fsync"});
  CHECK(read_whole(folder / "a") == "first");
  calls.log.clear();
  save(folder / "a", std::string(100'000, 'x'));
  CHECK(calls.log == Calls{"flock", "ftruncate", "fchmod", "write", "fsync", "rename", "fsync"});
  CHECK(read_whole(folder / "a") == std::string(100'000, 'x'));
  CHECK(folder.count() == 1);
}

TEST_CASE("whichever call of a save fails, the error names it and the file is the old one or the new one in full") {
  const ScratchFolder folder;
  const std::string a = (folder / "a").string();
  const std::string expected[] = {
      "cannot empty " + a + ".partial",
      "cannot change " + a + ".partial",
      "cannot write " + a + ".partial",
      "cannot sync " + a + ".partial",
      "cannot rename to " + a + " " + a + ".partial",
      "cannot sync " + folder.path().string(),
  };
  for (const int error : {ENOSPC, EIO}) {
    for (std::size_t call = 0; call < std::size(expected); ++call) {
      write_whole(a, "old");
      std::string message;
      {
        SystemCalls calls;
        calls.fails_at = call + 1;  // flock is the first
        calls.error = error;
        message = save_error(a);
      }
      CHECK(message == "unfold::save: " + expected[call] + ": " + std::generic_category().message(error));
      CHECK(read_whole(a) == (call < 5 ? "old" : "new"));
      CHECK(folder.count() == 1);
    }
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
  for (const std::size_t call : {1U, 2U, 3U}) {  // ftruncate, write, fsync
    SystemCalls calls;
    calls.fails_at = call;
    calls.times = 5;
    calls.error = EINTR;
    save(folder / ("b" + std::to_string(call)), text);
  }
  CHECK(read_whole(folder / "a") == text);
  CHECK(read_whole(folder / "b1") == text);
  CHECK(read_whole(folder / "b2") == text);
  CHECK(read_whole(folder / "b3") == text);

  SystemCalls calls;
  calls.most_bytes = 5;
  calls.fails_at = 1;
  calls.error = EINTR;
  std::string read(text.size(), '?');
  Source("load", folder / "a").read(0, read.data(), static_cast<unfold::Index>(read.size()));
  CHECK(read == text);
  CHECK(calls.log.size() == 7);
}

TEST_CASE("a read that fails, or a file that shrinks while it is read, is an error") {
  const ScratchFolder folder;
  write_whole(folder / "a", "12345678");
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

TEST_CASE("an exception of the writer passes, and the old file stays") {
  const ScratchFolder folder;
  save(folder / "a", "old");
  CHECK_THROWS_AS(write_file_atomically("save", folder / "a",
                                        [](OutputFile& file) {
                                          file.write("half");
                                          throw std::length_error("other half");
                                        }),
                  std::length_error);
  CHECK(read_whole(folder / "a") == "old");
  CHECK(folder.count() == 1);
}

TEST_CASE("only files are replaced") {
  const ScratchFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(save_error(folder / "pipe") ==
        "unfold::save: cannot replace, as it is no regular file, " + (folder / "pipe").string() + ": Invalid argument");
  CHECK(save_error(folder.path()) ==
        "unfold::save: cannot replace, as it is no regular file, " + folder.path().string() + ": Is a directory");
  CHECK(save_error(folder / "no" / "a") ==
        "unfold::save: cannot create " + (folder / "no/a.partial").string() + ": No such file or directory");
  REQUIRE(::mkfifo((folder / "b.partial").c_str(), 0600) == 0);
  CHECK(save_error(folder / "b") ==
        "unfold::save: cannot create " + (folder / "b.partial").string() + ": No such device or address");
  CHECK(folder.count() == 2);
}

TEST_CASE("permissions stay, and a link is replaced, not followed") {
  const ScratchFolder folder;
  save(folder / "a", "old");
  std::filesystem::permissions(folder / "a", std::filesystem::perms(0640));
  save(folder / "a", "new");
  CHECK(std::filesystem::status(folder / "a").permissions() == std::filesystem::perms(0640));

  std::filesystem::create_symlink(folder / "a", folder / "link");
  save(folder / "link", "linked");
  CHECK(read_whole(folder / "a") == "new");
  CHECK(read_whole(folder / "link") == "linked");
  CHECK(!std::filesystem::is_symlink(folder / "link"));

  std::filesystem::create_symlink(folder / "a", folder / "c.partial");
  CHECK(save_error(folder / "c") ==
        "unfold::save: cannot create " + (folder / "c.partial").string() + ": Too many levels of symbolic links");
  CHECK(read_whole(folder / "a") == "new");
}

TEST_CASE("a temporary left behind is taken over, one in use is not") {
  const ScratchFolder folder;
  write_whole(folder / "a.partial", "longer than what follows");
  save(folder / "a", "new");
  CHECK(read_whole(folder / "a") == "new");
  CHECK(folder.count() == 1);

  write_file_atomically("save", folder / "a", [&](OutputFile& outer) {
    outer.write("outer");
    CHECK(save_error(folder / "a", "inner") ==
          "unfold::save: cannot lock " + (folder / "a.partial").string() + ": Resource temporarily unavailable");
  });
  CHECK(read_whole(folder / "a") == "outer");
  CHECK(folder.count() == 1);
}

TEST_CASE("a temporary that becomes the file before it is locked is not written into") {
  const ScratchFolder folder;
  SystemCalls calls;
  calls.before_flock = [&] {  // another process ends its save now
    write_whole(folder / "a.partial", "other");
    std::filesystem::rename(folder / "a.partial", folder / "a");
    std::filesystem::create_hard_link(folder / "a", folder / "other");
  };
  save(folder / "a", "new");
  CHECK(read_whole(folder / "a") == "new");
  CHECK(read_whole(folder / "other") == "other");
  CHECK(std::count(calls.log.begin(), calls.log.end(), "flock") == 2);
}

TEST_CASE("a file system without locks is written all the same") {
  const ScratchFolder folder;
  SystemCalls calls;
  calls.fails_at = 0;
  calls.error = ENOLCK;
  save(folder / "a", "new");
  CHECK(read_whole(folder / "a") == "new");
}
