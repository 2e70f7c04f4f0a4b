// SPDX-License-Identifier: Apache-2.0
#include "diagnose/explain/arrival.h"

#include <optional>
#include <string>
#include <utility>

#include "model/devices/device_kinds.h"

namespace espial {

bool Arrival::arrive() {
  return hooks_.link_hooks(hooks_.link_way(*state_.from, state_.told.source).up(*state_.from)) &&
         hooks_.hook({Layer::kIp, PacketHook::kPrerouting}) && forwards();
}

bool Arrival::forwards() {
  std::optional<bool> on = node_.input.sysctls.forwarding_v6;
  std::string key = "net.ipv6.conf.all.forwarding";
  if (state_.packet.family == Family::kIpv4) {
    const auto at = node_.input.sysctls.devices.find(state_.from->name);
    on = at == node_.input.sysctls.devices.end() ? std::nullopt : at->second.forwarding_v4;
    key = "net.ipv4.conf." + state_.from->name + ".forwarding";
  }
  if (!on) state_.missing.push_back(key + " could not be read");
  if (on == false)
    return state_.end(FlowEnd::DROPPED, "dropped: this node does not forward, " + key + " = 0");
  return true;
}

void Arrival::receive() {
  const auto source = *state_.packet.source;
  const auto* back = node_.routes.find(host_prefix(source));
  state_.from = back == nullptr ? nullptr : node_.routes.link(back->oif);
  if (state_.from == nullptr) {
    state_.unknown("the arrival device is not known: no route to " + source.text());
    return;
  }
  if (is_tunnel(*state_.from) || state_.from->kind == "xfrm" || state_.from->kind == "tun") {
    state_.unknown("it arrives through " + state_.from->name + ", a " + state_.from->kind +
                   " device: espial does not trace packets into it");
    return;
  }
  if (!expected()) return;
  auto inner = state_.packet;
  if (state_.protect.kind == FlowPolicy::Kind::kHeld) {
    if (!decrypt()) return;
    inner.ipsec_in = Tri::kYes;
  } else {
    state_.arrived = "in clear by " + state_.from->name;
  }
  inner.iif = state_.from->name;
  inner.iif_type = state_.from->arphrd;
  state_.packet = std::move(inner);
  // What was decrypted enters its device once more; what came in clear comes up from the wire.
  auto hooks = hooks_.link_way(*state_.from, back->gateway.value_or(source)).up(*state_.from);
  if (state_.protect.kind == FlowPolicy::Kind::kHeld) hooks.erase(hooks.begin(), hooks.end() - 1);
  if (hooks_.link_hooks(hooks)) deliver();
}

bool Arrival::expected() {
  if (!node_.input.facts.xfrm_readable)
    return state_.unknown(node_.input.facts.xfrm_reason.empty() ? "policies and SAs cannot be read"
                                                                : node_.input.facts.xfrm_reason);
  const bool here = node_.address_fact(state_.told.destination, false) != nullptr;
  const auto direction = here ? PolicyDirection::kIn : PolicyDirection::kForward;
  const std::string name = here ? "in policy" : "forward policy";
  state_.protect = policy_of(here ? node_.in : node_.forward, direction, state_.packet,
                             PolicyScope{state_.from->ifindex, false});
  const auto& defaults = node_.input.facts.xfrm_defaults;
  switch (state_.protect.kind) {
    case FlowPolicy::Kind::kUnknown:
      return state_.unknown(state_.protect.why);
    case FlowPolicy::Kind::kNone:
      state_.say("policy", "none: cleartext is accepted");
      if (here ? defaults.block_in : defaults.block_forward)
        return state_.end(FlowEnd::DROPPED,
                          "dropped: no " + name + ", and the default is to block");
      return true;
    case FlowPolicy::Kind::kBlocked:
      state_.say("policy", state_.protect.policy->text() + " blocks it");
      return state_.end(FlowEnd::DROPPED,
                        "dropped: " + name + " " + state_.protect.policy->text() + " blocks it");
    case FlowPolicy::Kind::kClear:
      state_.say("policy", state_.protect.policy->text() + " accepts it as it is");
      return true;
    case FlowPolicy::Kind::kHeld:
    case FlowPolicy::Kind::kProtect:
      break;
  }
  XfrmPolicyFact whole = *state_.protect.policy;
  if (whole.template_source.unspecified()) whole.template_source = *state_.packet.source;
  if (whole.template_destination.unspecified())
    whole.template_destination = *state_.packet.destination;
  state_.protect.outer_source = whole.template_source;
  state_.protect.outer_destination = whole.template_destination;
  state_.protect.states = node_.states.of_template(whole).in_use;
  if (state_.protect.states.empty() && whole.level_use) {
    state_.say("policy",
               state_.protect.policy->text() + ": IPsec if there is an SA, and there is none");
    state_.protect.kind = FlowPolicy::Kind::kClear;
    return true;
  }
  state_.say("policy", state_.protect.policy->text() + ": must arrive as ESP " +
                           state_.protect.outer_source.text() + " > " +
                           state_.protect.outer_destination.text() + ", reqid " +
                           std::to_string(state_.protect.policy->reqid) +
                           (whole.level_use ? ", or in clear" : "; in clear it is dropped"));
  return true;
}

bool Arrival::decrypt() {
  const std::string ends =
      state_.protect.outer_source.text() + " > " + state_.protect.outer_destination.text();
  if (state_.protect.states.empty()) {
    state_.say("sa", "none " + ends);
    return state_.end(FlowEnd::FAIL_CLOSED, "not accepted until there is an SA " + ends);
  }
  const auto* device = node_.routes.holder(host_prefix(state_.protect.outer_destination));
  if (device == nullptr)
    return state_.unknown(state_.protect.outer_destination.text() +
                          ", where its ESP goes, is not here");
  state_.from = device;
  state_.packet = packet_around(state_.protect.outer_source, state_.protect.outer_destination,
                                wire_protocol(*state_.protect.states.front()));
  state_.packet.iif = state_.from->name;
  state_.packet.iif_type = state_.from->arphrd;
  const auto* back = node_.routes.find(host_prefix(state_.protect.outer_source));
  const auto neighbour =
      back == nullptr || !back->gateway ? state_.protect.outer_source : *back->gateway;
  if (!hooks_.link_hooks(hooks_.link_way(*state_.from, neighbour).up(*state_.from)) ||
      !hooks_.hook({Layer::kIp, PacketHook::kPrerouting}))
    return false;
  if (state_.packet.destination != state_.protect.outer_destination)
    return state_.unknown("its ESP is sent elsewhere by NAT");
  state_.packet.oif = "";
  if (!hooks_.hook({Layer::kIp, PacketHook::kInput})) return false;
  std::string sas;
  for (const auto* one : state_.protect.states) sas += (sas.empty() ? "" : " or ") + sa_text(*one);
  if (state_.protect.states.front()->null_encryption) sas += ", which encrypts nothing";
  state_.say("sa", sas + ", " + ends);
  state_.arrived = "as " + sas + " by " + state_.from->name;
  return true;
}

void Arrival::deliver() {
  const auto to = state_.packet.destination;
  const bool here = node_.address_fact(*to, false) != nullptr;
  const auto* state = state_.protect.states.empty() ? nullptr : state_.protect.states.front();
  const auto how = state != nullptr && state_.protect.kind == FlowPolicy::Kind::kHeld &&
                           state->protocol == 50 && !state->null_encryption
                       ? FlowEnd::ENCRYPTED
                       : FlowEnd::CLEAR;
  if (!hooks_.hook({Layer::kIp, PacketHook::kPrerouting})) return;
  if (state_.packet.destination != to) {
    state_.unknown("NAT redirects it to " + state_.packet.destination->text());
    return;
  }
  if (here) {
    state_.packet.oif = "";
    if (hooks_.hook({Layer::kIp, PacketHook::kInput}))
      state_.end(how, "comes " + state_.arrived + ", for this node itself");
    return;
  }
  if (!forwards() || !departure_.route() || !ipsec_.protection() ||
      !hooks_.hook({Layer::kIp, PacketHook::kForward}) || !departure_.postrouting())
    return;
  if (state_.protect.kind == FlowPolicy::Kind::kProtect) {
    departure_.leave();
    return;
  }
  if (departure_.down())
    state_.end(how, "comes " + state_.arrived + ", goes to the pod by " + state_.device->name);
}

}  // namespace espial
