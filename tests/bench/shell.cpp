// SPDX-License-Identifier: Apache-2.0
#include "bench/shell.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace espial::bench {

Status shell(const char* line, const std::string& input) {
  // Commands get their own standard input: the pipe.
  FILE* pipe = popen(line, "w");
  if (pipe == nullptr) return Error{fmt::format("{}: {}", line, std::strerror(errno))};
  const bool written = std::fwrite(input.data(), 1, input.size(), pipe) == input.size();
  if (pclose(pipe) != 0 || !written) return Error{fmt::format("{}: failed", line)};
  return Ok{};
}

Result<std::string> output_of(const std::string& line) {
  FILE* pipe = popen(line.c_str(), "r");
  if (pipe == nullptr) return Error{fmt::format("{}: {}", line, std::strerror(errno))};
  std::string out;
  std::array<char, 4096> part{};
  while (const auto size = std::fread(part.data(), 1, part.size(), pipe))
    out.append(part.data(), size);
  if (pclose(pipe) != 0) return Error{fmt::format("{}: failed: {}", line, out)};
  return out;
}

}  // namespace espial::bench
