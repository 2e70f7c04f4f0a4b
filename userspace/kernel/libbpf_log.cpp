// SPDX-License-Identifier: Apache-2.0
#include "kernel/libbpf_log.h"

#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstdio>
#include <mutex>
#include <string_view>
#include <vector>

namespace espial {
namespace {

constexpr std::size_t kMaxBytes = 64 * 1024;
constexpr std::size_t kTailLines = 6;

// libbpf's print hook is a process-wide function pointer without context: this is its context.
struct Log {
  std::mutex mutex;
  std::string text;
};
Log& log() {
  static Log instance;
  return instance;
}

int print(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  // A verifier's log comes in one piece, and its last lines are those that matter.
  va_list again;
  va_copy(again, arguments);
  const int length = std::vsnprintf(nullptr, 0, format, arguments);
  std::string text(static_cast<std::size_t>(length > 0 ? length : 0), '\0');
  (void)std::vsnprintf(text.data(), text.size() + 1, format, again);
  va_end(again);
  const std::lock_guard lock(log().mutex);
  log().text += text;
  if (log().text.size() > kMaxBytes) log().text.erase(0, log().text.size() - kMaxBytes);
  return length;
}

}  // namespace

void capture_libbpf_log() { libbpf_set_print(print); }

std::string libbpf_log_tail() {
  const std::lock_guard lock(log().mutex);
  std::vector<std::string_view> lines;
  std::string_view rest = log().text;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    const auto line = rest.substr(0, end);
    if (!line.empty() && line.find("-- BEGIN PROG LOAD LOG") == line.npos &&
        line.find("-- END PROG LOAD LOG") == line.npos)
      lines.push_back(line);
    if (end == rest.npos) break;
    rest.remove_prefix(end + 1);
  }
  std::string tail;
  const auto first = lines.size() > kTailLines ? lines.size() - kTailLines : 0;
  for (std::size_t i = first; i < lines.size(); ++i) {
    if (!tail.empty()) tail += " | ";
    tail += lines[i];
  }
  log().text.clear();
  return tail;
}

}  // namespace espial
