// SPDX-License-Identifier: Apache-2.0
// Which wire devices get the XDP accelerator, and why others do not. Pure.
#pragma once

#include <string>
#include <vector>

#include "model/config.h"
#include "model/devices/devices.h"
#include "model/facts/facts.h"

namespace espial {

struct XdpPlan {
  int ifindex = 0;
  std::string name;
  bool required = false;
  std::string obstacle;  // why it stays on tc alone; empty: attach
  bool operator==(const XdpPlan&) const = default;
};

// One entry per wire device, in the order of `devices`; none when the choice is off. Native mode on
// ports only: on a bridge or a VLAN device XDP would be generic and see decrypted packets. A VLAN
// device over another wire device has no entry: the program of that one matches its VID.
std::vector<XdpPlan> plan_xdp(const std::vector<DevicePlan>& devices, const KernelFacts& facts,
                              XdpChoice choice);

}  // namespace espial
