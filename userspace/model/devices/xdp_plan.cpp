// SPDX-License-Identifier: Apache-2.0
#include "model/devices/xdp_plan.h"

#include <algorithm>

namespace espial {
namespace {

const LinkFact* find_link(const KernelFacts& facts, int ifindex) {
  const auto it = std::find_if(facts.links.begin(), facts.links.end(),
                               [&](const LinkFact& link) { return link.ifindex == ifindex; });
  return it == facts.links.end() ? nullptr : &*it;
}

// The state does not always say which device works for it, so one is enough against all.
bool packet_offload(const KernelFacts& facts) {
  return std::any_of(facts.states.begin(), facts.states.end(),
                     [](const XfrmStateFact& state) { return state.offload_packet; });
}

// Of a VLAN device over a wire device the parent's program decides: it matches the VID.
bool on_parent(const DevicePlan& device, const std::vector<DevicePlan>& devices,
               const KernelFacts& facts) {
  const LinkFact* link = find_link(facts, device.ifindex);
  if (!link || link->kind != "vlan" || link->lower_elsewhere) return false;
  return std::any_of(devices.begin(), devices.end(), [&](const DevicePlan& other) {
    return other.ifindex == link->lower && other.role != DeviceRole::kReentry;
  });
}

std::string obstacle(const DevicePlan& device, const KernelFacts& facts, XdpChoice choice) {
  const LinkFact* link = find_link(facts, device.ifindex);
  if (!link) return "the device is gone";
  if (!device.ethernet) return "frames have no Ethernet header";
  if (!facts.xfrm_readable) return "SAs cannot be read: packet offload cannot be ruled out";
  if (packet_offload(facts))
    return "an SA is in packet offload: XDP would see its packets in clear";
  if (link->kind == "veth" && choice == XdpChoice::kRequire) return {};
  if (link->kind == "veth") return "native XDP disables segmentation offload on a veth";
  if (link->kind.empty() || link->kind == "tun") return {};
  return "a " + link->kind + " is not a port: its XDP would see decrypted packets";
}

}  // namespace

std::vector<XdpPlan> plan_xdp(const std::vector<DevicePlan>& devices, const KernelFacts& facts,
                              XdpChoice choice) {
  std::vector<XdpPlan> plans;
  if (choice == XdpChoice::kOff) return plans;
  for (const DevicePlan& device : devices)
    if (device.role != DeviceRole::kReentry && !on_parent(device, devices, facts))
      plans.push_back({device.ifindex, device.name, choice == XdpChoice::kRequire,
                       obstacle(device, facts, choice)});
  return plans;
}

}  // namespace espial
