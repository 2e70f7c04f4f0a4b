// SPDX-License-Identifier: Apache-2.0
#include "diagnose/lookup/flow_policy.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <tuple>

#include "base/protocols.h"

namespace espial {
namespace {

bool selects_ports(std::uint8_t protocol) {
  return protocol == 6 || protocol == 17 || protocol == 132 || protocol == 136;
}

// What a selector compares with its ports; nothing: not known.
std::optional<int> selector_number(const auto& field) {
  return field ? std::optional(static_cast<int>(*field)) : std::nullopt;
}

Tri port_fits(const PortMatch& match, std::optional<int> port) {
  if (match.mask == 0) return Tri::kYes;
  if (!port) return Tri::kUnknown;
  return ((*port ^ match.value) & match.mask) == 0 ? Tri::kYes : Tri::kNo;
}

// xfrm_flowi_sport(), xfrm_flowi_dport(): of ICMP the type and the code.
Tri slice_fits(const XfrmPolicyFact& policy, const Packet& packet) {
  if (policy.protocol != 0 && policy.protocol != packet.protocol) return Tri::kNo;
  std::optional<int> from = 0;
  std::optional<int> to = 0;
  if (packet.protocol == 1 || packet.protocol == 58) {
    from = selector_number(packet.icmp_type);
    to = selector_number(packet.icmp_code);
  } else if (selects_ports(packet.protocol.value_or(0))) {
    from = selector_number(packet.source_port);
    to = selector_number(packet.destination_port);
  } else if (policy.source_port.mask != 0 || policy.destination_port.mask != 0) {
    return Tri::kUnknown;  // the key of GRE, the type of MH: not known here
  }
  const Tri source = port_fits(policy.source_port, from);
  const Tri destination = port_fits(policy.destination_port, to);
  if (source == Tri::kNo || destination == Tri::kNo) return Tri::kNo;
  return source == Tri::kYes && destination == Tri::kYes ? Tri::kYes : Tri::kUnknown;
}

auto order(const XfrmPolicyFact* policy) {
  return std::tie(policy->priority, policy->added, policy->index);
}

FlowPolicy::Kind policy_kind(const XfrmPolicyFact& policy) {
  if (!policy.allow) return FlowPolicy::Kind::kBlocked;
  return policy.has_template ? FlowPolicy::Kind::kHeld : FlowPolicy::Kind::kClear;
}

}  // namespace

bool FlowPolicy::encrypts() const {
  return kind == Kind::kProtect && std::all_of(states.begin(), states.end(), [](const auto* state) {
           return state->protocol == kProtocolEsp && !state->null_encryption;
         });
}

std::string sa_text(const XfrmStateFact& state) {
  char spi[16];
  std::snprintf(spi, sizeof spi, "0x%08x", state.spi);
  return protocol_text(state.protocol) + " SPI " + spi;
}

FlowPolicy policy_of(const PolicyIndex& index, PolicyDirection direction, const Packet& packet,
                     const PolicyScope& scope) {
  const bool out = direction == PolicyDirection::kOut;
  const auto& own = out ? packet.source : packet.destination;
  const auto& theirs = out ? packet.destination : packet.source;
  FlowPolicy found;
  // Two hosts cannot be cut into pieces.
  const auto decision = index.decide(host_prefix(*own), host_prefix(*theirs), scope);
  if (!decision.pieces.empty()) found.policy = decision.pieces.front().policy;
  const XfrmPolicyFact* perhaps = nullptr;
  for (const auto* slice : decision.slices) {
    const Tri fits = slice_fits(*slice, packet);
    auto& best = fits == Tri::kYes ? found.policy : perhaps;
    if (fits != Tri::kNo && (best == nullptr || order(slice) < order(best))) best = slice;
  }
  if (perhaps != nullptr && (found.policy == nullptr || order(perhaps) < order(found.policy))) {
    found.kind = FlowPolicy::Kind::kUnknown;
    found.why = "policy " + perhaps->text() + " asks for ports";
  } else if (found.policy != nullptr) {
    found.kind = policy_kind(*found.policy);
  }
  return found;
}

FlowPolicy protection_of(const PolicyIndex& out, const StateIndex& states, const RouteIndex& routes,
                         const Packet& packet, const PolicyScope& scope) {
  auto found = policy_of(out, PolicyDirection::kOut, packet, scope);
  if (found.kind != FlowPolicy::Kind::kHeld) return found;
  XfrmPolicyFact whole = *found.policy;
  // A template in transport mode has the packet's own ends; one of a tunnel may leave out its own.
  if (whole.template_destination.unspecified()) whole.template_destination = *packet.destination;
  if (whole.template_source.unspecified() && !whole.tunnel_mode)
    whole.template_source = *packet.source;
  if (whole.template_source.unspecified())
    whole.template_source =
        routes.source_to(host_prefix(whole.template_destination)).value_or(whole.template_source);
  found.outer_source = whole.template_source;
  found.outer_destination = whole.template_destination;
  found.states = states.of_template(whole).in_use;
  if (!found.states.empty())
    found.kind = FlowPolicy::Kind::kProtect;
  else if (whole.level_use)
    found.kind = FlowPolicy::Kind::kClear;
  return found;
}

}  // namespace espial
