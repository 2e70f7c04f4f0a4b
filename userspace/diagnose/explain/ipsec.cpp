// SPDX-License-Identifier: Apache-2.0
#include "diagnose/explain/ipsec.h"

#include <string>

namespace espial {

bool Ipsec::forward_policy() {
  if (!node_.input.facts.xfrm_readable) return true;  // protection() says so
  const auto found = policy_of(node_.forward, PolicyDirection::kForward, state_.packet,
                               PolicyScope{state_.from->ifindex, false});
  if (found.kind == FlowPolicy::Kind::kUnknown) return state_.unknown(found.why);
  if (found.kind == FlowPolicy::Kind::kNone && node_.input.facts.xfrm_defaults.block_forward)
    return state_.end(FlowEnd::DROPPED, "dropped: no forward policy, and the default is to block");
  if (found.policy == nullptr || found.kind == FlowPolicy::Kind::kClear || found.policy->level_use)
    return true;
  const auto text = "forward policy " + found.policy->text();
  state_.say("policy",
             text + (found.kind == FlowPolicy::Kind::kBlocked ? " blocks it" : " asks for IPsec"));
  return state_.end(FlowEnd::DROPPED,
                    found.kind == FlowPolicy::Kind::kBlocked
                        ? "dropped: " + text + " blocks it"
                        : "dropped: " + text + " requires it to arrive through IPsec");
}

bool Ipsec::protection(bool by_interface) {
  state_.protect = {};
  if (!node_.input.facts.xfrm_readable) {
    return state_.unknown(node_.input.facts.xfrm_reason.empty() ? "policies and SAs cannot be read"
                                                                : node_.input.facts.xfrm_reason);
  }
  if (state_.packet.family == Family::kIpv4) {
    for (const std::string& which : {std::string(kAllDevices), state_.device->name}) {
      const auto at = node_.input.sysctls.devices.find(which);
      const std::string key = "net.ipv4.conf." + which + ".disable_xfrm";
      if (at == node_.input.sysctls.devices.end() || !at->second.disable_xfrm_v4) {
        state_.missing.push_back(key + " could not be read");
      } else if (*at->second.disable_xfrm_v4) {
        state_.say("policy", "not asked: " + key + " = 1");
        return no_policy();
      }
    }
  }
  if (by_interface && !one_interface_id())
    return state_.unknown("policies of several XFRM interfaces, and which is " +
                          state_.device->name + "'s");
  state_.protect = protection_of(node_.out, node_.states, node_.routes, state_.packet,
                                 PolicyScope{state_.device->ifindex, by_interface});
  return judged(by_interface);
}

bool Ipsec::one_interface_id() const {
  std::uint32_t id = 0;
  for (const auto& policy : node_.input.facts.policies) {
    if (policy.if_id != 0 && id != 0 && policy.if_id != id) return false;
    if (policy.if_id != 0) id = policy.if_id;
  }
  return true;
}

bool Ipsec::no_policy() {
  if (!node_.input.facts.xfrm_defaults.block_out) return true;
  return state_.end(FlowEnd::DROPPED, "dropped: no policy, and the default is to block");
}

bool Ipsec::judged(bool by_interface) {
  const auto* policy = state_.protect.policy;
  switch (state_.protect.kind) {
    case FlowPolicy::Kind::kUnknown:
      return state_.unknown(state_.protect.why);
    case FlowPolicy::Kind::kNone:
      state_.say("policy", "none");
      if (by_interface)
        return state_.end(FlowEnd::DROPPED, "dropped: " + state_.device->name +
                                                " sends only what one of its policies matches");
      return no_policy();
    case FlowPolicy::Kind::kBlocked:
      state_.say("policy", policy->text() + " blocks it");
      return state_.end(FlowEnd::DROPPED, "dropped: policy " + policy->text() + " blocks it");
    case FlowPolicy::Kind::kClear:
      state_.say("policy", policy->text() + (policy->has_template
                                                 ? ": IPsec if there is an SA, and there is none"
                                                 : " passes it as it is"));
      return true;
    case FlowPolicy::Kind::kHeld:
    case FlowPolicy::Kind::kProtect:
      break;
  }
  const auto ends =
      state_.protect.outer_source.text() + " > " + state_.protect.outer_destination.text();
  state_.say("policy", policy->text() + ": " + (policy->tunnel_mode ? "tunnel " : "transport ") +
                           ends + ", reqid " + std::to_string(policy->reqid));
  if (state_.protect.kind == FlowPolicy::Kind::kProtect) return true;
  state_.say("sa", "none " + ends + ": the kernel asks the key manager for one (acquire)");
  // What this node sends still meets OUTPUT: its route is a black hole (ipv4_blackhole_route()).
  return state_.from == nullptr && !by_interface ? true : fails_closed();
}

bool Ipsec::fails_closed() {
  return state_.end(FlowEnd::FAIL_CLOSED, "not sent until there is an SA " +
                                              state_.protect.outer_source.text() + " > " +
                                              state_.protect.outer_destination.text());
}

std::optional<IpAddress> Ipsec::masquerade_address() const {
  const bool inner = state_.protect.kind != FlowPolicy::Kind::kProtect;
  const auto to =
      host_prefix(inner ? *state_.packet.destination : state_.protect.outer_destination);
  const auto* route = node_.routes.find(to);
  if (route == nullptr || route->preferred_source || (inner && route != state_.route))
    return std::nullopt;
  const auto own = node_.routes.source_to(to);
  return own && own->family() == state_.packet.family ? own : std::nullopt;
}

}  // namespace espial
