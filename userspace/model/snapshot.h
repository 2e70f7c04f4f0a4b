// SPDX-License-Identifier: Apache-2.0
// Snapshot: everything the node knew at one moment, as plain values. Counters only grow.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/facts/facts.h"
#include "model/mesh.h"
#include "model/topology.h"
#include "model/words.h"

namespace espial {

using WallTime = std::chrono::system_clock::time_point;
using MonoTime = std::chrono::steady_clock::time_point;

struct Cell {
  std::uint64_t packets = 0;  // as the wire carried them: GSO and GRO segments counted
  std::uint64_t bytes = 0;    // IP lengths, headers repeated per segment
  bool operator==(const Cell&) const = default;
};

// Index helpers: counters are arrays indexed by the enums of labels.h.
template <typename Enum>
constexpr std::size_t at(Enum e) {
  return static_cast<std::size_t>(e);
}

// What enforcement did to a packet of its rows.
enum class Action : std::uint8_t { kWouldDrop, kDrop };
inline constexpr std::size_t kActions = 2;
inline constexpr std::array<std::string_view, kActions> kActionLabels{"would_drop", "dropped"};
using EnforcedCells = std::array<std::array<Cell, kReasons>, kDirections>;  // [direction][reason]

using ClassCells = std::array<std::array<Cell, kClasses>, kFamilies>;  // [family][class]

// What the kernel dropped of a peer's packets since the daemon started, except by espial's own
// programs. skbs, as netfilter's own counters count them: GSO packets are one each.
struct KernelDrops {
  std::array<std::array<std::uint64_t, kFamilies>, kHooks> netfilter{};  // [hook][family]
  std::map<std::string, std::uint64_t> reasons;  // netfilter's included; the kernel's names
  bool operator==(const KernelDrops&) const = default;
};

struct PeerCounters {
  std::array<ClassCells, kDirections> cells{};  // [direction][family][class]
  std::array<Cell, kFamilies> decrypted{};      // family of the inner packet
  std::uint64_t spoofed = 0;                    // of the decrypted ones
  std::uint64_t unattributed = 0;               // decrypted, the SA's remote is unknown
  std::array<std::optional<WallTime>, kDirections> last_unprotected{};
  // What enforcement did, by direction and reason. What was dropped on its way out is in no class.
  std::array<EnforcedCells, kActions> enforced{};
  std::array<std::optional<WallTime>, kActions> last_enforced{};
  std::array<std::array<std::uint64_t, kExemptions>, kDirections> exempted{};  // packets
  KernelDrops kernel{};

