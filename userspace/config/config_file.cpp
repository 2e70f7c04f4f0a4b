// SPDX-License-Identifier: Apache-2.0
#include "config/config_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/printable.h"
#include "base/system_error.h"
#include "base/unique_fd.h"
#include "config/alerts_draft.h"
#include "config/alerts_file.h"
#include "config/draft.h"

namespace espial {
namespace {

template <typename T>
std::vector<T> values(std::vector<Located<T>>&& located) {
  std::vector<T> out;
  out.reserve(located.size());
  for (auto& item : located) out.push_back(std::move(item.value));
  return out;
}

// A folder of its own for an instance of its own, unless the file names one.
std::string folder(std::optional<Located<std::string>>& given, const Config& config,
                   const std::string& fallback) {
  if (given) return std::move(given->value);
  return config.instance == "default" ? fallback : fallback + "-" + config.instance;
}

Config finish(Draft&& draft) {
  Config config = std::move(draft.scalars);
  if (draft.node) config.node = std::move(draft.node->value);
  if (draft.listen) config.listen = std::move(draft.listen->value);
  if (draft.opensvc_conf) config.opensvc_conf = std::move(draft.opensvc_conf->value);
  if (draft.opensvc_socket) config.opensvc_socket = std::move(draft.opensvc_socket->value);
  config.pin_dir = folder(draft.pin_dir, config, config.pin_dir);
  config.state_dir = folder(draft.state_dir, config, config.state_dir);
  for (auto& network : draft.networks)
    config.networks.push_back({network.name ? network.name->value : std::string(),
                               values(std::move(network.prefixes)),
                               network.unknown_node.value_or(ConfigNetwork{}.unknown_node)});
  config.self_underlays = values(std::move(draft.self_underlays));
  config.self_backends = values(std::move(draft.self_backends));
  for (auto& peer : draft.peers) {
    ConfigPeer out{peer.name ? peer.name->value : std::string(), values(std::move(peer.underlays)),
                   values(std::move(peer.backends)), peer.mode};
    if (out.name.empty() && !out.underlays.empty()) out.name = out.underlays.front().text();
    config.peers.push_back(std::move(out));
  }
  for (const auto& exemption : draft.exemptions)
    if (exemption.prefix)
      config.enforce.exempt.push_back(
          {exemption.prefix->value,
           exemption.protocol ? exemption.protocol->value : std::uint8_t{0},
           static_cast<std::uint16_t>(exemption.port ? exemption.port->value : 0)});
  config.verify.pods = values(std::move(draft.verify_pods));
  config.include_devices = values(std::move(draft.include_devices));
  config.exclude_devices = values(std::move(draft.exclude_devices));
  return config;
}

Error config_error(const std::string& path, std::string_view operation, int code) {
  const bool forbidden = code == EACCES || code == EPERM;
  Error error = system_error(path, operation, code, forbidden ? " (run as root)" : "");
  error.failure = forbidden ? Failure::kUnable : Failure::kUsage;
  return error;
}

Result<std::string> read_file(const std::string& path, int fd) {
  struct stat info = {};
  if (::fstat(fd, &info) != 0) return config_error(path, "read the configuration", errno);
  if (S_ISDIR(info.st_mode)) return config_error(path, "read the configuration", EISDIR);
  std::string text;
  std::array<char, 65536> buffer{};
  while (text.size() <= kMaxConfigBytes) {
    const auto got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return config_error(path, "read the configuration", errno);
    if (got == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

std::string host_name() {
  std::array<char, 65> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

std::string text_of(const std::vector<ConfigProblem>& problems) {
  std::string text;
  for (const auto& problem : problems) text.append(text.empty() ? "" : "\n").append(problem.text());
  return text;
}

}  // namespace

std::string ConfigProblem::text() const {
  std::string out = file;
  if (line > 0) out += ":" + std::to_string(line);
  if (!key.empty()) out += ": " + key;
  return out + ": " + message;
}

void Problems::add(const Place& place, std::string message) {
  if (list_.size() < kMaxConfigProblems)
    list_.push_back({file_, place.line, place.key, std::move(message)});
  else
    ++unlisted_;
}

std::vector<ConfigProblem> Problems::take() {
  std::stable_sort(list_.begin(), list_.end(),
                   [](const auto& a, const auto& b) { return a.line < b.line; });
  if (unlisted_ > 0)
    list_.push_back({file_, 0, "", std::to_string(unlisted_) + " more problems are not listed"});
  return std::move(list_);
}

ConfigAlerts parse_alerts(std::string_view text) {
  Problems problems("");
  return finish_alerts(std::move(read_draft(text, problems).alerts));
}

Result<ConfigAlerts> load_alerts(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid() && errno == ENOENT) return ConfigAlerts{};
  if (!fd.valid()) return config_error(path, "open the configuration", errno);
  EP_ASSIGN(text, read_file(path, fd.get()));
  // It may be another file than the one that was checked.
  if (const auto parsed = parse_config(text, path); !parsed.problems.empty())
    return Error{text_of(parsed.problems), Failure::kUsage};
  return parse_alerts(text);
}

ParsedConfig parse_config(std::string_view text, std::string_view file_name) {
  Problems problems(printable(file_name));
  Draft draft = read_draft(text, problems);
  check_draft(draft, problems);
  ParsedConfig parsed;
  parsed.problems = problems.take();
  parsed.config = finish(std::move(draft));
  return parsed;
}

Result<Config> load_config(const std::string& path, std::string_view default_path) {
  std::string text;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.valid()) {
    EP_ASSIGN(content, read_file(path, fd.get()));
    text = std::move(content);
  } else if (errno != ENOENT || path != default_path) {
    return config_error(path, "open the configuration", errno);
  }
  ParsedConfig parsed = parse_config(text, path);
  if (!parsed.problems.empty()) return Error{text_of(parsed.problems), Failure::kUsage};
  if (parsed.config.node.empty()) parsed.config.node = host_name();
  return std::move(parsed.config);
}

Result<Config> load_place(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return config_error(path, "open the configuration", errno);
  EP_ASSIGN(text, read_file(path, fd.get()));
  ParsedConfig parsed = parse_config(text, path);
  // A problem with a key of the first level may be a misspelt one of the three.
  for (const auto& problem : parsed.problems)
    if (problem.key.find_first_of(".[") == std::string::npos)
      return Error{text_of(parsed.problems), Failure::kUsage};
  return std::move(parsed.config);
}

}  // namespace espial
