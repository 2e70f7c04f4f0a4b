// SPDX-License-Identifier: Apache-2.0
// Snapshots as values: a node with peers whose counters and clock a test moves by hand.
#pragma once

#include <string>

#include "model/snapshot.h"

namespace espial::testing {

inline Cell& cell(PeerCounters& counters, Direction d, Class c, Family f = Family::kIpv4) {
  return counters.cells[at(d)][at(f)][at(c)];
}

// `packets` of 100 bytes each.
inline void count(PeerCounters& counters, Direction d, Class c, std::uint64_t packets,
                  Family f = Family::kIpv4) {
  cell(counters, d, c, f).packets += packets;
  cell(counters, d, c, f).bytes += packets * 100;
}

// What enforcement does to `packets` of 100 bytes each, as the programs count it: in no class when
// dropped on the way out. `reason` is the class of that name.
inline void enforce(PeerCounters& counters, Action action, Direction d, Reason reason, Class c,
                    std::uint64_t packets) {
  Cell& cell = counters.enforced[at(action)][at(d)][at(reason)];
  cell.packets += packets;
  cell.bytes += packets * 100;
  if (action != Action::kDrop || d != Direction::TRANSMIT) count(counters, d, c, packets);
}

inline PeerSnapshot peer(const std::string& name, PeerState state = PeerState::kConfigured) {
  PeerSnapshot out;
  out.peer.name = name;
  out.peer.state = state;
  return out;
}

inline DeviceSnapshot device(const std::string& name, DeviceRole role = DeviceRole::kWire) {
  DeviceSnapshot out;
  out.name = name;
  out.ifindex = 2;
  out.role = role;
  out.mode = AttachMode::kTcx;
  out.receive_attached = true;
  out.transmit_attached = role != DeviceRole::kReentry;
  return out;
}

// A node that sees its wire, at 2024-05-01T12:00:00Z.
inline Snapshot node() {
  Snapshot out;
  out.time = WallTime{std::chrono::seconds{1714564800}};
  out.monotonic = MonoTime{std::chrono::seconds{1000}};
  out.node = "node1";
  out.instance = "default";
  out.daemon = true;
  out.devices.push_back(device("eth0"));
  return out;
}

inline void wait(Snapshot& snapshot, std::chrono::nanoseconds step) {
  snapshot.time += std::chrono::duration_cast<WallTime::duration>(step);
  snapshot.monotonic += std::chrono::duration_cast<MonoTime::duration>(step);
}

}  // namespace espial::testing
