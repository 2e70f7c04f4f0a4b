// SPDX-License-Identifier: Apache-2.0
// The oracle: an independent, slow and obvious classifier, written from the table of verdicts in
// README.md and never from the BPF parser. The parser must agree with it on every frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <ostream>
#include <span>
#include <vector>

#include "base/ip.h"
#include "frames/frame.h"
#include "model/words.h"

namespace espial::frames {

enum class Role : std::uint8_t {
  kNone,
  kSelfUnderlay,
  kSelfBackend,
  kPeerUnderlay,
  kPeerBackend,
  kNetwork,
};

// What a prefix is; the longest one that contains an address wins.
struct RoleEntry {
  Prefix prefix;
  Role role = Role::kNone;
  std::uint32_t peer = 0;
  std::uint32_t subnet = 0;
  Mode mode = Mode::MONITOR;  // of a network: what unknown nodes are under
};

// What passes although enforcement would drop it.
struct Exempt {
  Prefix prefix;
  std::optional<std::uint8_t> protocol;
  std::optional<std::uint16_t> port;
};

enum class VlanAction : std::uint8_t { kOurs, kClaimed };
struct VlanEntry {
  std::uint16_t vid = 0;
  VlanAction action = VlanAction::kOurs;
};

// What a node knows when it judges.
struct World {
  std::vector<RoleEntry> roles;
  std::vector<VlanEntry> vlans;  // of the one device that frames come from
  std::vector<std::uint32_t> null_spis;
  std::vector<std::pair<IpAddress, std::uint32_t>> sas;  // of ESP; none: SPIs are not compared
  std::map<std::uint32_t, Mode> modes;                   // by peer; else monitor
  std::map<Reason, Mode> limits;                         // else none
  std::vector<Exempt> exempt;
};

// A frame as it comes to a program. metadata_tci: the tag that the kernel took out of the bytes.
struct Input {
  std::span<const std::uint8_t> bytes;
  LinkKind link = LinkKind::kEthernet;
  Direction direction = Direction::RECEIVE;
  std::optional<std::uint16_t> metadata_tci{};
};

struct OracleVerdict {
  bool counted = true;  // false: another program counts it; nothing else is said then
  Class klass = Class::OTHER;
  Outcome outcome = Outcome::OK;
  std::uint32_t peer = 0;    // 0 = no peer
  std::uint32_t subnet = 0;  // of the peer's backend end, for cleartext classes; 0 = none
  Family family = Family::kIpv4;
  bool operator==(const OracleVerdict&) const = default;
};
std::ostream& operator<<(std::ostream& out, const OracleVerdict& v);

OracleVerdict oracle(const World& world, const Input& input);

// What enforcement does to a frame that was judged so: MONITOR nothing, AUDIT counts, ENFORCE
// drops.
Mode oracle_fate(const World& world, const Input& input, const OracleVerdict& verdict);

// What a frame counts as: the length of its IP packet (of all behind the link header, where there
// is no valid IP header), and how much of it every segment of a GSO packet repeats.
struct OracleSize {
  std::size_t length = 0;
  std::optional<std::size_t>
      headers;  // TCP and UDP, plain or in a tunnel that they fill; else none
};
OracleSize oracle_size(const Input& input);

}  // namespace espial::frames
