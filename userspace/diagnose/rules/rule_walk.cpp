// SPDX-License-Identifier: Apache-2.0
#include "diagnose/rules/rule_walk.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "diagnose/rules/chain_walk.h"
#include "diagnose/rules/conntrack_use.h"
#include "diagnose/rules/walk_state.h"

namespace espial {
namespace {

constexpr int kConntrackPriority = -200;

struct Hooked {
  const Table* table = nullptr;
  const Chain* chain = nullptr;
  int priority = 0;  // where it really runs
  int within = 0;    // among the NAT chains of its hook
  std::size_t age = 0;
};

bool is_nat(const Hooked& hooked) { return hooked.chain->base->type == ChainType::kNat; }

// The NAT core runs once for all NAT chains of a hook (nf_nat_proto.c).
int nat_priority(PacketHook hook) {
  return hook == PacketHook::kPostrouting || hook == PacketHook::kInput ? 100 : -100;
}

bool sees(const Table& table, const BaseChain& base, const Packet& packet, Layer layer) {
  const bool device_hook = base.hook == PacketHook::kIngress || base.hook == PacketHook::kEgress;
  if (packet.arp && (table.family == TableFamily::kIp || table.family == TableFamily::kIp6 ||
                     table.family == TableFamily::kInet))
    return false;
  switch (table.family) {
    case TableFamily::kIp:
      return layer == Layer::kIp && packet.family == Family::kIpv4;
    case TableFamily::kIp6:
      return layer == Layer::kIp && packet.family == Family::kIpv6;
    case TableFamily::kInet:
      return layer == (device_hook ? Layer::kDevice : Layer::kIp);
    case TableFamily::kBridge:
      return layer == Layer::kBridge;
    case TableFamily::kNetdev:
      return layer == Layer::kDevice;
    case TableFamily::kArp:
      return packet.arp && layer == Layer::kIp;
  }
  return false;
}

// In the kernel's order; of equal priorities the newer one first (netfilter/core.c).
std::vector<Hooked> hooked_at(const Ruleset& ruleset, const Packet& packet, const WalkStep& step) {
  std::vector<Hooked> found;
  for (const auto& table : ruleset.tables) {
    if (table.dormant) continue;
    for (const auto& chain : table.chains) {
      if (!chain.base || chain.base->hook != step.hook) continue;
      if (!sees(table, *chain.base, packet, step.layer)) continue;
      Hooked hooked{&table, &chain, chain.base->priority, chain.base->priority, found.size()};
      if (is_nat(hooked)) hooked.priority = nat_priority(step.hook);
      found.push_back(hooked);
    }
  }
  std::sort(found.begin(), found.end(), [](const Hooked& one, const Hooked& other) {
    // Filter chains at the priority of NAT: either order; NAT first rewrites for them.
    return std::tuple(one.priority, !is_nat(one), one.within, other.age) <
           std::tuple(other.priority, !is_nat(other), other.within, one.age);
  });
  return found;
}

// A chain on a device: is it the packet's?
Tri on_device(const BaseChain& base, const Packet& packet) {
  const bool ingress = base.hook == PacketHook::kIngress;
  if (!ingress && base.hook != PacketHook::kEgress) return Tri::kYes;
  const auto& device = ingress ? packet.iif : packet.oif;
  if (!device || base.devices.empty()) return Tri::kUnknown;
  const bool listed =
      std::find(base.devices.begin(), base.devices.end(), *device) != base.devices.end();
  return listed ? Tri::kYes : Tri::kNo;
}

// What `meta nfproto` is at hooks that know no family (NFPROTO_NETDEV, NFPROTO_BRIDGE,
// NFPROTO_ARP).
std::uint8_t protocol_family(TableFamily family) {
  switch (family) {
    case TableFamily::kArp:
      return 3;
    case TableFamily::kNetdev:
      return 5;
    case TableFamily::kBridge:
      return 7;
    case TableFamily::kIp:
    case TableFamily::kIp6:
    case TableFamily::kInet:
      return 0;
  }
  return 0;
}

// NAT chains are asked for the first packet of a connection only.
Tri asked(const Packet& packet) {
  if (packet.tracking == Tracking::kUnknown) return Tri::kUnknown;
  const bool first = packet.tracking == Tracking::kNew || packet.tracking == Tracking::kRelated;
  return first ? Tri::kYes : Tri::kNo;
}

Tri before_tracking(const WalkStep& step, int priority) {
  if (step.layer == Layer::kDevice) return Tri::kYes;
  // Conntrack of bridges is there or not by what else is loaded.
  if (step.layer == Layer::kBridge) return Tri::kUnknown;
  if (step.hook != PacketHook::kPrerouting && step.hook != PacketHook::kOutput) return Tri::kNo;
  if (priority == kConntrackPriority) return Tri::kUnknown;
  return priority < kConntrackPriority ? Tri::kYes : Tri::kNo;
}

// What the addresses are once the NAT core has done what the rules said.
void translate(WalkState& state, bool source) {
  const Translation& translation = source ? state.source : state.destination;
  if (translation.done == Tri::kNo) return;
  Packet& packet = state.packet;
  auto& address = source ? packet.source : packet.destination;
  const Nat* nat = translation.by.size() == 1 ? &translation.by[0].nat : nullptr;
  std::optional<IpAddress> to;
  if (nat != nullptr) to = nat->keeps_address ? address : nat->address;
  if (translation.done == Tri::kUnknown && to != address) to.reset();
  address = to;
  if (!source) packet.new_destination = translation.done;
  (source ? packet.source_port : packet.destination_port).reset();
}

class Walker {
 public:
  Walker(const Ruleset& ruleset, const Packet& packet, const Fib* fib)
      : ruleset_(ruleset), fib_(fib) {
    state_ = WalkState{packet, {}, {}};
  }

