// SPDX-License-Identifier: Apache-2.0
#include "cli/text/topology_text.h"

#include <fmt/format.h>

#include <map>
#include <string_view>
#include <vector>

#include "base/printable.h"
#include "config/config_file.h"

namespace espial {
namespace {

using YamlLines = std::vector<std::string>;

constexpr int kMaxRounds = 16;  // of commenting out what the check refuses

std::string scalar(std::string_view text) { return in_quotes(text, std::string_view::npos); }

std::string words(const Origins& from) {
  std::string out;
  for (const auto label : from.labels()) out.append(out.empty() ? "" : ", ").append(label);
  return out;
}

// A setting: a comment as long as it has its default.
void setting(YamlLines& lines, const std::string& key, const std::string& value,
             const std::string& fallback, const std::string& comment) {
  lines.push_back(value == fallback ? "#" + key + ": " + value + "  # default; " + comment
                                    : key + ": " + value + "  # file; " + comment);
}

std::string flag(bool value) { return value ? "true" : "false"; }

std::string number(std::uint32_t value) { return std::to_string(value); }

void add_settings(YamlLines& lines, const Topology& topology, const Config& config) {
  const Config none;
  lines.push_back("node: " + scalar(topology.node) + "  # the host's name, or the file's");
  setting(lines, "instance", scalar(config.instance), scalar(none.instance),
          "needed if several instances run on one machine");
  setting(lines, "pin_dir", scalar(config.pin_dir), scalar(none.pin_dir), "programs and maps");
  setting(lines, "state_dir", scalar(config.state_dir), scalar(none.state_dir), "what was learnt");
  setting(lines, "listen", scalar(config.listen), scalar(none.listen), "/metrics and /api, or off");
  setting(lines, "listen_anywhere", flag(config.listen_anywhere), flag(none.listen_anywhere),
          "allow an address that is not loopback");
  setting(lines, "discover", flag(config.discover), flag(none.discover),
          "also learn from OpenSVC and the kernel");
  setting(lines, "opensvc", config.opensvc ? "auto" : "off", "auto", "auto or off");
  setting(lines, "opensvc_conf", scalar(config.opensvc_conf), scalar(none.opensvc_conf),
          "the agent's configuration");
  setting(lines, "opensvc_socket", scalar(config.opensvc_socket), scalar(none.opensvc_socket),
          "om3's API; \"\": none");
  setting(lines, "max_peers", number(config.max_peers), number(none.max_peers), "capacity");
  setting(lines, "metrics", config.metrics, none.metrics, "auto, full or compact");
  if (config.coverage_target)
    lines.push_back("coverage_target: " + fmt::format("{}", *config.coverage_target) +
                    "  # file; required encrypted share of a peer's packets");
  setting(lines, "xdp", std::string(to_string(config.xdp)), std::string(to_string(none.xdp)),
          "off, auto or require");
  setting(lines, "vici", scalar(config.vici), scalar(none.vici),
          "charon's socket: a path, auto or off");
  setting(lines, "spi_proof", flag(config.spi_proof), flag(none.spi_proof),
          "ESP of a pair is encrypted only under an SPI of the kernel's SAs");
  setting(lines, "flow_events_per_second", number(config.flow_events_per_second),
          number(none.flow_events_per_second), "per CPU");
  setting(lines, "mode", std::string(to_string(config.mode.value_or(Mode::MONITOR))), "monitor",
          "monitor, audit or enforce; of peers without their own");
}

void add_enforce(YamlLines& lines, const ConfigEnforce& enforce) {
  // The section is active whatever it says: what it holds need not be taken apart to be changed.
  lines.emplace_back("enforce:  # how far enforcement goes; these are its limits");
  const auto mode = [](Mode m) { return std::string(to_string(m)); };
  lines.push_back("  cleartext_host: " + mode(enforce.cleartext_host) + "  # default enforce");
  lines.push_back("  cleartext_transit: " + mode(enforce.cleartext_transit) +
                  "  # default enforce");
  lines.push_back("  esp_foreign: " + mode(enforce.esp_foreign) + "  # default enforce");
  lines.push_back("  audit_minutes: " + number(enforce.audit_minutes) + "  # default 10");
  lines.push_back("  xfrm_block: " + flag(enforce.backstop) + "  # default false");
  if (enforce.exempt.empty())
    lines.emplace_back("#  exempt: [{prefix: 10.101.1.53/32, protocol: udp, port: 53}]  # example");
  else
    lines.emplace_back("  exempt:  # file");
  for (const auto& exemption : enforce.exempt) {
    std::string line = "    - {prefix: " + scalar(exemption.prefix.text());
    if (exemption.protocol != 0) line += ", protocol: " + std::to_string(exemption.protocol);
    if (exemption.port != 0) line += ", port: " + std::to_string(exemption.port);
    lines.push_back(line + "}");
  }
}

void add_side(YamlLines& lines, const std::string& indent, const std::vector<Underlay>& underlays,
              const std::vector<BackendSubnet>& backends) {
  if (!underlays.empty()) lines.push_back(indent + "underlay:");
  for (const auto& underlay : underlays)
    lines.push_back(indent + "  - " + scalar(underlay.address.text()) + "  # " +
                    words(underlay.from));
  if (!backends.empty()) lines.push_back(indent + "backend:");
  for (const auto& backend : backends)
    lines.push_back(indent + "  - " + scalar(backend.prefix.text()) + "  # " + words(backend.from) +
                    "; network " + printable(backend.network));
}

void add_networks(YamlLines& lines, const std::vector<Network>& networks) {
  if (networks.empty())
    lines.emplace_back("#networks: [{name: backendnet, subnets: [10.101.0.0/16]}]  # none known");
  else
    lines.emplace_back("networks:");
  for (const auto& network : networks) {
    lines.push_back("  - name: " + scalar(network.name) + "  # " + words(network.from));
    lines.emplace_back("    subnets:");
    for (const auto& prefix : network.prefixes)
      lines.push_back("      - " + scalar(prefix.text()) + "  # " + words(network.from));
    lines.push_back("    unknown_node: " + std::string(to_string(network.unknown_node)) +
                    "  # default audit");
  }
}

void add_peers(YamlLines& lines, const std::vector<Peer>& peers) {
  YamlLines known;
  YamlLines guesses;
  for (const auto& peer : peers) {
    const bool candidate = peer.state == PeerState::kCandidate;
    YamlLines entry{"  - name: " + scalar(peer.name) + "  # " + std::string(to_string(peer.state)) +
                    ": " + words(peer.from)};
    add_side(entry, "    ", peer.underlays, peer.backends);
    const std::string mode(to_string(peer.by_file.mode));
    entry.push_back(peer.by_file.from == ModeSource::kFile ? "    mode: " + mode + "  # file"
                                                           : "#    mode: " + mode + "  # default");
    for (auto& line : entry) {
      if (candidate && line.front() != '#') line.insert(0, "#");
      (candidate ? guesses : known).push_back(std::move(line));
    }
  }
  lines.emplace_back(known.empty() ? "#peers:  # none known" : "peers:");
  lines.insert(lines.end(), known.begin(), known.end());
  lines.insert(lines.end(), guesses.begin(), guesses.end());
}

void add_devices(YamlLines& lines, const Config& config) {
  const auto list = [&](const std::string& key, const std::vector<std::string>& names,
                        const std::string& comment) {
    if (names.empty()) return;
    std::string line = "  " + key + ": [";
    for (const auto& name : names) line += (line.back() == '[' ? "" : ", ") + scalar(name);
    lines.push_back(line + "]  # file; " + comment);
  };
  if (config.include_devices.empty() && config.exclude_devices.empty()) {
    lines.emplace_back("#devices: {include: [eth1], exclude: [docker0]}  # default: none is named");
    return;
  }
  lines.emplace_back("devices:");
  list("include", config.include_devices, "always wires");
  list("exclude", config.exclude_devices, "never");
}

std::string joined_lines(const YamlLines& lines) {
  std::string out;
  for (const auto& line : lines) out.append(line).append("\n");
  return out;
}

// Comments out each line that the check refuses, until it refuses none.
void satisfy_check(YamlLines& lines) {
  for (int round = 0; round < kMaxRounds; ++round) {
    const auto problems = parse_config(joined_lines(lines), "espial.yaml").problems;
    std::map<std::size_t, std::string> refused;
    for (const auto& problem : problems)
      if (problem.line > 0 && static_cast<std::size_t>(problem.line) <= lines.size())
        refused.try_emplace(static_cast<std::size_t>(problem.line) - 1, problem.message);
    if (refused.empty()) return;
    for (const auto& [index, message] : refused)
      if (lines[index].front() != '#')
        lines[index] = "#" + lines[index] + "  # left out: " + printable(message);
  }
}

}  // namespace

std::string render_discovered(const Topology& topology, const Config& config) {
  YamlLines lines{
      "# espial.yaml by `espial config discover`. Each comment names the source of its line: file, "
      "opensvc,",
      "# policy (SPD), state (SAD), route, address, or saved: learnt earlier and not seen now."};
  for (const auto& finding : topology.findings) lines.push_back("# finding: " + printable(finding));
  add_settings(lines, topology, config);
  add_enforce(lines, config.enforce);
  add_networks(lines, topology.networks);
  const bool self = !topology.self_underlays.empty() || !topology.self_backends.empty();
  lines.emplace_back(self ? "self:" : "#self:  # nothing known");
  add_side(lines, "  ", topology.self_underlays, topology.self_backends);
  add_peers(lines, topology.peers);
  add_devices(lines, config);
  satisfy_check(lines);
  return joined_lines(lines);
}

}  // namespace espial
