// SPDX-License-Identifier: Apache-2.0
// What other nodes send (xfrm_input.c, ip_input.c, ip_forward.c): the policies say whether it has
// to come as ESP, and so how it is taken to come.
#include <utility>

#include "diagnose/explain/explainer.h"
#include "model/devices/device_kinds.h"

namespace espial {

using Kind = FlowPolicy::Kind;

void Explainer::receive() {
  const auto source = *packet_.source;
  const auto* back = routes_.find(host_prefix(source));
  from_ = back == nullptr ? nullptr : routes_.link(back->oif);
  if (from_ == nullptr) {
    unknown("the arrival device is not known: no route to " + source.text());
    return;
  }
  if (is_tunnel(*from_) || from_->kind == "xfrm" || from_->kind == "tun") {
    unknown("it arrives through " + from_->name + ", a " + from_->kind +
            " device: espial does not trace packets into it");
    return;
  }
  if (!expected()) return;
  auto inner = packet_;
  if (protect_.kind == Kind::kHeld) {
    if (!decrypt()) return;
    inner.ipsec_in = Tri::kYes;
  } else {
    arrived_ = "in clear by " + from_->name;
  }
  inner.iif = from_->name;
  inner.iif_type = from_->arphrd;
  packet_ = std::move(inner);
  // What was decrypted enters its device once more; what came in clear comes up from the wire.
  auto hooks = link_way(*from_, back->gateway.value_or(source)).up(*from_);
  if (protect_.kind == Kind::kHeld) hooks.erase(hooks.begin(), hooks.end() - 1);
  if (link_hooks(hooks)) deliver();
}

bool Explainer::expected() {
  if (!in_.facts.xfrm_readable)
    return unknown(in_.facts.xfrm_reason.empty() ? "policies and SAs cannot be read"
                                                 : in_.facts.xfrm_reason);
  const bool here = address_fact(told_.destination, false) != nullptr;
  const auto direction = here ? PolicyDirection::kIn : PolicyDirection::kForward;
  const std::string name = here ? "in policy" : "forward policy";
  protect_ = policy_of(here ? in_policies_ : forward_, direction, packet_,
                       PolicyScope{from_->ifindex, false});
  const auto& defaults = in_.facts.xfrm_defaults;
  switch (protect_.kind) {
    case Kind::kUnknown:
      return unknown(protect_.why);
    case Kind::kNone:
      say("policy", "none: cleartext is accepted");
      if (here ? defaults.block_in : defaults.block_forward)
        return end(FlowEnd::DROPPED, "dropped: no " + name + ", and the default is to block");
      return true;
    case Kind::kBlocked:
      say("policy", protect_.policy->text() + " blocks it");
      return end(FlowEnd::DROPPED,
                 "dropped: " + name + " " + protect_.policy->text() + " blocks it");
    case Kind::kClear:
      say("policy", protect_.policy->text() + " accepts it as it is");
      return true;
    case Kind::kHeld:
    case Kind::kProtect:
      break;
  }
  XfrmPolicyFact whole = *protect_.policy;
  if (whole.template_source.unspecified()) whole.template_source = *packet_.source;
  if (whole.template_destination.unspecified()) whole.template_destination = *packet_.destination;
  protect_.outer_source = whole.template_source;
  protect_.outer_destination = whole.template_destination;
  protect_.states = states_.of_template(whole).in_use;
  if (protect_.states.empty() && whole.level_use) {
    say("policy", protect_.policy->text() + ": IPsec if there is an SA, and there is none");
    protect_.kind = Kind::kClear;
    return true;
  }
  say("policy", protect_.policy->text() + ": must arrive as ESP " + protect_.outer_source.text() +
                    " > " + protect_.outer_destination.text() + ", reqid " +
                    std::to_string(protect_.policy->reqid) +
                    (whole.level_use ? ", or in clear" : "; in clear it is dropped"));
  return true;
}

bool Explainer::decrypt() {
  const std::string ends = protect_.outer_source.text() + " > " + protect_.outer_destination.text();
  if (protect_.states.empty()) {
    say("sa", "none " + ends);
    return end(FlowEnd::FAIL_CLOSED, "not accepted until there is an SA " + ends);
  }
  const auto* device = routes_.holder(host_prefix(protect_.outer_destination));
  if (device == nullptr)
    return unknown(protect_.outer_destination.text() + ", where its ESP goes, is not here");
  from_ = device;
  packet_ = packet_around(protect_.outer_source, protect_.outer_destination,
                          wire_protocol(*protect_.states.front()));
  packet_.iif = from_->name;
  packet_.iif_type = from_->arphrd;
  const auto* back = routes_.find(host_prefix(protect_.outer_source));
  const auto neighbour = back == nullptr || !back->gateway ? protect_.outer_source : *back->gateway;
  if (!link_hooks(link_way(*from_, neighbour).up(*from_)) ||
      !hook({Layer::kIp, PacketHook::kPrerouting}))
    return false;
  if (packet_.destination != protect_.outer_destination)
    return unknown("its ESP is sent elsewhere by NAT");
  packet_.oif = "";
  if (!hook({Layer::kIp, PacketHook::kInput})) return false;
  std::string sas;
  for (const auto* one : protect_.states) sas += (sas.empty() ? "" : " or ") + sa_text(*one);
  if (protect_.states.front()->null_encryption) sas += ", which encrypts nothing";
  say("sa", sas + ", " + ends);
  arrived_ = "as " + sas + " by " + from_->name;
  return true;
}

void Explainer::deliver() {
  const auto to = packet_.destination;
  const bool here = address_fact(*to, false) != nullptr;
  const auto* state = protect_.states.empty() ? nullptr : protect_.states.front();
  const auto how = state != nullptr && protect_.kind == Kind::kHeld && state->protocol == 50 &&
                           !state->null_encryption
                       ? FlowEnd::ENCRYPTED
                       : FlowEnd::CLEAR;
  if (!hook({Layer::kIp, PacketHook::kPrerouting})) return;
  if (packet_.destination != to) {
    unknown("NAT redirects it to " + packet_.destination->text());
    return;
  }
  if (here) {
    packet_.oif = "";
    if (hook({Layer::kIp, PacketHook::kInput}))
      end(how, "comes " + arrived_ + ", for this node itself");
    return;
  }
  if (!forwards() || !route() || !protection() || !hook({Layer::kIp, PacketHook::kForward}) ||
      !postrouting())
    return;
  if (protect_.kind == Kind::kProtect) {
    leave();
    return;
  }
  if (down()) end(how, "comes " + arrived_ + ", goes to the pod by " + device_->name);
}

}  // namespace espial
