// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/files.hpp"

#include <unfold/io/file.hpp>

#include <sys/wait.h>

#include <atomic>
#include <csignal>
#include <thread>

using unfold::detail::OutputFile;
using unfold::test::read_whole;
using unfold::test::ScratchFolder;

namespace {

void save(const std::filesystem::path& path, std::string_view text) {
  unfold::detail::write_file_atomically("save", path, [&](OutputFile& file) { file.write(text); });
}

}  // namespace

TEST_CASE("two threads that save the same file never mix") {
  const ScratchFolder folder;
  save(folder / "a", std::string(50'000, 'a'));
  std::atomic<int> saved = 0;
  const auto work = [&](char letter) {
    for (int i = 0; i < 300; ++i) {
      try {
        save(folder / "a", std::string(50'000, letter));
        ++saved;
      } catch (const std::system_error& refused) {
        if (refused.code() != std::errc::resource_unavailable_try_again) throw;
      }
    }
  };
  std::thread first(work, 'b');
  std::thread second(work, 'c');
  bool whole = true;
  for (int i = 0; i < 300; ++i) {
    const std::string text = read_whole(folder / "a");
    whole = whole && text.size() == 50'000 && text == std::string(text.size(), text.front());
  }
  first.join();
  second.join();
  CHECK(whole);
  CHECK(saved > 0);
  CHECK(folder.count() == 1);
}

TEST_CASE("a process killed while it saves leaves the file whole") {
  const ScratchFolder folder;
  const std::string kinds[] = {std::string(300'000, 'a'), std::string(200'000, 'b')};
  save(folder / "a", kinds[0]);
  for (int kill = 0; kill < 25; ++kill) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        for (int i = 0;; i = 1 - i) save(folder / "a", kinds[i]);
      } catch (...) {
        ::_exit(1);
      }
    }
    ::usleep(static_cast<useconds_t>(1000 + 370 * kill));
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    const std::string text = read_whole(folder / "a");
    CHECK((text == kinds[0] || text == kinds[1]));
    CHECK(folder.count() <= 2);  // the temporary is taken over by the next save
  }
  save(folder / "a", "last");
  CHECK(read_whole(folder / "a") == "last");
  CHECK(folder.count() == 1);
}
