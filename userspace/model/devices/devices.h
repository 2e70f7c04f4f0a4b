// SPDX-License-Identifier: Apache-2.0
// Which devices carry programs, and why: wire devices (every uplink of this network namespace) and
// re-entry devices (where decrypted packets come back from XFRM).
//
// Pure functions of values. In every receive path exactly one device has the re-entry role, so that
// a decrypted packet is counted once.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/facts/facts.h"
#include "model/snapshot.h"
#include "model/topology.h"

namespace espial {

// What a wire device does with frames of one VLAN. A VID without a rule is of another network.
struct VlanRule {
  std::uint16_t vid = 0;
  bool ours = false;  // true: the node's own VLAN on a trunk port; false: claimed by a VLAN device
                      // above that has its own program
  bool operator==(const VlanRule&) const = default;
};

struct DevicePlan {
  int ifindex = 0;
  std::string name;
  DeviceRole role = DeviceRole::kWire;
  bool ethernet = true;   // frames start with a link header (ARPHRD_ETHER); else with the IP header
  bool expected = false;  // the route to some peer's underlay leads through it
  std::vector<VlanRule> vlans;  // sorted by vid
  std::string why;              // one line
  bool operator==(const DevicePlan&) const = default;
};

struct PassedDevice {
  int ifindex = 0;
  std::string name;
  std::string reason;  // one line
  bool operator==(const PassedDevice&) const = default;
};

struct DevicePlans {
  std::vector<DevicePlan> devices;    // sorted by ifindex
  std::vector<PassedDevice> refused;  // an uplink that cannot be watched, or must not by the file
  std::vector<PassedDevice> ignored;  // no uplink: pod ports, pod bridges, slaves, tunnels...
  std::vector<int> peer_ports;        // bridge ports known to lead to peers; sorted

  [[nodiscard]] const DevicePlan* find(int ifindex) const;
};

// remembered: peer_ports of the previous plan. Forwarding entries age out when peers are silent; a
// port once known stays chosen until another one is known or it leaves its bridge.
DevicePlans plan_devices(const KernelFacts& facts, const Topology& topology, const Config& config,
                         std::span<const int> remembered = {});

}  // namespace espial
