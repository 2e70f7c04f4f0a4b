// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "base/protocols.h"
#include "diagnose/explain/explainer.h"
#include "model/devices/device_kinds.h"

namespace espial {
namespace {

constexpr int kTunnelsMax = 4;  // IFLA_TUNNEL nesting beyond this is a loop

using PolicyKind = FlowPolicy::Kind;

}  // namespace

Packet packet_around(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol) {
  Packet packet = ping_packet(source, destination);
  packet.icmp_type.reset();
  packet.icmp_code.reset();
  packet.protocol = protocol;
  packet.iif = "";
  return packet;
}

std::uint8_t wire_protocol(const XfrmStateFact& state) {
  if (state.encapsulation == Encapsulation::kNone) return state.protocol;
  return state.encapsulation == Encapsulation::kUdp ? kProtocolUdp : kProtocolTcp;
}

bool Explainer::forward_policy() {
  if (!in_.facts.xfrm_readable) return true;  // protection() says so
  const auto found =
      policy_of(forward_, PolicyDirection::kForward, packet_, PolicyScope{from_->ifindex, false});
  if (found.kind == PolicyKind::kUnknown) return unknown(found.why);
  if (found.kind == PolicyKind::kNone && in_.facts.xfrm_defaults.block_forward)
    return end(FlowEnd::DROPPED, "dropped: no forward policy, and the default is to block");
  if (found.policy == nullptr || found.kind == PolicyKind::kClear || found.policy->level_use)
    return true;
  const auto text = "forward policy " + found.policy->text();
  say("policy", text + (found.kind == PolicyKind::kBlocked ? " blocks it" : " asks for IPsec"));
  return end(FlowEnd::DROPPED, found.kind == PolicyKind::kBlocked
                                   ? "dropped: " + text + " blocks it"
                                   : "dropped: " + text + " requires it to arrive through IPsec");
}

bool Explainer::protection(bool by_interface) {
  protect_ = {};
  if (!in_.facts.xfrm_readable) {
    return unknown(in_.facts.xfrm_reason.empty() ? "policies and SAs cannot be read"
                                                 : in_.facts.xfrm_reason);
  }
  if (packet_.family == Family::kIpv4) {
    for (const std::string& which : {std::string(kAllDevices), device_->name}) {
      const auto at = in_.sysctls.devices.find(which);
      const std::string key = "net.ipv4.conf." + which + ".disable_xfrm";
      if (at == in_.sysctls.devices.end() || !at->second.disable_xfrm_v4) {
        missing_.push_back(key + " could not be read");
      } else if (*at->second.disable_xfrm_v4) {
        say("policy", "not asked: " + key + " = 1");
        return no_policy();
      }
    }
  }
  if (by_interface && !one_interface_id())
    return unknown("policies of several XFRM interfaces, and which is " + device_->name + "'s");
  protect_ =
      protection_of(out_, states_, routes_, packet_, PolicyScope{device_->ifindex, by_interface});
  return judged(by_interface);
}

bool Explainer::one_interface_id() const {
  std::uint32_t id = 0;
  for (const auto& policy : in_.facts.policies) {
    if (policy.if_id != 0 && id != 0 && policy.if_id != id) return false;
    if (policy.if_id != 0) id = policy.if_id;
  }
  return true;
}

bool Explainer::no_policy() {
  if (!in_.facts.xfrm_defaults.block_out) return true;
  return end(FlowEnd::DROPPED, "dropped: no policy, and the default is to block");
}

bool Explainer::judged(bool by_interface) {
  const auto* policy = protect_.policy;
  switch (protect_.kind) {
    case PolicyKind::kUnknown:
      return unknown(protect_.why);
    case PolicyKind::kNone:
      say("policy", "none");
      if (by_interface)
        return end(FlowEnd::DROPPED,
                   "dropped: " + device_->name + " sends only what one of its policies matches");
      return no_policy();
    case PolicyKind::kBlocked:
      say("policy", policy->text() + " blocks it");
      return end(FlowEnd::DROPPED, "dropped: policy " + policy->text() + " blocks it");
    case PolicyKind::kClear:
      say("policy",
          policy->text() + (policy->has_template ? ": IPsec if there is an SA, and there is none"
                                                 : " passes it as it is"));
      return true;
    case PolicyKind::kHeld:
    case PolicyKind::kProtect:
      break;
  }
  const auto ends = protect_.outer_source.text() + " > " + protect_.outer_destination.text();
  say("policy", policy->text() + ": " + (policy->tunnel_mode ? "tunnel " : "transport ") + ends +
                    ", reqid " + std::to_string(policy->reqid));
  if (protect_.kind == PolicyKind::kProtect) return true;
  say("sa", "none " + ends + ": the kernel asks the key manager for one (acquire)");
  // What this node sends still meets OUTPUT: its route is a black hole (ipv4_blackhole_route()).
  return from_ == nullptr && !by_interface ? true : fails_closed();
}

bool Explainer::fails_closed() {
  return end(FlowEnd::FAIL_CLOSED, "not sent until there is an SA " + protect_.outer_source.text() +
                                       " > " + protect_.outer_destination.text());
}

std::optional<IpAddress> Explainer::masquerade_address() const {
  const bool inner = protect_.kind != PolicyKind::kProtect;
  const auto to = host_prefix(inner ? *packet_.destination : protect_.outer_destination);
  const auto* route = routes_.find(to);
  if (route == nullptr || route->preferred_source || (inner && route != route_))
    return std::nullopt;
  const auto own = routes_.source_to(to);
  return own && own->family() == packet_.family ? own : std::nullopt;
}

void Explainer::leave() {
  if (protect_.kind == PolicyKind::kProtect) return outer();
  if (device_->kind == "xfrm") {
    if (!protection(true)) return;
    if (protect_.kind == PolicyKind::kProtect) return outer();
    unknown("what " + device_->name + " turns the packet into");
    return;
  }
  if (auto flow = outer_flow(routes_, route_, packet_.family)) return tunnel(*flow);
  if (is_tunnel(*device_) || device_->kind == "tun") {
    unknown(device_->name + " is a " + device_->kind +
            " device: espial does not trace packets through it");
    return;
  }
  if (!down()) return;
  end(FlowEnd::CLEAR, "leaves in clear over " + device_->name +
                          (route_->gateway ? " to " + route_->gateway->text() : ""));
}

void Explainer::tunnel(const OuterFlow& flow) {
  if (++tunnels_ > kTunnelsMax || flow.local.unspecified()) {
    unknown("the outer packets of " + flow.text());
    return;
  }
  say("tunnel", "goes into " + flow.text());
  from_ = nullptr;
  packet_ = packet_around(flow.local, flow.remote, flow.protocol);
  if (send()) leave();
}

void Explainer::outer() {
  const auto protect = protect_;
  const auto& state = *protect.states.front();
  const bool encrypts = protect.encrypts();
  std::string sas;
  for (const auto* one : protect.states) sas += (sas.empty() ? "" : " or ") + sa_text(*one);
  if (state.null_encryption) sas += ", which encrypts nothing";
  say("sa", sas + ", " + state.source.text() + " > " + state.destination.text() + ", reqid " +
                std::to_string(state.reqid));
  packet_ = packet_around(state.source, state.destination, wire_protocol(state));
  from_ = nullptr;
  protect_ = {};
  const auto to = packet_.destination;
  if (!route() || !hook({Layer::kIp, PacketHook::kOutput})) return;
  if (packet_.destination != to && !route()) return;
  if (!hook({Layer::kIp, PacketHook::kPostrouting}) || !down()) return;
  end(encrypts ? FlowEnd::ENCRYPTED : FlowEnd::CLEAR,
      "leaves as " + sas + ", to " + packet_.destination->text() + " over " + device_->name);
}

}  // namespace espial
