// SPDX-License-Identifier: Apache-2.0
// Topology: the peers, their underlay addresses and backend subnets, and the sources of each.
//
// Sources only add. Removal is by configuration, by OpenSVC, or by `config forget`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "model/words.h"

namespace espial {

// Who said a fact; a set, as bits.
enum class Origin : std::uint8_t {
  kFile = 1,  // espial.yaml
  kOpensvc = 2,
  kPolicy = 4,  // SPD
  kState = 8,   // SAD
  kRoute = 16,
  kAddress = 32,  // an address of a local device
  kSaved = 64,    // learnt earlier, not seen now
};
class Origins {
 public:
  Origins() = default;
  Origins(Origin o)
      : bits_(static_cast<std::uint8_t>(o)) {}  // NOLINT(google-explicit-constructor): a set of one
  void add(Origins other) { bits_ |= other.bits_; }
  void remove(Origin o) { bits_ &= static_cast<std::uint8_t>(~static_cast<std::uint8_t>(o)); }
  [[nodiscard]] bool has(Origin o) const { return (bits_ & static_cast<std::uint8_t>(o)) != 0; }
  [[nodiscard]] bool empty() const { return bits_ == 0; }
  [[nodiscard]] std::vector<std::string_view> labels() const;  // "file", "opensvc", "policy", ...
  bool operator==(const Origins&) const = default;

 private:
  std::uint8_t bits_ = 0;
};

struct Underlay {
  IpAddress address;
  Origins from;
  bool operator==(const Underlay&) const = default;
};

struct BackendSubnet {
  Prefix prefix;
  std::string network;  // name of the network that contains it; the prefix's text when none does
  Origins from;
  bool operator==(const BackendSubnet&) const = default;
};

// A peer known from a route only is a candidate: shown, never alarmed or enforced.
enum class PeerState : std::uint8_t { kCandidate, kLearnt, kConfigured };
std::string_view to_string(PeerState state);

inline constexpr std::string_view kAllPeers = "all";  // in commands; no name of a peer

// Who said the mode of a peer.
enum class ModeSource : std::uint8_t {
  kDefault,  // the default for all peers, whether the file gives one or not
  kFile,     // the peer's own mode in espial.yaml
  kCommand,  // `espial policy set`
};
std::string_view to_string(ModeSource source);  // "default", "file", "command"

struct ModeChoice {
  Mode mode = Mode::MONITOR;
  ModeSource from = ModeSource::kDefault;
  bool operator==(const ModeChoice&) const = default;
};

struct Peer {
  std::string name;  // from the file or OpenSVC, else its first underlay address
  PeerState state = PeerState::kCandidate;
  Mode mode = Mode::MONITOR;  // in force
  ModeSource mode_from = ModeSource::kDefault;
  ModeChoice by_file;  // what the file alone says, its default included
  // OpenSVC named it and does no longer: it stays only while something else names it.
  bool left_opensvc = false;
  Origins from;
  std::vector<Underlay> underlays;
  std::vector<BackendSubnet> backends;
  bool operator==(const Peer&) const = default;
};

struct Network {
  std::string name;
  std::vector<Prefix> prefixes;
  Origins from;
  Mode unknown_node = Mode::AUDIT;  // what its unknown nodes are under
  bool operator==(const Network&) const = default;
};

struct Topology {
  std::string node;  // this node's name
  std::vector<Underlay> self_underlays;
  std::vector<BackendSubnet> self_backends;
  std::vector<Network> networks;
  std::vector<Peer> peers;            // sorted by name
  std::vector<std::string> findings;  // contradictions between sources, one line each
  bool operator==(const Topology&) const = default;

  [[nodiscard]] const Peer* find(std::string_view name) const;
  // The peer with a backend subnet that contains the address.
  [[nodiscard]] const Peer* backend_of(const IpAddress& address) const;
};

}  // namespace espial