  Walk walk(std::span<const WalkStep> steps) {
    for (const auto& step : steps) {
      if (!state_) break;
      hook(step);
      ++walk_.steps_done;
      if (rerouted(step)) break;
    }
    return finish();
  }

 private:
  void hook(const WalkStep& step) {
    const auto chains = hooked_at(ruleset_, state_->packet, step);
    for (std::size_t i = 0; i < chains.size() && state_;) {
      if (!is_nat(chains[i])) {
        base_chain(chains[i++], step);
        continue;
      }
      std::size_t end = i;
      while (end < chains.size() && is_nat(chains[end])) ++end;
      nat_chains({chains.data() + i, end - i}, step);
      i = end;
    }
  }

  void nat_chains(std::span<const Hooked> chains, const WalkStep& step) {
    Tri first = asked(state_->packet);
    if (first == Tri::kNo) return;
    const bool runs = conntrack_runs(ruleset_, state_->packet.family) == Tri::kYes;
    if (!runs) first = Tri::kUnknown;
    const bool source = nat_priority(step.hook) > 0;
    const MaybeState before = state_;
    for (const auto& hooked : chains) {
      if (!state_) break;
      const Tri done = (source ? state_->source : state_->destination).done;
      if (done == Tri::kYes) break;
      const MaybeState skipped = done == Tri::kUnknown ? state_ : std::nullopt;
      base_chain(hooked, step);
      join_into(state_, skipped);
    }
    if (first == Tri::kUnknown) {
      join_into(state_, before);
      ledger_.because(runs ? "ct state (whether NAT is asked)"
                           : "no rule needs conntrack (whether NAT chains are asked)");
    }
    if (state_) translate(*state_, source);
  }

  void base_chain(const Hooked& hooked, const WalkStep& step) {
    const BaseChain& base = *hooked.chain->base;
    const Tri here = on_device(base, state_->packet);
    if (here == Tri::kNo) return;
    const RulePlace place{step.hook, before_tracking(step, hooked.priority),
                          protocol_family(hooked.table->family), fib_};
    ChainWalk walk(*hooked.table, place, is_nat(hooked), ledger_);
    WalkResult result = walk.chain(*hooked.chain, *state_);
    join_into(result.on, result.returned);
    const auto policy = walk.evidence(*hooked.chain, nullptr);
    if (result.on && base.policy_drop) {
      result.add_ending(Fate::kDropped, policy);
    } else if (result.on) {
      join_into(result.accepted, result.on);
      result.accepted_by.push_back(policy);
    }
    add_trace(hooked, result);
    if (here == Tri::kUnknown || hooked.table->flags_unclear) {
      ledger_.because("whether " + policy.text() + " is asked at all");
      join_into(result.accepted, state_);
    }
    // Where it ends, the last state still shows what happened before.
    last_ = state_;
    state_ = std::move(result.accepted);
    for (auto& ending : result.endings) endings_.push_back(std::move(ending));
  }

