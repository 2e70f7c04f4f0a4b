// SPDX-License-Identifier: Apache-2.0
// The shape of espial.yaml: which keys exist and what type each has.
#include <algorithm>
#include <array>

#include "base/printable.h"
#include "config/alerts_draft.h"
#include "config/document_count.h"
#include "config/yaml_reader.h"

namespace espial {
namespace {

// Member = value, when the value could be read.
template <typename T>
void assign(T& member, std::optional<T> value) {
  if (value) member = std::move(*value);
}

std::optional<Mode> read_mode(YamlReader& reader, const YAML::Node& node, const Place& at) {
  const auto word = reader.choice(node, at, {"monitor", "audit", "enforce"});
  if (!word) return std::nullopt;
  for (std::size_t i = 0; i < kModes; ++i)
    if (*word == kModeLabels[i]) return static_cast<Mode>(i);
  return std::nullopt;
}

DraftNetwork read_network(YamlReader& reader, const YAML::Node& node, const Place& at) {
  DraftNetwork network{at, {}, {}, {}};
  reader.map(
      node, at,
      {{"name", [&](const auto& n, const auto& p) { locate(network.name, reader.name(n, p), p); }},
       {"subnets", [&](const auto& n, const auto& p) { network.prefixes = reader.prefixes(n, p); }},
       {"unknown_node",
        [&](const auto& n, const auto& p) { network.unknown_node = read_mode(reader, n, p); }}});
  return network;
}

DraftExemption read_exemption(YamlReader& reader, const YAML::Node& node, const Place& at) {
  DraftExemption exemption{at, {}, {}, {}};
  bool named = false;
  reader.map(node, at,
             {{"prefix",
               [&](const auto& n, const auto& p) {
                 named = true;
                 exemption.prefix = reader.prefix(n, p);
               }},
              {"protocol",
               [&](const auto& n, const auto& p) {
                 if (const auto number = reader.protocol(n, p)) exemption.protocol = {*number, p};
               }},
              {"port", [&](const auto& n, const auto& p) {
                 if (const auto number = reader.number(n, p, 1, 65535))
                   exemption.port = {*number, p};
               }}});
  if (!named) reader.problems().add(at, "an exemption needs a prefix (for example 10.101.2.0/24)");
  return exemption;
}

void read_enforce(YamlReader& reader, const YAML::Node& node, const Place& at, Draft& draft) {
  auto& enforce = draft.scalars.enforce;
  reader.map(
      node, at,
      {{"cleartext_host",
        [&](const auto& n, const auto& p) {
          assign(enforce.cleartext_host, read_mode(reader, n, p));
        }},
       {"cleartext_transit",
        [&](const auto& n, const auto& p) {
          assign(enforce.cleartext_transit, read_mode(reader, n, p));
        }},
       {"esp_foreign",
        [&](const auto& n, const auto& p) {
          assign(enforce.esp_foreign, read_mode(reader, n, p));
        }},
       {"audit_minutes",
        [&](const auto& n, const auto& p) {
          assign(enforce.audit_minutes, reader.number(n, p, 0, kMaxAuditMinutes));
        }},
       {"xfrm_block",
        [&](const auto& n, const auto& p) { assign(enforce.backstop, reader.boolean(n, p)); }},
       {"exempt", [&](const auto& n, const auto& p) {
          reader.list(n, p, [&](const auto& e, const auto& place) {
            draft.exemptions.push_back(read_exemption(reader, e, place));
          });
        }}});
}

DraftPeer read_peer(YamlReader& reader, const YAML::Node& node, const Place& at) {
  DraftPeer peer{at, {}, {}, {}, {}};
  reader.map(
      node, at,
      {{"name", [&](const auto& n, const auto& p) { locate(peer.name, reader.name(n, p), p); }},
       {"underlay", [&](const auto& n, const auto& p) { peer.underlays = reader.underlays(n, p); }},
       {"backend", [&](const auto& n, const auto& p) { peer.backends = reader.prefixes(n, p); }},
       {"mode", [&](const auto& n, const auto& p) { peer.mode = read_mode(reader, n, p); }}});
  return peer;
}

void read_self(YamlReader& reader, const YAML::Node& node, const Place& at, Draft& draft) {
  reader.map(node, at,
             {{"underlay", [&](const auto& n,
                               const auto& p) { draft.self_underlays = reader.underlays(n, p); }},
              {"backend", [&](const auto& n, const auto& p) {
                 draft.self_backends = reader.prefixes(n, p);
               }}});
}

void read_verify(YamlReader& reader, const YAML::Node& node, const Place& at, Draft& draft) {
  auto& verify = draft.scalars.verify;
  // What is no map has been told already.
  if (node.IsMap()) draft.verify = at;
  reader.map(node, at,
             {{"interval",
               [&](const auto& n, const auto& p) {
                 draft.verify_interval = true;
                 assign(verify.interval,
                        reader.interval(n, p, kMinVerifyInterval, kMaxVerifyInterval));
               }},
              {"path_mtu_interval",
               [&](const auto& n, const auto& p) {
                 assign(verify.path_mtu_interval,
                        reader.interval(n, p, kMinPathMtuInterval, kMaxVerifyInterval));
               }},
              {"probes_per_second",
               [&](const auto& n, const auto& p) {
                 assign(verify.probes_per_second, reader.number(n, p, 1, kMaxProbesPerSecond));
               }},
              {"pods", [&](const auto& n, const auto& p) {
                 draft.verify_pods = reader.hosts(n, p, "the address of a pod");
               }}});
}

void read_devices(YamlReader& reader, const YAML::Node& node, const Place& at, Draft& draft) {
  reader.map(node, at,
             {{"include",
               [&](const auto& n, const auto& p) { draft.include_devices = reader.devices(n, p); }},
              {"exclude", [&](const auto& n, const auto& p) {
                 draft.exclude_devices = reader.devices(n, p);
               }}});
}

void read_root(YamlReader& reader, const YAML::Node& root, Draft& draft) {
  Config& c = draft.scalars;
  reader.map(
      root, {root.Mark().line + 1, ""},
      {{"node", [&](const auto& n, const auto& p) { locate(draft.node, reader.name(n, p), p); }},
       {"instance",
        [&](const auto& n, const auto& p) { assign(c.instance, reader.instance(n, p)); }},
       {"pin_dir",
        [&](const auto& n, const auto& p) { locate(draft.pin_dir, reader.path(n, p), p); }},
       {"state_dir",
        [&](const auto& n, const auto& p) { locate(draft.state_dir, reader.path(n, p), p); }},
       {"listen",
        [&](const auto& n, const auto& p) {
          locate(draft.listen, reader.text(n, p, "ADDRESS:PORT or off"), p);
        }},
       {"listen_anywhere",
        [&](const auto& n, const auto& p) { assign(c.listen_anywhere, reader.boolean(n, p)); }},
       {"discover",
        [&](const auto& n, const auto& p) { assign(c.discover, reader.boolean(n, p)); }},
       {"opensvc",
        [&](const auto& n, const auto& p) {
          if (const auto word = reader.choice(n, p, {"auto", "off"})) c.opensvc = *word == "auto";
        }},
       {"opensvc_conf",
        [&](const auto& n, const auto& p) { locate(draft.opensvc_conf, reader.path(n, p), p); }},
       {"opensvc_socket",
        [&](const auto& n, const auto& p) {
          const bool none = n.IsScalar() && n.Scalar().empty();
          locate(draft.opensvc_socket, none ? std::optional(n.Scalar()) : reader.path(n, p), p);
        }},
       {"max_peers",
        [&](const auto& n, const auto& p) {
          draft.max_peers = p;
          assign(c.max_peers, reader.number(n, p, 1, kMaxPeers));
        }},
       {"xdp",
        [&](const auto& n, const auto& p) {
          const auto word = reader.choice(n, p, {"off", "auto", "require"});
          if (!word) return;
          c.xdp = *word == "off"    ? XdpChoice::kOff
                  : *word == "auto" ? XdpChoice::kAuto
                                    : XdpChoice::kRequire;
        }},
       {"spi_proof",
        [&](const auto& n, const auto& p) { assign(c.spi_proof, reader.boolean(n, p)); }},
       {"vici",
        [&](const auto& n, const auto& p) {
          const bool word = n.IsScalar() && (n.Scalar() == "auto" || n.Scalar() == "off");
          assign(c.vici, word ? std::optional(n.Scalar()) : reader.path(n, p));
        }},
       {"metrics",
        [&](const auto& n, const auto& p) {
          assign(c.metrics, reader.choice(n, p, {"auto", "full", "compact"}));
        }},
       {"flow_events_per_second",
        [&](const auto& n, const auto& p) {
          assign(c.flow_events_per_second, reader.number(n, p, 0, kMaxFlowEventsPerSecond));
        }},
       {"coverage_target",
        [&](const auto& n, const auto& p) { c.coverage_target = reader.ratio(n, p); }},
       {"mode", [&](const auto& n, const auto& p) { c.mode = read_mode(reader, n, p); }},
       {"enforce", [&](const auto& n, const auto& p) { read_enforce(reader, n, p, draft); }},
       {"alerts", [&](const auto& n, const auto& p) { draft.alerts = read_alerts(reader, n, p); }},
       {"verify", [&](const auto& n, const auto& p) { read_verify(reader, n, p, draft); }},
       {"networks",
        [&](const auto& n, const auto& p) {
          reader.list(n, p, [&](const auto& e, const auto& at) {
            draft.networks.push_back(read_network(reader, e, at));
          });
        }},
       {"self", [&](const auto& n, const auto& p) { read_self(reader, n, p, draft); }},
       {"peers",
        [&](const auto& n, const auto& p) {
          reader.list(n, p, [&](const auto& e, const auto& at) {
            draft.peers.push_back(read_peer(reader, e, at));
          });
        }},
       {"devices", [&](const auto& n, const auto& p) { read_devices(reader, n, p, draft); }}});
}

// Insertions, deletions and replacements that turn a into b; both short.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({replaced, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearest_name(std::string_view wrong, const std::vector<std::string_view>& known) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, std::min<std::size_t>(wrong.size(), 12) / 3);
  if (wrong.size() > 64) return best;
  for (const auto name : known) {
    const auto distance = edit_distance(wrong, name);
    if (distance < best_distance || (distance == best_distance && best.empty())) {
      best = name;
      best_distance = distance;
    }
  }
  return best;
}

Draft read_draft(std::string_view text, Problems& problems) {
  Draft draft;
  if (text.size() > kMaxConfigBytes) {
    problems.add({}, "the file is larger than " + std::to_string(kMaxConfigBytes) + " bytes");
    return draft;
  }
  try {
    const std::string owned(text);
    if (const auto line = second_document_line(owned)) {
      problems.add({*line, ""}, "a second YAML document starts here (keep one)");
    } else {
      YamlReader reader(problems);
      read_root(reader, YAML::Load(owned), draft);
    }
  } catch (const YAML::Exception& e) {
    problems.add({e.mark.is_null() ? 0 : e.mark.line + 1, ""},
                 "not valid YAML: " + printable(e.msg));
  }
  return draft;
}

}  // namespace espial
