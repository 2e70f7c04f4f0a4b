// SPDX-License-Identifier: Apache-2.0
// Runs a program and reads what it prints: no shell, a clean environment, no descriptor of ours but
// its standard ones, bounded in time and output. Whatever ends the call, the child is gone after
// it; one that is stopped takes along what it started in its process group.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace espial {

struct ChildLimits {
  std::chrono::milliseconds time{10'000};
  std::size_t output = 64u << 20;
  const std::atomic<bool>* stop = nullptr;  // becomes true: give up, within a tenth of a second
  std::string_view input{};                 // what its standard input holds
  std::vector<std::string> environment{};   // NAME=value, beside PATH and LC_ALL=C
};

// argv[0] is an absolute path. The standard output of a program that ended with 0. Otherwise an
// Error of one line: not there, not permitted, its first line of standard error, or which limit it
// broke.
Result<std::string> run_child(const std::vector<std::string>& argv, const ChildLimits& limits = {});

// The first of the usual folders of system programs that has name, as an absolute path.
Result<std::string> find_program(const std::string& name);

}  // namespace espial
