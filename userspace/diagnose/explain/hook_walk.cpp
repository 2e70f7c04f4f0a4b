// SPDX-License-Identifier: Apache-2.0
#include "diagnose/explain/hook_walk.h"

#include <algorithm>

namespace espial {

bool HookWalk::hook(const WalkStep& step) {
  place_devices(step);
  const WalkStep steps[] = {step};
  const auto walk = walk_rules(node_.input.ruleset, state_.packet, steps, &node_.fib);
  const std::string name(to_string(step.hook));
  state_.say(name, walk.trace.empty() ? "no chain" : std::string(to_string(walk.fate)), walk.trace);
  if (!walked(walk, name)) return false;
  state_.packet = walk.packet;
  if (!state_.packet.destination) return state_.unknown("where a rule of " + name + " sends it");
  return mark_is_harmless(step.hook, name);
}

bool HookWalk::walked(const Walk& walk, const std::string& name) {
  const auto by = [&] {
    std::string text;
    for (const auto& culprit : walk.culprits)
      text.append(text.empty() ? "" : " or ").append(culprit.text());
    return text;
  };
  switch (walk.fate) {
    case Fate::kDropped:
    case Fate::kRejected:
      return state_.end(FlowEnd::DROPPED,
                        std::string(to_string(walk.fate)) + " in " + name + " by " + by());
    case Fate::kQueued:
    case Fate::kStolen:
      return state_.unknown(std::string(to_string(walk.fate)) + " in " + name + " by " + by());
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

bool HookWalk::link_hooks(const std::vector<LinkHook>& hooks) {
  for (const auto& hook : hooks) {
    for (const auto& step : hook.steps) {
      const WalkStep steps[] = {step};
      const auto walk =
          walk_rules(node_.input.ruleset, hook.seen(state_.packet), steps, &node_.fib);
      if (walk.trace.empty()) continue;
      const auto* of = hook.bridge != nullptr ? hook.bridge : hook.device;
      const std::string name = std::string(to_string(step.hook)) +
                               (hook.bridge != nullptr ? " of bridge " : " of ") + of->name;
      state_.say(name, std::string(to_string(walk.fate)), walk.trace);
      if (hook.maybe && walk.fate != Fate::kPassed)
        return state_.unknown("does it take " + of->name + "? Rules there block it");
      if (!walked(walk, name)) return false;
      if (walk.packet.source != state_.packet.source ||
          walk.packet.destination != state_.packet.destination)
        return state_.unknown("a rule of " + name + " rewrites its addresses");
      state_.packet.mark = walk.packet.mark;
    }
  }
  return true;
}

LinkWay HookWalk::link_way(const LinkFact& device, const IpAddress& neighbour) const {
  return {node_.graph, [this, &device, neighbour](const LinkFact& bridge) {
            const auto* port = port_to(node_.input.facts, node_.graph, bridge, device, neighbour);
            return port == nullptr ? node_.graph.ports(bridge.ifindex) : std::vector{port};
          }};
}

bool HookWalk::unknown_rules(const Walk& walk, const std::string& name) {
  if (walk.reasons.empty()) return state_.unknown("the rules of " + name);
  for (const auto& reason : walk.reasons)
    state_.told.reasons.push_back("a rule of " + name +
                                  " that espial does not understand: " + reason);
  return state_.end(FlowEnd::UNKNOWN, "not known");
}

void HookWalk::place_devices(const WalkStep& step) {
  const bool before_route =
      step.hook == PacketHook::kIngress || step.hook == PacketHook::kPrerouting;
  if (before_route || state_.device == nullptr) return;
  const LinkFact* device = state_.device;
  state_.packet.ipsec_out = Tri::kNo;
  if (state_.protect.kind == FlowPolicy::Kind::kHeld) state_.packet.ipsec_out = Tri::kUnknown;
  if (state_.protect.kind == FlowPolicy::Kind::kProtect) {
    state_.packet.ipsec_out = Tri::kYes;
    const auto answer = node_.routes.ask({host_prefix(state_.protect.outer_destination),
                                          host_prefix(state_.protect.outer_source), nullptr});
    device = answer.unicast() == nullptr ? nullptr : node_.routes.link(answer.route->oif);
  }
  state_.packet.oif = device == nullptr ? std::nullopt : std::optional(device->name);
  state_.packet.oif_type = device == nullptr ? std::nullopt : std::optional(device->arphrd);
}

bool HookWalk::mark_is_harmless(PacketHook at, const std::string& name) {
  if (state_.packet.mark == 0u) return true;
  if (at != PacketHook::kPrerouting && at != PacketHook::kOutput) return true;
  const auto& rules = node_.input.facts.rules;
  const auto& policies = node_.input.facts.policies;
  const bool asked = std::any_of(rules.begin(), rules.end(),
                                 [](const auto& rule) { return rule.mark_mask != 0; }) ||
                     std::any_of(policies.begin(), policies.end(),
                                 [](const auto& policy) { return policy.mark.mask != 0; });
  if (!asked) return true;
  return state_.unknown("a rule of " + name +
                        " marks it, and a routing rule or policy asks for marks");
}

}  // namespace espial
