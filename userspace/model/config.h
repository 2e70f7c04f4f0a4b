// SPDX-License-Identifier: Apache-2.0
// Config: what espial.yaml says, checked. Every key is optional.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ip.h"
#include "model/topology.h"

namespace espial {

struct ConfigPeer {
  std::string name;
  std::vector<IpAddress> underlays;
  std::vector<Prefix> backends;
  std::optional<Mode> mode;
};

struct ConfigNetwork {
  std::string name;
  std::vector<Prefix> prefixes;
  Mode unknown_node = Mode::AUDIT;
};

// Protocols that have a name in the file; others are numbers.
inline constexpr std::array<std::pair<std::string_view, std::uint8_t>, 4> kProtocolNames{
    {{"icmp", 1}, {"tcp", 6}, {"udp", 17}, {"icmpv6", 58}}};

// Packets that pass although enforcement would drop them.
struct ConfigExemption {
  Prefix prefix;              // contains one end
  std::uint8_t protocol = 0;  // 0: any
  std::uint16_t port = 0;     // of either end, TCP or UDP; 0: any
};

// How far enforcement goes, and when it may begin.
struct ConfigEnforce {
  // What these reasons never exceed, whatever the peer's mode is.
  Mode cleartext_host = Mode::ENFORCE;
  Mode cleartext_transit = Mode::ENFORCE;
  Mode esp_foreign = Mode::ENFORCE;
  std::vector<ConfigExemption> exempt;
  bool backstop = false;             // `xfrm_block`: XFRM block policies behind the programs
  std::uint32_t audit_minutes = 10;  // of quiet audit before `policy set PEER enforce`
};

// The daemon's own probes of the peers' backends, round after round.
struct ConfigVerify {
  std::chrono::seconds interval{0};      // between two probes of the same way; 0: none are sent
  std::uint32_t probes_per_second = 10;  // at most, of all; a round takes longer for it
  std::vector<IpAddress> pods;           // of the peers, probed besides their bridges
  // Between two looks for an MTU black hole to the same underlay address; 0: none.
  std::chrono::seconds path_mtu_interval{600};
  bool operator==(const ConfigVerify&) const = default;
};

// Whether wire devices get the XDP accelerator. Attaching it can reset a NIC.
enum class XdpChoice : std::uint8_t {
  kOff,
  kAuto,     // where it costs nothing
  kRequire,  // wherever it works; an alarm where it does not
};

std::string_view to_string(XdpChoice choice);  // "off", "auto", "require"

struct Config {
  std::string node;  // default: the host name
  std::string instance = "default";
  std::string pin_dir = "/sys/fs/bpf/espial";
  std::string state_dir = "/var/lib/espial";
  std::string listen = "127.0.0.1:9754";  // "ADDRESS:PORT", "[ADDRESS]:PORT", "off"
  bool listen_anywhere = false;           // allow a listen address that is not loopback
  bool discover = true;                   // learn from OpenSVC, SPD, SAD, routes, addresses
  bool opensvc = true;                    // learn from OpenSVC where there is an agent
  std::string opensvc_conf = "/etc/opensvc/cluster.conf";
  std::string opensvc_socket = "/var/lib/opensvc/lsnr/http.sock";  // empty: none
  std::uint32_t max_peers = 1024;  // capacity of the tables, fixed while attached
  std::vector<ConfigNetwork> networks;
  std::vector<IpAddress> self_underlays;
  std::vector<Prefix> self_backends;
  std::vector<ConfigPeer> peers;
  std::optional<Mode> mode;  // of peers that have none of their own; nothing: monitor
  ConfigEnforce enforce;
  ConfigVerify verify;
  std::vector<std::string> include_devices;    // always wire devices
  std::vector<std::string> exclude_devices;    // never
  std::uint32_t flow_events_per_second = 100;  // per CPU
  std::string metrics = "auto";                // auto | full | compact
  XdpChoice xdp = XdpChoice::kOff;
  std::string vici = "auto";  // charon's socket: a path, "auto" or "off"
  bool spi_proof = true;      // ESP of a pair counts as encrypted only under an SPI of the SAD
  std::optional<double> coverage_target;  // what share of a peer's packets is to be encrypted
};

// The mode of peers without one of their own.
Mode default_mode(const Config& config);
// What the file alone says of a peer's mode, the default included.
Mode configured_mode(const Config& config, std::string_view peer);

// Where an instance's control socket is.

inline constexpr std::string_view kControlSocket = "/control.sock";  // below state_dir

inline std::string control_socket_path(std::string_view state_dir) {
  return std::string(state_dir).append(kControlSocket);
}

}  // namespace espial
