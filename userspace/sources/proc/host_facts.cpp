// SPDX-License-Identifier: Apache-2.0
#include "sources/proc/host_facts.h"

#include <sys/utsname.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

namespace espial {
namespace {

constexpr std::uint16_t kIkePorts[] = {500, 4500};  // RFC 7296, RFC 3948

std::optional<bool> somebody_listens() {
  bool readable = false;
  for (const char* name : {"/proc/thread-self/net/udp", "/proc/thread-self/net/udp6"})
    for (const auto port : kIkePorts) {
      std::ifstream sockets(name);
      readable = readable || sockets.is_open();
      if (has_udp_port(sockets, port)) return true;
    }
  return readable ? std::optional(false) : std::nullopt;
}

// modules.dep names every module that the release has; a container may not see it.
std::optional<bool> module_there() {
  utsname running{};
  if (uname(&running) != 0) return std::nullopt;
  std::ifstream modules(std::string("/lib/modules/") + running.release + "/modules.dep");
  if (!modules.is_open()) {
    // A kernel without modules has what is built in.
    return std::ifstream("/proc/modules").is_open() ? std::nullopt : std::optional(false);
  }
  for (std::string line; std::getline(modules, line);)
    if (line.find("/esp4.ko") != std::string::npos) return true;
  return false;
}

std::optional<bool> kernel_has_esp() {
  // Of a loaded module sysfs says so at once; /proc/kallsyms has megabytes.
  std::error_code ignored;
  if (std::filesystem::exists("/sys/module/esp4", ignored)) return true;
  std::ifstream symbols("/proc/kallsyms");
  if (!symbols.is_open()) return std::nullopt;
  if (has_esp_symbol(symbols)) return true;
  return module_there();
}

}  // namespace

HostFacts read_host() { return {somebody_listens(), kernel_has_esp()}; }

bool has_udp_port(std::istream& sockets, std::uint16_t port) {
  std::string line;
  std::getline(sockets, line);  // the head
  while (std::getline(sockets, line)) {
    // "  sl: LOCAL:PORT ..." in hexadecimal digits
    const auto slot = line.find(": ");
    const auto colon = slot == std::string::npos ? slot : line.find(':', slot + 2);
    if (colon == std::string::npos) continue;
    std::uint16_t value = 0;
    const char* first = line.data() + colon + 1;
    const auto [end, error] = std::from_chars(first, line.data() + line.size(), value, 16);
    if (error == std::errc() && end == first + 4 && value == port) return true;
  }
  return false;
}

bool has_esp_symbol(std::istream& symbols) {
  for (std::string line; std::getline(symbols, line);) {
    // "ADDRESS TYPE NAME", of a module "\t[MODULE]" behind it
    const auto name = line.find(' ', line.find(' ') + 1);
    if (name != std::string::npos && std::string_view(line).substr(name + 1).starts_with("esp4_"))
      return true;
  }
  return false;
}

}  // namespace espial
