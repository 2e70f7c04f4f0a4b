// SPDX-License-Identifier: Apache-2.0
#include "frames/host_engine.h"

#include <algorithm>

#include "kernel/prefix_key.h"

namespace espial::frames {
namespace {

ep_role role_number(Role role) {
  switch (role) {
    case Role::kNone:
      return EP_ROLE_NONE;
    case Role::kSelfUnderlay:
      return EP_ROLE_SELF_UNDERLAY;
    case Role::kSelfBackend:
      return EP_ROLE_SELF_BACKEND;
    case Role::kPeerUnderlay:
      return EP_ROLE_PEER_UNDERLAY;
    case Role::kPeerBackend:
      return EP_ROLE_PEER_BACKEND;
    case Role::kNetwork:
      return EP_ROLE_NETWORK;
  }
  return EP_ROLE_NONE;
}

std::vector<ep_sa_key> sa_keys(const World& world) {
  std::vector<ep_sa_key> keys;
  for (const auto& [destination, spi] : world.sas) {
    const auto key = key_of(destination);
    keys.push_back({key.hi, key.lo, spi, 0});
  }
  return keys;
}

}  // namespace

TableSpec table_spec(const World& world) {
  TableSpec spec;
  for (const RoleEntry& entry : world.roles)
    spec.entries.push_back(
        {entry.prefix, role_number(entry.role), entry.peer, entry.subnet, true, entry.mode});
  for (const VlanEntry& entry : world.vlans) {
    const bool ours = entry.action == VlanAction::kOurs;
    spec.vlans.push_back(
        {static_cast<int>(kIfindex), entry.vid, ours ? EP_VLAN_OURS : EP_VLAN_CLAIMED});
  }
  spec.integrity_spis = world.null_spis;
  spec.spi_proof = !world.sas.empty();
  for (const auto& [reason, mode] : world.limits)
    spec.limits[static_cast<std::size_t>(reason)] = mode;
  for (const Exempt& rule : world.exempt)
    spec.exemptions.push_back({rule.prefix, rule.protocol.value_or(0), rule.port.value_or(0)});
  return spec;
}

TableImage::TableImage(const World& world)
    : capacity_(TableCapacity::for_peers(16)),
      block_(build_table(table_spec(world), capacity_).value().block),
      modes_(world.modes),
      sas_(sa_keys(world)) {}

Mode TableImage::mode(std::uint32_t peer) const {
  const auto found = modes_.find(peer);
  return found == modes_.end() ? Mode::MONITOR : found->second;
}

ep_table TableImage::table() const {
  return {reinterpret_cast<const ep_table_head*>(block_.data()), capacity_.slots};
}

HostVerdict judge_on_host(const TableImage& image, const Input& input, std::size_t on_wire) {
  const ep_table table = image.table();
  ep_packet packet{};
  const auto captured = static_cast<__u32>(input.bytes.size());
  const __u32 how = (input.direction == Direction::TRANSMIT ? EP_HOW_TRANSMIT : 0U) |
                    (input.link == LinkKind::kRaw ? EP_HOW_RAW : 0U);
  const auto sas = image.sas();
  const ep_verdict v = ep_host_judge(
      &table, input.bytes.data(), captured, std::max(captured, static_cast<__u32>(on_wire)), how,
      static_cast<__u16>(input.metadata_tci.value_or(0) & 0xfff), kIfindex, &sas, &packet);
  HostVerdict out;
  out.length = packet.ip.len;
  out.headers = ep_header_len(&packet);
  out.starved = packet.starved != 0;
  if ((v.flags & EP_VERDICT_SKIP) != 0) {
    out.verdict.counted = false;
    return out;
  }
  out.verdict.klass = static_cast<Class>(v.class_);
  out.verdict.outcome = static_cast<Outcome>(packet.outcome);
  out.verdict.peer = v.peer;
  out.verdict.subnet = v.subnet;
  out.fate = static_cast<Mode>(
      ep_host_enforce(&table, &packet, &v, static_cast<ep_policy_t>(image.mode(v.peer)), 0));
  out.verdict.family = packet.ip.family == EP_FAMILY_IPV6 ? Family::kIpv6 : Family::kIpv4;
  return out;
}

}  // namespace espial::frames
