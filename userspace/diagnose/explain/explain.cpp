// SPDX-License-Identifier: Apache-2.0
#include "diagnose/explain/explain.h"

#include <algorithm>
#include <utility>

#include "diagnose/explain/explainer.h"

namespace espial {
namespace {

using PolicyKind = FlowPolicy::Kind;

std::string address_text(const std::optional<IpAddress>& address) {
  return address ? address->text() : "an address that is not known";
}

std::string packet_text(const Packet& packet) {
  return address_text(packet.source) + " > " + address_text(packet.destination);
}

}  // namespace

Packet ping_packet(const IpAddress& source, const IpAddress& destination) {
  Packet packet;
  packet.family = source.family();
  packet.source = source;
  packet.destination = destination;
  const bool v4 = packet.family == Family::kIpv4;
  packet.protocol = v4 ? 1 : 58;
  packet.icmp_type = v4 ? 8 : 128;
  packet.icmp_code = 0;
  packet.mark = 0;
  packet.ct_mark = 0;
  packet.tracking = Tracking::kNew;
  packet.ipsec_in = Tri::kNo;
  packet.ipsec_out = Tri::kNo;
  return packet;
}

Explainer::Explainer(const ExplainInput& input, const IpAddress& source,
                     const IpAddress& destination)
    : in_(input),
      routes_(input.facts),
      fib_(input.facts, routes_),
      graph_(input.facts, none_),
      out_(input.facts.policies, PolicyDirection::kOut),
      in_policies_(input.facts.policies, PolicyDirection::kIn),
      forward_(input.facts.policies, PolicyDirection::kForward),
      states_(input.facts.states),
      packet_(ping_packet(source, destination)) {
  told_.source = source;
  told_.destination = destination;
}

Explanation Explainer::run() {
  if (!origin()) return finish();
  if (from_afar_)
    receive();
  else if ((from_ == nullptr || arrive()) && send())
    leave();
  return finish();
}

const AddressFact* Explainer::address_fact(const IpAddress& address, bool subnet) const {
  for (const auto& fact : in_.facts.addresses) {
    if (fact.address.family() != address.family()) continue;
    if (subnet ? Prefix(fact.address, fact.prefix_length).contains(address)
               : fact.address == address)
      return &fact;
  }
  return nullptr;
}

bool Explainer::origin() {
  const bool here = address_fact(told_.destination, false) != nullptr;
  const bool own = address_fact(told_.source, false) != nullptr;
  const auto* near = own ? nullptr : address_fact(told_.source, true);
  if (here && (own || near != nullptr))
    return unknown(told_.destination.text() +
                   " is an address of this node: it does not go to another node");
  if (own) {
    packet_.iif = "";
    say("origin", "sent by this node: a ping, the first packet of its connection");
    return true;
  }
  if (near == nullptr && (here || address_fact(told_.destination, true) != nullptr)) {
    from_afar_ = true;
    say("origin", "sent by another node: a ping, the first packet of its connection");
    return true;
  }
  from_ = near == nullptr ? nullptr : routes_.link(near->ifindex);
  if (from_ == nullptr)
    return unknown("neither " + told_.source.text() + " nor " + told_.destination.text() +
                   " is an address of this node or in a subnet of its devices: ask the node "
                   "where the packet starts or ends");
  packet_.iif = from_->name;
  packet_.iif_type = from_->arphrd;
  say("origin", "a ping comes in through " + from_->name + ", the first packet of its connection");
  return true;
}

bool Explainer::arrive() {
  return link_hooks(link_way(*from_, told_.source).up(*from_)) &&
         hook({Layer::kIp, PacketHook::kPrerouting}) && forwards();
}

bool Explainer::forwards() {
  std::optional<bool> on = in_.sysctls.forwarding_v6;
  std::string key = "net.ipv6.conf.all.forwarding";
  if (packet_.family == Family::kIpv4) {
    const auto at = in_.sysctls.devices.find(from_->name);
    on = at == in_.sysctls.devices.end() ? std::nullopt : at->second.forwarding_v4;
    key = "net.ipv4.conf." + from_->name + ".forwarding";
  }
  if (!on) missing_.push_back(key + " could not be read");
  if (on == false)
    return end(FlowEnd::DROPPED, "dropped: this node does not forward, " + key + " = 0");
  return true;
}

bool Explainer::send() {
  if (!route()) return false;
  if (from_ != nullptr) {
    if (device_ == from_ && on_link())
      return unknown("it leaves through " + from_->name +
                     " again, where it came in, to a neighbour there: a bridge may carry it "
                     "without asking routes or rules of IP");
    return forward_policy() && protection() && hook({Layer::kIp, PacketHook::kForward}) &&
           postrouting();
  }
  return protection() && output() && postrouting();
}

bool Explainer::on_link() const {
  const auto* near = address_fact(*packet_.destination, true);
  return !route_->gateway && near != nullptr && near->ifindex == device_->ifindex;
}

bool Explainer::route() {
  const auto answer =
      routes_.ask({host_prefix(*packet_.destination), host_prefix(*packet_.source), from_});
  const std::string rule = answer.rule == nullptr ? "" : " (rule " + answer.rule->text() + ")";
  switch (answer.kind) {
    case RouteAnswer::Kind::kNone:
      say("route", "none");
      return end(FlowEnd::DROPPED, "dropped: no route to " + packet_.destination->text());
    case RouteAnswer::Kind::kUnknown:
      return unknown("routing rule " + answer.why + " cannot be decided");
    case RouteAnswer::Kind::kRejected: {
      const std::string by =
          answer.route != nullptr ? "route " + answer.route->text() : "rule " + answer.rule->text();
      say("route", "rejected by " + by);
      return end(FlowEnd::DROPPED, "dropped: rejected by " + by);
    }
    case RouteAnswer::Kind::kRoute:
      break;
  }
  route_ = answer.route;
  device_ = routes_.link(route_->oif);
  if (device_ == nullptr) return unknown("route " + route_->text() + ": its device is not known");
  say("route", route_->text() + " dev " + device_->name + rule);
  return true;
}

bool Explainer::output() {
  const auto to = packet_.destination;
  if (!hook({Layer::kIp, PacketHook::kOutput})) return false;
  if (packet_.destination != to && !(route() && protection())) return false;
  return protect_.kind == PolicyKind::kHeld ? fails_closed() : true;
}

bool Explainer::postrouting() {
  const auto from = packet_.source;
  if (!hook({Layer::kIp, PacketHook::kPostrouting})) return false;
  if (packet_.source == from) return true;
  if (!packet_.source) packet_.source = masquerade_address();
  if (!packet_.source)
    return unknown("the address that it is masqueraded to, and so what IPsec sees");
  say("nat",
      "from here on the packet is " + packet_text(packet_) + ": the IPsec lookup is repeated");
  return protection() && (protect_.kind != PolicyKind::kHeld || fails_closed());
}

bool Explainer::hook(const WalkStep& step) {
  place_devices(step);
  const WalkStep steps[] = {step};
  const auto walk = walk_rules(in_.ruleset, packet_, steps, &fib_);
  const std::string name(to_string(step.hook));
  say(name, walk.trace.empty() ? "no chain" : std::string(to_string(walk.fate)), walk.trace);
  if (!walked(walk, name)) return false;
  packet_ = walk.packet;
  if (!packet_.destination) return unknown("where a rule of " + name + " sends it");
  return mark_is_harmless(step.hook, name);
}

bool Explainer::walked(const Walk& walk, const std::string& name) {
  const auto by = [&] {
    std::string text;
    for (const auto& culprit : walk.culprits)
      text.append(text.empty() ? "" : " or ").append(culprit.text());
    return text;
  };
  switch (walk.fate) {
    case Fate::kDropped:
    case Fate::kRejected:
      return end(FlowEnd::DROPPED,
                 std::string(to_string(walk.fate)) + " in " + name + " by " + by());
    case Fate::kQueued:
    case Fate::kStolen:
      return unknown(std::string(to_string(walk.fate)) + " in " + name + " by " + by());
    case Fate::kUnknown:
      return unknown_rules(walk, name);
    case Fate::kPassed:
    case Fate::kRerouted:
      break;
  }
  if (walk.source_nat == Tri::kUnknown || walk.destination_nat == Tri::kUnknown)
    return unknown_rules(walk, name);
  return true;
}

bool Explainer::link_hooks(const std::vector<LinkHook>& hooks) {
  for (const auto& hook : hooks) {
    for (const auto& step : hook.steps) {
      const WalkStep steps[] = {step};
      const auto walk = walk_rules(in_.ruleset, hook.seen(packet_), steps, &fib_);
      if (walk.trace.empty()) continue;
      const auto* of = hook.bridge != nullptr ? hook.bridge : hook.device;
      const std::string name = std::string(to_string(step.hook)) +
                               (hook.bridge != nullptr ? " of bridge " : " of ") + of->name;
      say(name, std::string(to_string(walk.fate)), walk.trace);
      if (hook.maybe && walk.fate != Fate::kPassed)
        return unknown("does it take " + of->name + "? Rules there block it");
      if (!walked(walk, name)) return false;
      if (walk.packet.source != packet_.source || walk.packet.destination != packet_.destination)
        return unknown("a rule of " + name + " rewrites its addresses");
      packet_.mark = walk.packet.mark;
    }
  }
  return true;
}

LinkWay Explainer::link_way(const LinkFact& device, const IpAddress& neighbour) const {
  return {graph_, [this, &device, neighbour](const LinkFact& bridge) {
            const auto* port = port_to(in_.facts, graph_, bridge, device, neighbour);
            return port == nullptr ? graph_.ports(bridge.ifindex) : std::vector{port};
          }};
}

bool Explainer::down() {
  return link_hooks(
      link_way(*device_, route_->gateway.value_or(*packet_.destination)).down(*device_));
}

bool Explainer::unknown_rules(const Walk& walk, const std::string& name) {
  if (walk.reasons.empty()) return unknown("the rules of " + name);
  for (const auto& reason : walk.reasons)
    told_.reasons.push_back("a rule of " + name + " that espial does not understand: " + reason);
  return end(FlowEnd::UNKNOWN, "not known");
}

void Explainer::place_devices(const WalkStep& step) {
  const bool before_route =
      step.hook == PacketHook::kIngress || step.hook == PacketHook::kPrerouting;
  if (before_route || device_ == nullptr) return;
  const LinkFact* device = device_;
  packet_.ipsec_out = Tri::kNo;
  if (protect_.kind == PolicyKind::kHeld) packet_.ipsec_out = Tri::kUnknown;
  if (protect_.kind == PolicyKind::kProtect) {
    packet_.ipsec_out = Tri::kYes;
    const auto answer = routes_.ask(
        {host_prefix(protect_.outer_destination), host_prefix(protect_.outer_source), nullptr});
    device = answer.unicast() == nullptr ? nullptr : routes_.link(answer.route->oif);
  }
  packet_.oif = device == nullptr ? std::nullopt : std::optional(device->name);
  packet_.oif_type = device == nullptr ? std::nullopt : std::optional(device->arphrd);
}

bool Explainer::mark_is_harmless(PacketHook at, const std::string& name) {
  if (packet_.mark == 0u) return true;
  if (at != PacketHook::kPrerouting && at != PacketHook::kOutput) return true;
  const auto& rules = in_.facts.rules;
  const auto& policies = in_.facts.policies;
  const bool asked = std::any_of(rules.begin(), rules.end(),
                                 [](const auto& rule) { return rule.mark_mask != 0; }) ||
                     std::any_of(policies.begin(), policies.end(),
                                 [](const auto& policy) { return policy.mark.mask != 0; });
  if (!asked) return true;
  return unknown("a rule of " + name + " marks it, and a routing rule or policy asks for marks");
}

void Explainer::say(std::string where, std::string what, std::vector<std::string> details) {
  told_.steps.push_back(
      {std::move(where), packet_text(packet_), std::move(what), std::move(details)});
}

bool Explainer::end(FlowEnd end, std::string conclusion) {
  told_.end = end;
  told_.conclusion = std::move(conclusion);
  return false;
}

bool Explainer::unknown(const std::string& why) {
  told_.reasons.push_back(why);
  return end(FlowEnd::UNKNOWN, "not known");
}

void Explainer::enforce() {
  if (told_.end != FlowEnd::CLEAR) return;
  const auto& far = from_afar_ ? told_.source : told_.destination;
  const auto& enforced = in_.enforced;
  const auto at = std::find_if(enforced.begin(), enforced.end(), [&](const EnforcedSubnet& subnet) {
    return subnet.prefix.contains(far);
  });
  if (at == enforced.end()) return;
  say("espial", at->peer + " is in enforce: cleartext is dropped at the wire device");
  if (in_.exempting) {
    unknown("is it one of the exemptions of enforce?");
    return;
  }
  end(FlowEnd::DROPPED,
      "dropped by espial: " + at->peer + " is in enforce; otherwise it " + told_.conclusion);
}

Explanation Explainer::finish() {
  enforce();
  for (const auto& line : in_.ruleset.unread) missing_.push_back("firewall: " + line);
  if (told_.end != FlowEnd::DROPPED && told_.end != FlowEnd::UNKNOWN && !missing_.empty()) {
    told_.end = FlowEnd::UNKNOWN;
    told_.conclusion = told_.conclusion + ", unless something that could not be read changes this";
    told_.reasons = std::move(missing_);
  }
  return std::move(told_);
}

Explanation explain(const ExplainInput& input, const IpAddress& source,
                    const IpAddress& destination) {
  return Explainer(input, source, destination).run();
}

}  // namespace espial
