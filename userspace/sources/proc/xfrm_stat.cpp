// SPDX-License-Identifier: Apache-2.0
#include "sources/proc/xfrm_stat.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/unique_fd.h"

namespace espial {
namespace {

constexpr const char* kPath = "/proc/thread-self/net/xfrm_stat";
constexpr std::size_t kMaxSize = 16 * 1024;  // about 30 lines of 40 characters

}  // namespace

std::vector<XfrmError> parse_xfrm_stat(std::string_view text) {
  std::vector<XfrmError> errors;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto end = line.find_first_of(" \t");
    const auto digits = line.find_first_not_of(" \t", end);
    if (end == 0 || end == std::string_view::npos || digits == std::string_view::npos) continue;
    XfrmError error{std::string(line.substr(0, end)), 0};
    const auto* last = line.data() + line.size();
    const auto [stop, code] = std::from_chars(line.data() + digits, last, error.count);
    if (code == std::errc() && stop == last) errors.push_back(std::move(error));
  }
  return errors;
}

Result<std::vector<XfrmError>> read_xfrm_stat() {
  const UniqueFd file(open(kPath, O_RDONLY | O_CLOEXEC));
  if (!file.valid())
    return Error{std::string(kPath) + ": " + std::strerror(errno) +
                     " (a kernel without CONFIG_XFRM_STATISTICS has none)",
                 Failure::kUnable};
  std::array<char, kMaxSize> buffer;
  std::size_t size = 0;
  while (size < buffer.size()) {
    const auto got = read(file.get(), buffer.data() + size, buffer.size() - size);
    if (got < 0) return Error{std::string(kPath) + ": " + std::strerror(errno), Failure::kUnable};
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  return parse_xfrm_stat({buffer.data(), size});
}

}  // namespace espial