  [[nodiscard]] const Cell& cell(Direction d, Family f, Class c) const {
    return cells[at(d)][at(f)][at(c)];
  }
  // The later of last_unprotected; nothing if there never was an unprotected packet.
  [[nodiscard]] std::optional<WallTime> last_cleartext() const;
};

// Cleartext of one (peer, network).
struct NetworkCounters {
  std::string peer;
  std::string network;
  std::array<std::uint64_t, kDirections> cleartext_packets{};
};

struct PeerSnapshot {
  Peer peer;
  PeerCounters counters;
};

enum class DeviceRole : std::uint8_t { kWire, kReentry, kWireAndReentry };
std::string_view to_string(DeviceRole role);  // "wire", "reentry", "wire+reentry"
enum class AttachMode : std::uint8_t { kNone, kTcx, kClsact };
std::string_view to_string(AttachMode mode);  // "none", "tcx", "clsact"

// The XDP accelerator of one wire device.
struct XdpSnapshot {
  bool wanted = false;    // by the configuration
  bool required = false;  // an alarm where it is not attached
  bool attached = false;
  std::string why;  // why it is wanted and not attached; one line
};

struct DeviceSnapshot {
  std::string name;
  int ifindex = 0;
  DeviceRole role = DeviceRole::kWire;
  AttachMode mode = AttachMode::kNone;
  bool receive_attached = false;
  bool transmit_attached = false;
  bool expected = false;    // the route to some peer's underlay names it
  std::string why;          // why not attached, or why chosen; one line
  std::string displaced{};  // who runs before our program and may end the chain; one line
  XdpSnapshot xdp{};
};

// How often, and how long, a wire device was without its programs: it had just appeared, or
// they had been removed (then no longer than that).
struct GapCounters {
  std::uint64_t count = 0;
  std::chrono::nanoseconds total{0};
  std::chrono::nanoseconds last{0};
  std::optional<MonoTime> new_device;  // when the last gap of a new device ended
};

// What had been removed when it was last reattached.
struct Restored {
  MonoTime at;
  std::size_t programs = 0;
  std::size_t pins = 0;                // of programs or maps that went on without
  std::chrono::nanoseconds within{0};  // it was still there that long before
};

struct SourceStatus {
  std::string source;  // "file", "xfrm", "routes", "events"...
  bool up = false;
  std::string detail;
};

struct MapUsage {
  std::string map;
  std::uint64_t entries = 0;
  std::uint64_t max_entries = 0;
};

struct FlowRecord {
  IpAddress source;
  IpAddress destination;
  std::uint16_t source_port = 0;  // 0 = none or unknown
  std::uint16_t destination_port = 0;
  std::uint8_t protocol = 0;
  Direction direction = Direction::RECEIVE;
  Class klass = Class::CLEARTEXT;
  std::string peer;  // empty = none
  std::string device;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::array<std::uint64_t, kActions> enforced{};  // of the packets
  WallTime first;
  WallTime last;
};

// A flow of the mesh that lost packets in the kernel.
struct DropRecord {
  IpAddress source;
  IpAddress destination;
  std::uint16_t source_port = 0;  // 0 = none or unknown
  std::uint16_t destination_port = 0;
  std::uint8_t protocol = 0;
  Direction direction = Direction::RECEIVE;  // receive = from the peer
  std::string peer;
  std::string device;        // that the packet was on; empty = none yet
  std::string reason;        // the kernel's name
  std::optional<Hook> hook;  // nothing: netfilter did not drop it
  std::uint64_t packets = 0;
  WallTime first;
  WallTime last;
};

// An enforced peer, or one subnet of it, that the backstop does not cover.
struct BackstopExclusion {
  std::string peer;
  std::string why;  // one line
  bool operator==(const BackstopExclusion&) const = default;
};

// The backstop: the XFRM block policies behind the programs, as last seen.
struct BackstopSnapshot {
  bool enabled = false;      // by the configuration
  std::size_t wanted = 0;    // policies
  std::size_t in_place = 0;  // of those wanted
  std::string why;           // why one is wanted and not in place, or cannot be removed; one line
  std::vector<BackstopExclusion> without;
  bool operator==(const BackstopSnapshot&) const = default;
};

// How the programs came into the kernel when the daemon started.
struct ProgramUse {
  std::size_t loaded = 0;
  std::size_t adopted = 0;  // those that an earlier run had pinned
  std::string why;          // why pinned ones were not adopted; empty: they were
  std::string problem;      // why these are not pinned; empty: they are
  bool operator==(const ProgramUse&) const = default;
};

struct Snapshot {
  WallTime time;
  MonoTime monotonic;
  std::string node;
  std::string instance;
  bool daemon = false;              // taken by the daemon (else straight from the pins)
  std::vector<PeerSnapshot> peers;  // sorted by name
  PeerCounters no_peer;
  std::vector<NetworkCounters> networks;
  std::vector<DeviceSnapshot> devices;
  ProgramUse programs;
  GapCounters gaps;
  std::optional<Restored> restored;
  BackstopSnapshot backstop;
  std::array<std::uint64_t, kOutcomes> outcomes{};
  std::array<std::uint64_t, kLosts> lost{};
  std::vector<SourceStatus> sources;
  std::vector<MapUsage> maps;
  std::vector<std::string> findings;      // contradictions between sources; one line
  std::shared_ptr<const MeshAudit> mesh;  // policies and SAs against the topology; null: not asked
  bool drops_seen = false;             // what the kernel drops is attributed (PeerCounters::kernel)
  KernelDrops kernel_drops;            // of all peers, those that left included
  std::vector<XfrmError> xfrm_errors;  // empty: this kernel does not count them
  std::optional<bool> last_reload_successful;
  std::string last_reload_error;
};

}  // namespace espial
