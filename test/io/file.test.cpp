// SPDX-License-Identifier: MIT
#include "io/save.hpp"
#include "io/system_calls.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

#include <unfold/io/file.hpp>

#include <sys/stat.h>  // ::mkfifo

using unfold::detail::OutputFile;
using unfold::detail::write_file_atomically;
using unfold::test::read_whole;
using unfold::test::save;
using unfold::test::save_error;
using unfold::test::ScratchFolder;
using unfold::test::SystemCalls;
using unfold::test::write_whole;

namespace {

using Calls = std::vector<std::string>;

}  // namespace

TEST_CASE("a save writes, syncs, renames and syncs the folder, in this order") {
  const ScratchFolder folder;
  SystemCalls calls;
  save(folder / "a", "first");
  CHECK(calls.log == Calls{"stat", "open", "fstat", "flock", "lstat", "ftruncate", "write", "fsync", "rename",  //
                           "open", "fsync"});
  CHECK(read_whole(folder / "a") == "first");
  calls.log.clear();
  save(folder / "a", std::string(100'000, 'x'));
  CHECK(calls.log == Calls{"stat", "open", "fstat", "flock", "lstat", "ftruncate", "fchmod", "write", "fsync", "rename",
                           "open", "fsync"});
  CHECK(read_whole(folder / "a") == std::string(100'000, 'x'));
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
  const unfold::detail::FileDescriptor reader((folder / "b.partial").c_str(), O_RDONLY | O_NONBLOCK);
  CHECK(save_error(folder / "b") == "unfold::save: cannot overwrite, as it is no regular file, " +
                                        (folder / "b.partial").string() + ": Invalid argument");
  CHECK(folder.count() == 2);
}

TEST_CASE("a name without a folder is a file of the current one") {
  const ScratchFolder folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  const std::string error = [] {
    try {
      save("a", "here");
    } catch (const std::exception& e) {
      return std::string(e.what());
    }
    return std::string();
  }();
  std::filesystem::current_path(before);
  CHECK(error.empty());
  CHECK(read_whole(folder / "a") == "here");
  CHECK(folder.count() == 1);
}

TEST_CASE("a file that is handed on is open in one place") {
  const ScratchFolder folder;
  save(folder / "a", "x");
  unfold::detail::FileDescriptor first((folder / "a").c_str(), O_RDONLY);
  REQUIRE(first.is_open());
  const int number = first.number();
  const unfold::detail::FileDescriptor second(std::move(first));
  CHECK(second.number() == number);
  CHECK_FALSE(first.is_open());  // NOLINT(bugprone-use-after-move): this is what is tested
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
  std::filesystem::create_symlink(folder / "loop", folder / "loop");
  save(folder / "loop", "broken");
  CHECK(read_whole(folder / "loop") == "broken");

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
