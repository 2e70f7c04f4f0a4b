// SPDX-License-Identifier: Apache-2.0
#include "diagnose/explain.h"

#include <algorithm>
#include <utility>

#include "diagnose/flow_policy.h"
#include "diagnose/outer_flow.h"
#include "diagnose/rule_walk.h"
#include "model/device_kinds.h"

namespace espial {
namespace {

constexpr int kTunnelsMax = 4;  // IFLA_TUNNEL nesting beyond this is a loop
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;

using Kind = FlowPolicy::Kind;

Prefix host(const IpAddress& address) { return {address, address.bits()}; }

std::string address_text(const std::optional<IpAddress>& address) {
  return address ? address->text() : "an address that is not known";
}

std::string packet_text(const Packet& packet) {
  return address_text(packet.source) + " > " + address_text(packet.destination);
}

Packet ping(const IpAddress& source, const IpAddress& destination) {
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

// A packet that this node makes around another one.
Packet around(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol) {
  Packet packet = ping(source, destination);
  packet.icmp_type.reset();
  packet.icmp_code.reset();
  packet.protocol = protocol;
  packet.iif = "";
  return packet;
}

class Explainer {
 public:
  Explainer(const ExplainInput& input, const IpAddress& source, const IpAddress& destination)
      : in_(input),
        routes_(input.facts),
        out_(input.facts.policies, PolicyDirection::kOut),
        forward_(input.facts.policies, PolicyDirection::kForward),
        states_(input.facts.states),
        packet_(ping(source, destination)) {
    told_.source = source;
    told_.destination = destination;
  }

  // Every stage is true while the packet is on its way.
  Explanation run() {
    if (origin() && (from_ == nullptr || arrive()) && send()) leave();
    return finish();
  }

 private:
  const AddressFact* address_fact(const IpAddress& address, bool subnet) const {
    for (const auto& fact : in_.facts.addresses) {
      if (fact.address.family() != address.family()) continue;
      if (subnet ? Prefix(fact.address, fact.prefix_length).contains(address)
                 : fact.address == address)
        return &fact;
    }
    return nullptr;
  }

  bool origin() {
    if (address_fact(told_.destination, false) != nullptr)
      return unknown(told_.destination.text() +
                     " is an address of this node: only what leaves it is followed");
    if (address_fact(told_.source, false) != nullptr) {
      packet_.iif = "";
      say("origin", "this node sends it: a ping, the first packet of its connection");
      return true;
    }
    const auto* near = address_fact(told_.source, true);
    from_ = near == nullptr ? nullptr : routes_.link(near->ifindex);
    if (from_ == nullptr)
      return unknown(told_.source.text() +
                     " is neither an address of this node nor in a subnet of its devices: ask the "
                     "node where the packet starts");
    packet_.iif = from_->name;
    packet_.iif_type = from_->arphrd;
    say("origin", "a ping comes in by " + from_->name + ", the first packet of its connection");
    return true;
  }

  // ip_rcv(), until it is known that the packet is to be forwarded.
  bool arrive() {
    if (!hook({Layer::kDevice, PacketHook::kIngress}) ||
        !hook({Layer::kIp, PacketHook::kPrerouting}))
      return false;
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

  // From the question where it goes to the last hook before its device. The policy is looked up
  // with the route, before FORWARD and OUTPUT see the packet.
  bool send() {
    if (!route()) return false;
    if (from_ != nullptr) {
      if (device_ == from_ && on_link())
        return unknown("it goes out by " + from_->name +
                       " again, where it came in, to a neighbour there: a bridge may carry it "
                       "without asking routes or rules of IP");
      return forward_policy() && protection() && hook({Layer::kIp, PacketHook::kForward}) &&
             postrouting();
    }
    return protection() && output() && postrouting();
  }

  // On a shared bridge what pods send to other nodes comes in and leaves by the same device.
  bool on_link() const {
    const auto* near = address_fact(*packet_.destination, true);
    return !route_->gateway && near != nullptr && near->ifindex == device_->ifindex;
  }

  bool route() {
    const auto answer = routes_.ask({host(*packet_.destination), host(*packet_.source), from_});
    const std::string rule = answer.rule == nullptr ? "" : " (rule " + answer.rule->text() + ")";
    switch (answer.kind) {
      case RouteAnswer::Kind::kNone:
        say("route", "none");
        return end(FlowEnd::DROPPED, "dropped: no route to " + packet_.destination->text());
      case RouteAnswer::Kind::kUnknown:
        return unknown("routing rule " + answer.why + " cannot be decided");
      case RouteAnswer::Kind::kRejected: {
        const std::string by = answer.route != nullptr ? "route " + answer.route->text()
                                                       : "rule " + answer.rule->text();
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

  // ip_forward() asks whether the packet had to come through IPsec (__xfrm_policy_check()).
  bool forward_policy() {
    if (!in_.facts.xfrm_readable) return true;  // protection() says so
    const auto found =
        policy_of(forward_, PolicyDirection::kForward, packet_, PolicyScope{from_->ifindex, false});
    if (found.kind == Kind::kUnknown) return unknown(found.why);
    if (found.kind == Kind::kNone && in_.facts.xfrm_defaults.block_forward)
      return end(FlowEnd::DROPPED, "dropped: no forward policy, and the default is to block");
    if (found.policy == nullptr || found.kind == Kind::kClear || found.policy->level_use)
      return true;
    const auto text = "forward policy " + found.policy->text();
    say("policy", text + (found.kind == Kind::kBlocked ? " blocks it" : " asks for IPsec"));
    return end(FlowEnd::DROPPED, found.kind == Kind::kBlocked
                                     ? "dropped: " + text + " blocks it"
                                     : "dropped: " + text + " wants it to come through IPsec");
  }

  bool protection(bool by_interface = false) {
    protect_ = {};
    if (!in_.facts.xfrm_readable) {
      return unknown(in_.facts.xfrm_reason.empty() ? "policies and SAs cannot be read"
                                                   : in_.facts.xfrm_reason);
    }
    if (packet_.family == Family::kIpv4) {
      const auto at = in_.sysctls.devices.find(device_->name);
      if (at == in_.sysctls.devices.end() || !at->second.disable_xfrm_v4) {
        missing_.push_back("net.ipv4.conf." + device_->name + ".disable_xfrm could not be read");
      } else if (*at->second.disable_xfrm_v4) {
        say("policy", "not asked: net.ipv4.conf." + device_->name + ".disable_xfrm = 1");
        return no_policy();
      }
    }
    if (by_interface && !one_interface_id())
      return unknown("policies of several XFRM interfaces, and which is " + device_->name + "'s");
    protect_ =
        protection_of(out_, states_, routes_, packet_, PolicyScope{device_->ifindex, by_interface});
    return judged(by_interface);
  }

  bool one_interface_id() const {
    std::uint32_t id = 0;
    for (const auto& policy : in_.facts.policies) {
      if (policy.if_id != 0 && id != 0 && policy.if_id != id) return false;
      if (policy.if_id != 0) id = policy.if_id;
    }
    return true;
  }

  bool no_policy() {
    if (!in_.facts.xfrm_defaults.block_out) return true;
    return end(FlowEnd::DROPPED, "dropped: no policy, and the default is to block");
  }

  bool judged(bool by_interface) {
    const auto* policy = protect_.policy;
    switch (protect_.kind) {
      case Kind::kUnknown:
        return unknown(protect_.why);
      case Kind::kNone:
        say("policy", "none");
        if (by_interface)
          return end(FlowEnd::DROPPED,
                     "dropped: " + device_->name + " sends nothing that no policy of it takes");
        return no_policy();
      case Kind::kBlocked:
        say("policy", policy->text() + " blocks it");
        return end(FlowEnd::DROPPED, "dropped: policy " + policy->text() + " blocks it");
      case Kind::kClear:
        say("policy", policy->text() + (policy->has_template
                                                    ? ": IPsec if there is an SA, and there is none"
                                                    : " lets it pass as it is"));
        return true;
      case Kind::kHeld:
      case Kind::kProtect:
        break;
    }
    const auto ends = protect_.outer_source.text() + " > " + protect_.outer_destination.text();
    say("policy", policy->text() + ": " + (policy->tunnel_mode ? "tunnel " : "transport ") +
                      ends + ", reqid " + std::to_string(policy->reqid));
    if (protect_.kind == Kind::kProtect) return true;
    say("sa", "none " + ends + ": the kernel asks the key manager for one (acquire)");
    // What this node sends still meets OUTPUT: its route is a black hole (ipv4_blackhole_route()).
    return from_ == nullptr && !by_interface ? true : fails_closed();
  }

  bool fails_closed() {
    return end(FlowEnd::FAIL_CLOSED, "not sent until there is an SA " + protect_.outer_source.text() +
                                  " > " + protect_.outer_destination.text());
  }

  // NAT and marks of OUTPUT: the route is asked again (ip_route_me_harder()).
  bool output() {
    const auto to = packet_.destination;
    if (!hook({Layer::kIp, PacketHook::kOutput})) return false;
    if (packet_.destination != to && !(route() && protection())) return false;
    return protect_.kind == Kind::kHeld ? fails_closed() : true;
  }

  // NAT of POSTROUTING: the policy is asked again (nf_xfrm_me_harder()).
  bool postrouting() {
    const auto from = packet_.source;
    if (!hook({Layer::kIp, PacketHook::kPostrouting})) return false;
    if (packet_.source == from) return true;
    if (!packet_.source) packet_.source = masquerade_address();
    if (!packet_.source)
      return unknown("the address that it is masqueraded to, and so what IPsec sees");
    say("nat", "from here on it is " + packet_text(packet_) + ": IPsec is asked again");
    return protection() && (protect_.kind != Kind::kHeld || fails_closed());
  }

  // The address of the device that the packet has there (inet_select_addr()): with IPsec the outer
  // route's. A preferred source of the route does not count.
  std::optional<IpAddress> masquerade_address() const {
    const bool inner = protect_.kind != Kind::kProtect;
    const auto to = host(inner ? *packet_.destination : protect_.outer_destination);
    const auto* route = routes_.find(to);
    if (route == nullptr || route->preferred_source || (inner && route != route_))
      return std::nullopt;
    const auto own = routes_.source_to(to);
    return own && own->family() == packet_.family ? own : std::nullopt;
  }

  // Walks one hook and keeps what it made of the packet.
  bool hook(const WalkStep& step) {
    place_devices(step);
    const WalkStep steps[] = {step};
    const auto walk = walk_rules(in_.ruleset, packet_, steps);
    const std::string name(to_string(step.hook));
    if (step.layer == Layer::kIp || !walk.trace.empty())
      say(name, walk.trace.empty() ? "no chain" : std::string(to_string(walk.fate)), walk.trace);
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
    packet_ = walk.packet;
    if (!packet_.destination) return unknown("where a rule of " + name + " sends it");
    return mark_is_harmless(step.hook, name);
  }

  bool unknown_rules(const Walk& walk, const std::string& name) {
    if (walk.reasons.empty()) return unknown("the rules of " + name);
    for (const auto& reason : walk.reasons)
      told_.reasons.push_back("a rule of " + name + " that is not understood: " + reason);
    return end(FlowEnd::UNKNOWN, "it cannot be told");
  }

  // With IPsec the packet's route is the outer one's (xfrm_bundle_create()).
  void place_devices(const WalkStep& step) {
    const bool before_route =
        step.hook == PacketHook::kIngress || step.hook == PacketHook::kPrerouting;
    if (before_route || device_ == nullptr) return;
    const LinkFact* device = device_;
    packet_.ipsec_out = Tri::kNo;
    if (protect_.kind == Kind::kHeld) packet_.ipsec_out = Tri::kUnknown;
    if (protect_.kind == Kind::kProtect) {
      packet_.ipsec_out = Tri::kYes;
      const auto answer =
          routes_.ask({host(protect_.outer_destination), host(protect_.outer_source), nullptr});
      device = answer.unicast() == nullptr ? nullptr : routes_.link(answer.route->oif);
    }
    packet_.oif = device == nullptr ? std::nullopt : std::optional(device->name);
    packet_.oif_type = device == nullptr ? std::nullopt : std::optional(device->arphrd);
  }

  // Routes and policies are followed for a mark of 0.
  bool mark_is_harmless(PacketHook at, const std::string& name) {
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

  void leave() {
    if (protect_.kind == Kind::kProtect) return outer();
    if (device_->kind == "xfrm") {
      if (!protection(true)) return;
      if (protect_.kind == Kind::kProtect) return outer();
      unknown("what " + device_->name + " makes of it");
      return;
    }
    if (auto flow = outer_flow(routes_, route_, packet_.family)) return tunnel(*flow);
    if (is_tunnel(*device_) || device_->kind == "tun") {
      unknown(device_->name + " is a " + device_->kind +
              " device: what it makes of packets is not followed");
      return;
    }
    if (!hook({Layer::kDevice, PacketHook::kEgress})) return;
    end(FlowEnd::CLEAR, "leaves in clear over " + device_->name +
                            (route_->gateway ? " to " + route_->gateway->text() : ""));
  }

  // ip_tunnel_xmit(): what the device makes is a packet of this node.
  void tunnel(const OuterFlow& flow) {
    if (++tunnels_ > kTunnelsMax || flow.local.unspecified()) {
      unknown("the outer packets of " + flow.text());
      return;
    }
    say("tunnel", "goes into " + flow.text());
    from_ = nullptr;
    packet_ = around(flow.local, flow.remote, flow.protocol);
    if (send()) leave();
  }

  // xfrm_output(): OUTPUT and POSTROUTING see what was made.
  void outer() {
    const auto protect = protect_;
    const auto& state = *protect.states.front();
    const bool encrypts = protect.encrypts();
    std::string sas;
    for (const auto* one : protect.states) sas += (sas.empty() ? "" : " or ") + sa_text(*one);
    if (state.null_encryption) sas += ", which encrypts nothing";
    say("sa", sas + ", " + state.source.text() + " > " + state.destination.text() + ", reqid " +
                  std::to_string(state.reqid));
    packet_ = around(state.source, state.destination, state.protocol);
    if (state.encapsulation != Encapsulation::kNone)
      packet_.protocol = state.encapsulation == Encapsulation::kUdp ? kUdp : kTcp;
    from_ = nullptr;
    protect_ = {};
    const auto to = packet_.destination;
    if (!route() || !hook({Layer::kIp, PacketHook::kOutput})) return;
    if (packet_.destination != to && !route()) return;
    if (!hook({Layer::kIp, PacketHook::kPostrouting}) ||
        !hook({Layer::kDevice, PacketHook::kEgress}))
      return;
    end(encrypts ? FlowEnd::ENCRYPTED : FlowEnd::CLEAR,
        "leaves as " + sas + ", to " + packet_.destination->text() + " over " + device_->name);
  }

  void say(std::string where, std::string what, std::vector<std::string> details = {}) {
    told_.steps.push_back(
        {std::move(where), packet_text(packet_), std::move(what), std::move(details)});
  }

  bool end(FlowEnd end, std::string conclusion) {
    told_.end = end;
    told_.conclusion = std::move(conclusion);
    return false;
  }

  bool unknown(const std::string& why) {
    told_.reasons.push_back(why);
    return end(FlowEnd::UNKNOWN, "it cannot be told");
  }

  // What was not read could still drop or rewrite the packet; what drops it does so anyway.
  Explanation finish() {
    for (const auto& line : in_.ruleset.unread) missing_.push_back("firewall: " + line);
    if (told_.end != FlowEnd::DROPPED && told_.end != FlowEnd::UNKNOWN && !missing_.empty()) {
      told_.end = FlowEnd::UNKNOWN;
      told_.conclusion = told_.conclusion +
                         ", unless what could not be read says "
                         "otherwise";
      told_.reasons = std::move(missing_);
    }
    return std::move(told_);
  }

  const ExplainInput& in_;
  RouteIndex routes_;
  PolicyIndex out_;
  PolicyIndex forward_;
  StateIndex states_;
  Packet packet_;                     // as it is now
  const LinkFact* from_ = nullptr;    // where it came in; null: this node's own
  const RouteFact* route_ = nullptr;  // of the newest question
  const LinkFact* device_ = nullptr;
  FlowPolicy protect_;
  int tunnels_ = 0;
  std::vector<std::string> missing_;
  Explanation told_;
};

}  // namespace

Explanation explain(const ExplainInput& input, const IpAddress& source,
                    const IpAddress& destination) {
  return Explainer(input, source, destination).run();
}

}  // namespace espial
