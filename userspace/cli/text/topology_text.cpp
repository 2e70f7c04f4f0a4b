// SPDX-License-Identifier: Apache-2.0
#include "cli/text/topology_text.h"

#include <fmt/format.h>

#include "base/printable.h"
#include "base/time_text.h"

namespace espial {
namespace {

using nlohmann::json;

std::string yaml_text(std::string_view text) { return in_quotes(text, std::string_view::npos); }

// An IPv6 address may end in a colon, which plain YAML reads as a key.
std::string yaml_address(const std::string& text) {
  return text.find(':') == std::string::npos ? text : yaml_text(text);
}

std::string origin_words(const Origins& from) {
  std::string out;
  for (const auto label : from.labels()) out.append(out.empty() ? "" : ", ").append(label);
  return out;
}

std::string yaml_side(const std::vector<Underlay>& underlays,
                      const std::vector<BackendSubnet>& backends, const std::string& indent) {
  std::string out;
  if (!underlays.empty()) out += indent + "underlay:\n";
  for (const auto& underlay : underlays)
    out += indent + "  - " + yaml_address(underlay.address.text()) + "  # " +
           origin_words(underlay.from) + "\n";
  if (!backends.empty()) out += indent + "backend:\n";
  for (const auto& backend : backends)
    out += indent + "  - " + yaml_address(backend.prefix.text()) + "  # network " +
           printable(backend.network) + "; " + origin_words(backend.from) + "\n";
  return out;
}

std::string yaml_settings(const Topology& topology, const Config& config) {
  const auto flag = [](bool value) { return value ? "true\n" : "false\n"; };
  std::string out;
  if (!topology.node.empty()) out += "node: " + yaml_text(topology.node) + "\n";
  out += "instance: " + yaml_text(config.instance) + "\n";
  out += "pin_dir: " + yaml_text(config.pin_dir) + "\n";
  out += "state_dir: " + yaml_text(config.state_dir) + "\n";
  out += "listen: " + yaml_text(config.listen) + "\n";
  out += std::string("listen_anywhere: ") + flag(config.listen_anywhere);
  out += std::string("discover: ") + flag(config.discover);
  out += std::string("opensvc: ") + (config.opensvc ? "auto\n" : "off\n");
  out += "opensvc_conf: " + yaml_text(config.opensvc_conf) + "\n";
  out += "opensvc_socket: " + yaml_text(config.opensvc_socket) + "\n";
  out += "max_peers: " + std::to_string(config.max_peers) + "\n";
  out += "metrics: " + yaml_text(config.metrics) + "\n";
  out += "xdp: " + std::string(to_string(config.xdp)) + "\n";
  out += "vici: " + yaml_text(config.vici) + "\n";
  out += std::string("spi_proof: ") + flag(config.spi_proof);
  if (config.coverage_target)
    out += "coverage_target: " + fmt::format("{}", *config.coverage_target) + "\n";
  out += "flow_events_per_second: " + std::to_string(config.flow_events_per_second) + "\n";
  return out;
}

std::string exemption_protocol(std::uint8_t protocol) {
  for (const auto& [name, number] : kProtocolNames)
    if (number == protocol) return std::string(name);
  return std::to_string(protocol);
}

std::string yaml_enforcement(const Config& config) {
  const auto& enforce = config.enforce;
  const auto mode = [](Mode m) { return std::string(to_string(m)) + "\n"; };
  std::string out = "mode: " + mode(config.mode.value_or(Mode::MONITOR));
  out += "enforce:\n  cleartext_host: " + mode(enforce.cleartext_host);
  out += "  cleartext_transit: " + mode(enforce.cleartext_transit);
  out += "  esp_foreign: " + mode(enforce.esp_foreign);
  out += "  audit_minutes: " + std::to_string(enforce.audit_minutes) + "\n";
  out += std::string("  xfrm_block: ") + (enforce.backstop ? "true\n" : "false\n");
  if (!enforce.exempt.empty()) out += "  exempt:\n";
  for (const auto& exemption : enforce.exempt) {
    out += "    - prefix: " + yaml_address(exemption.prefix.text()) + "\n";
    if (exemption.protocol != 0)
      out += "      protocol: " + exemption_protocol(exemption.protocol) + "\n";
    if (exemption.port != 0) out += "      port: " + std::to_string(exemption.port) + "\n";
  }
  return out;
}

std::string interval_text(std::chrono::seconds interval) {
  return interval.count() == 0 ? "off" : duration_text(interval);
}

std::string yaml_verify(const ConfigVerify& verify) {
  std::string out = "verify:\n  interval: " + interval_text(verify.interval) + "\n";
  if (verify.interval.count() == 0) return out;
  out += "  probes_per_second: " + std::to_string(verify.probes_per_second) + "\n";
  out += "  path_mtu_interval: " + interval_text(verify.path_mtu_interval) + "\n";
  if (!verify.pods.empty()) out += "  pods:\n";
  for (const auto& pod : verify.pods) out += "    - " + yaml_address(pod.text()) + "\n";
  return out;
}

// null: no probes are sent.
json verify_document(const ConfigVerify& verify) {
  if (verify.interval.count() == 0) return nullptr;
  json pods = json::array();
  for (const auto& pod : verify.pods) pods.push_back(pod.text());
  return {{"interval_seconds", verify.interval.count()},
          {"probes_per_second", verify.probes_per_second},
          {"path_mtu_interval_seconds", verify.path_mtu_interval.count()},
          {"pods", std::move(pods)}};
}

json enforce_document(const ConfigEnforce& enforce) {
  json exempt = json::array();
  for (const auto& e : enforce.exempt)
    exempt.push_back(
        {{"prefix", e.prefix.text()},
         {"protocol", e.protocol != 0 ? json(exemption_protocol(e.protocol)) : json(nullptr)},
         {"port", e.port != 0 ? json(e.port) : json(nullptr)}});
  return {{"cleartext_host", to_string(enforce.cleartext_host)},
          {"cleartext_transit", to_string(enforce.cleartext_transit)},
          {"esp_foreign", to_string(enforce.esp_foreign)},
          {"audit_minutes", enforce.audit_minutes},
          {"xfrm_block", enforce.backstop},
          {"exempt", std::move(exempt)}};
}

std::string yaml_devices(const Config& config) {
  if (config.include_devices.empty() && config.exclude_devices.empty()) return {};
  const auto list = [](std::string_view key, const std::vector<std::string>& names) {
    std::string out;
    for (const auto& name : names) out += "    - " + yaml_text(name) + "\n";
    return out.empty() ? out : "  " + std::string(key) + ":\n" + out;
  };
  return "devices:  # file\n" + list("include", config.include_devices) +
         list("exclude", config.exclude_devices);
}

json labels(const Origins& from) {
  json out = json::array();
  for (const auto label : from.labels()) out.push_back(label);
  return out;
}

json side_document(const std::vector<Underlay>& underlays,
                   const std::vector<BackendSubnet>& backends) {
  json out{{"underlay", json::array()}, {"backend", json::array()}};
  for (const auto& underlay : underlays)
    out["underlay"].push_back(
        {{"address", underlay.address.text()}, {"from", labels(underlay.from)}});
  for (const auto& backend : backends)
    out["backend"].push_back({{"prefix", backend.prefix.text()},
                              {"network", backend.network},
                              {"from", labels(backend.from)}});
  return out;
}

}  // namespace

std::string render_topology(const Topology& topology, const Config& config) {
  std::string out = "# The effective topology; each comment names the source.\n";
  for (const auto& finding : topology.findings) out += "# finding: " + printable(finding) + "\n";
  out += yaml_settings(topology, config);
  out += yaml_enforcement(config);
  out += yaml_verify(config.verify);
  if (!topology.networks.empty()) out += "networks:\n";
  for (const auto& network : topology.networks) {
    out += "  - name: " + yaml_text(network.name) + "  # " + origin_words(network.from) + "\n";
    if (!network.prefixes.empty()) out += "    subnets:\n";
    for (const auto& prefix : network.prefixes)
      out += "      - " + yaml_address(prefix.text()) + "\n";
    out += "    unknown_node: " + std::string(to_string(network.unknown_node)) + "\n";
  }
  const auto self = yaml_side(topology.self_underlays, topology.self_backends, "  ");
  if (!self.empty()) out += "self:\n" + self;
  if (!topology.peers.empty()) out += "peers:\n";
  for (const auto& peer : topology.peers) {
    out += "  - name: " + yaml_text(peer.name) + "  # " + std::string(to_string(peer.state)) +
           ": " + origin_words(peer.from) + "\n";
    out += yaml_side(peer.underlays, peer.backends, "    ");
    out += "    mode: " + std::string(to_string(peer.mode)) + "  # " +
           std::string(to_string(peer.mode_from)) + "\n";
  }
  return out + yaml_devices(config);
}

json topology_document(const Topology& topology, const Config& config) {
  json out{{"schema_version", 1},
           {"node", topology.node},
           {"instance", config.instance},
           {"pin_dir", config.pin_dir},
           {"state_dir", config.state_dir},
           {"listen", config.listen},
           {"discover", config.discover},
           {"opensvc", config.opensvc ? "auto" : "off"},
           {"opensvc_conf", config.opensvc_conf},
           {"opensvc_socket", config.opensvc_socket},
           {"max_peers", config.max_peers},
           {"mode", to_string(config.mode.value_or(Mode::MONITOR))},
           {"enforce", enforce_document(config.enforce)},
           {"verify", verify_document(config.verify)},
           {"self", side_document(topology.self_underlays, topology.self_backends)},
           {"networks", json::array()},
           {"peers", json::array()},
           {"findings", topology.findings}};
  for (const auto& network : topology.networks) {
    json subnets = json::array();
    for (const auto& prefix : network.prefixes) subnets.push_back(prefix.text());
    out["networks"].push_back({{"name", network.name},
                               {"subnets", subnets},
                               {"unknown_node", to_string(network.unknown_node)},
                               {"from", labels(network.from)}});
  }
  for (const auto& peer : topology.peers) {
    json entry = side_document(peer.underlays, peer.backends);
    entry["name"] = peer.name;
    entry["state"] = to_string(peer.state);
    entry["mode"] = to_string(peer.mode);
    entry["mode_from"] = to_string(peer.mode_from);
    entry["from"] = labels(peer.from);
    out["peers"].push_back(std::move(entry));
  }
  return out;
}

}  // namespace espial
