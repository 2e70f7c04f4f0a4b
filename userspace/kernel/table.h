// SPDX-License-Identifier: Apache-2.0
// The peer table as one block of memory, laid out by bpf/wire.h and probed by the programs.
//
// Pure: building reads no map.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "model/words.h"
#include "wire.h"

namespace espial {

// Slots: a power of two, fixed while programs are loaded.
struct TableCapacity {
  std::uint32_t slots = 0;

  // See model/table_room.h.
  static TableCapacity for_peers(std::uint32_t max_peers);
  [[nodiscard]] std::size_t bytes() const;
};

struct TableEntry {
  Prefix prefix;
  ep_role role = EP_ROLE_NONE;
  std::uint32_t peer = 0;     // index of ep_peer_stat; 0 for self and networks
  std::uint32_t subnet = 0;   // index of ep_net_stat; 0 = none
  bool configured = false;    // EP_SLOT_CONFIGURED
  Mode mode = Mode::MONITOR;  // of a network: what its unknown nodes are under
  bool relayed = false;       // EP_SLOT_RELAYED
};

// Packets of enforcement's rows that pass (struct ep_exemption).
struct TableExemption {
  Prefix prefix;
  std::uint8_t protocol = 0;  // 0 = any
  std::uint16_t port = 0;     // 0 = any
};

constexpr std::array<Mode, kReasons> no_limits() {
  std::array<Mode, kReasons> limits{};
  limits.fill(Mode::ENFORCE);
  return limits;
}

struct TableVlan {
  int ifindex = 0;
  std::uint16_t vid = 0;
  ep_vlan_action action = EP_VLAN_OTHER;
};

struct TableSpec {
  std::vector<TableEntry> entries;  // the first of two equal prefixes wins
  std::vector<TableVlan> vlans;
  std::vector<std::uint32_t> integrity_spis;  // host order: AH and null-encryption SAs
  std::uint32_t generation = 0;
  bool spi_proof = false;  // ESP of a pair has to be of an SA that the mirror knows
  std::array<Mode, kReasons> limits = no_limits();  // what a reason never exceeds
  std::vector<TableExemption> exemptions;           // at most EP_EXEMPTIONS
};

struct BuiltTable {
  std::vector<std::byte> block;       // of capacity.bytes() bytes
  std::vector<std::string> left_out;  // what did not fit, one line each
};

// A table as large as the capacity says. What does not fit is left out if it is only learnt
// (kernel/table_fit.h). Error: what is configured does not fit.
Result<BuiltTable> build_table(const TableSpec& spec, const TableCapacity& capacity);

}  // namespace espial
