// SPDX-License-Identifier: MIT
// For what a process decides once, from its environment: an environment variable set to the end of a scope, and a
// hidden test case of this program run in a child process with variables of its own.
#pragma once

#include <array>
#include <cstdio>   // ::popen
#include <cstdlib>  // std::getenv, ::setenv, ::unsetenv
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>  // std::pair
#include <vector>

namespace unfold::test {

/// Sets a variable of this process, or with nullptr removes it, to the end of the scope.
class EnvironmentVariable {
 public:
  EnvironmentVariable(std::string name, const char* value) : name_(std::move(name)) {
    if (const char* const before = std::getenv(name_.c_str())) before_ = before;
    set(value);
  }
  EnvironmentVariable(const EnvironmentVariable&) = delete;
  EnvironmentVariable& operator=(const EnvironmentVariable&) = delete;
  ~EnvironmentVariable() { set(before_ ? before_->c_str() : nullptr); }

 private:
  void set(const char* value) const {
    value != nullptr ? ::setenv(name_.c_str(), value, 1) : ::unsetenv(name_.c_str());
  }

  std::string name_;
  std::optional<std::string> before_;
};

/// What this program prints, the report among it, when its test case `name` alone is run in a new process with these
/// variables.
inline std::string run_child(const std::string& name,
                             const std::vector<std::pair<std::string, std::string>>& variables) {
  const auto quoted = [](const std::string& text) { return "'" + text + "'"; };  // none of them has a quote in it
  std::string command = "env UNFOLD_CHILD=1";                                    // read by forced_isa.cpp
  for (const auto& [variable, value] : variables) command += " " + quoted(variable + "=" + value);
  command += " " + quoted(std::filesystem::read_symlink("/proc/self/exe").string()) + " " + quoted(name) + " 2>&1";
  std::FILE* const pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("no child process can be started");
  std::string output;
  std::array<char, 4096> buffer{};
  while (std::fgets(buffer.data(), static_cast<int>(buffer.size()), pipe) != nullptr) output += buffer.data();
  ::pclose(pipe);
  return output;
}

}  // namespace unfold::test