  void add_trace(const Hooked& hooked, const WalkResult& result) {
    std::string line = std::string(to_string(hooked.chain->base->hook)) + ", priority " +
                       std::to_string(hooked.chain->base->priority) + ": ";
    const bool certain = result.endings.size() + (result.accepted ? 1 : 0) == 1;
    std::string word = certain ? "" : "perhaps ";
    for (const auto& ending : result.endings) {
      line += word + std::string(to_string(ending.fate)) + " by " + ending.by.text();
      word = ", or ";
    }
    if (result.accepted && !result.accepted_by.empty())
      line += word + "accepted by " + result.accepted_by.front().text();
    if (result.accepted_by.size() > 1)
      line += " or " + std::to_string(result.accepted_by.size() - 1) + " more";
    walk_.trace.push_back(std::move(line));
  }

  // A new destination before routing: the rest of the path is not known any more.
  bool rerouted(const WalkStep& step) {
    if (step.hook != PacketHook::kPrerouting && step.hook != PacketHook::kOutput) return false;
    if (!state_ || state_->destination.done == Tri::kNo) return false;
    state_->packet.oif.reset();
    state_->packet.oif_type.reset();
    for (const auto& by : state_->destination.by) endings_.push_back({Fate::kRerouted, by.rule});
    if (state_->destination.done == Tri::kUnknown) return false;
    last_ = state_;
    state_.reset();
    return true;
  }

  Walk finish() {
    const MaybeState& end = state_ ? state_ : last_;
    if (end) {
      walk_.packet = end->packet;
      walk_.source_nat = end->source.done;
      walk_.destination_nat = end->destination.done;
      walk_.nat = end->destination.by;
      walk_.nat.insert(walk_.nat.end(), end->source.by.begin(), end->source.by.end());
    }
    walk_.fate = fate();
    for (const auto& ending : endings_)
      if (std::find(walk_.culprits.begin(), walk_.culprits.end(), ending.by) ==
          walk_.culprits.end())
        walk_.culprits.push_back(ending.by);
    if (walk_.fate == Fate::kUnknown || walk_.source_nat == Tri::kUnknown)
      walk_.reasons = std::move(ledger_.reasons);
    return std::move(walk_);
  }

  // Every end that it may find, and passing, must be the same. A reject is a drop that answers.
  [[nodiscard]] Fate fate() const {
    if (endings_.empty()) return Fate::kPassed;
    if (state_) return Fate::kUnknown;
    Fate fate = endings_.front().fate;
    for (const auto& ending : endings_) {
      if (ending.fate == fate) continue;
      const auto lost = [](Fate one) { return one == Fate::kDropped || one == Fate::kRejected; };
      if (!lost(fate) || !lost(ending.fate)) return Fate::kUnknown;
      fate = Fate::kDropped;
    }
    return fate;
  }

  const Ruleset& ruleset_;
  const Fib* fib_;
  WalkLedger ledger_;
  MaybeState state_;  // absent: it surely does not get further
  MaybeState last_;   // the newest that it had
  std::vector<Ending> endings_;
  Walk walk_;
};

}  // namespace

std::string RuleEvidence::text() const {
  return std::string(to_string(family)) + " " + table + " " + chain + (handle == 0 ? " " : ": ") +
         rule;
}

std::string_view to_string(Fate fate) {
  switch (fate) {
    case Fate::kPassed:
      return "passed";
    case Fate::kDropped:
      return "dropped";
    case Fate::kRejected:
      return "rejected";
    case Fate::kQueued:
      return "queued";
    case Fate::kStolen:
      return "taken away";
    case Fate::kRerouted:
      return "redirected";
    case Fate::kUnknown:
      return "unknown";
  }
  return "";
}

Walk walk_rules(const Ruleset& ruleset, const Packet& packet, std::span<const WalkStep> steps,
                const Fib* fib) {
  return Walker(ruleset, packet, fib).walk(steps);
}

}  // namespace espial
