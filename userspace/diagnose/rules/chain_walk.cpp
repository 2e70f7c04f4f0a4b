// SPDX-License-Identifier: Apache-2.0
#include "diagnose/rules/chain_walk.h"

#include <algorithm>
#include <utility>

namespace espial {
namespace {

constexpr std::size_t kReasonsMax = 16;
// NFT_JUMP_STACK_SIZE is 16; legacy tables may nest deeper.
constexpr unsigned kChainDepthMax = 64;

Fate fate_of(RuleVerdict verdict) {
  if (verdict == RuleVerdict::kReject) return Fate::kRejected;
  if (verdict == RuleVerdict::kQueue) return Fate::kQueued;
  if (verdict == RuleVerdict::kStolen) return Fate::kStolen;
  return Fate::kDropped;
}

std::string keys_text(const std::vector<Key>& keys) {
  std::string text;
  for (const auto& key : keys) text.append(text.empty() ? "" : " . ").append(key.text);
  return text;
}

const Chain* chain_named(const Table& table, const std::string& name) {
  for (const auto& chain : table.chains)
    if (chain.name == name) return &chain;
  return nullptr;
}

// Bits of a number that can be cast to the field's type.
template <typename T>
std::optional<T> narrowed(const std::optional<Wide>& value) {
  if (!value) return std::nullopt;
  return static_cast<T>(*value);
}

std::optional<IpAddress> address_of(Wide value, Family family) {
  std::array<std::uint8_t, 16> bytes{};
  const unsigned size = family == Family::kIpv4 ? 4 : 16;
  for (unsigned i = 0; i < size; ++i)
    bytes[size - 1 - i] = static_cast<std::uint8_t>(value >> (8 * i) & 0xff);
  return IpAddress(family, bytes.data());
}

void write_address(std::optional<IpAddress>& address, const Packet& packet, Family family,
                   const std::optional<Wide>& value) {
  if (packet.family != family) return;
  address.reset();
  if (value) address = address_of(*value, family);
}

void write_port(std::optional<std::uint16_t>& port, const Packet& packet, const Key& target,
                const std::optional<Wide>& value) {
  if (packet.protocol && target.protocol != 0 && target.protocol != *packet.protocol) return;
  port = packet.protocol ? narrowed<std::uint16_t>(value) : std::nullopt;
}

}  // namespace

void WalkLedger::because(const std::string& reason) {
  if (reasons.size() < kReasonsMax &&
      std::find(reasons.begin(), reasons.end(), reason) == reasons.end())
    reasons.push_back(reason);
}

// state is where the packet is after the steps so far; result.on collects where a step ended the
// rule.
struct ChainWalk::AtRule {
  const Chain& chain;
  const Rule& rule;
  WalkState state;
  WalkResult result;
};

ChainWalk::ChainWalk(const Table& table, const RulePlace& place, bool nat_chain, WalkLedger& ledger)
    : table_(table), place_(place), nat_chain_(nat_chain), ledger_(ledger) {}

RuleEvidence ChainWalk::evidence(const Chain& chain, const Rule* rule) const {
  RuleEvidence by{table_.tool, table_.family, table_.name, chain.name, 0, "policy accept"};
  if (chain.base && chain.base->policy_drop) by.rule = "policy drop";
  if (rule != nullptr) {
    by.handle = rule->handle;
    by.rule = rule->text;
  }
  return by;
}

WalkResult ChainWalk::chain(const Chain& chain, const WalkState& state) {
  WalkResult all;
  all.on = state;
  if (++depth_ > kChainDepthMax || !chain.unknown.empty()) {
    ledger_.because(chain.unknown.empty() ? "jumps nested too deeply" : chain.unknown);
    all.add_ending(Fate::kUnknown, evidence(chain, nullptr));
  }
  for (const auto& one : chain.rules) {
    if (!all.on || depth_ > kChainDepthMax) break;
    if (ledger_.rules_left == 0) {
      ledger_.because("more rules than espial can trace");
      all.add_ending(Fate::kUnknown, evidence(chain, &one));
      break;
    }
    --ledger_.rules_left;
    WalkResult result = rule(chain, one, *all.on);
    all.on = std::move(result.on);
    all.add_ends(std::move(result));
  }
  --depth_;
  return all;
}

WalkResult ChainWalk::rule(const Chain& chain, const Rule& rule, const WalkState& state) {
  AtRule at{chain, rule, state, {}};
  const auto reasons = ledger_.reasons.size();
  bool through = true;
  for (const auto& one : rule.steps)
    if (!(through = step(at, one))) break;
  // After a rule without a verdict the walk continues, as after one that did not match.
  if (through) join_into(at.result.on, at.state);
  // An unknown match in a rule that changes nothing is no reason for anything.
  const bool nothing = at.result.endings.empty() && !at.result.accepted && !at.result.returned &&
                       at.result.on == MaybeState(state);
  if (nothing) ledger_.reasons.resize(reasons);
  return std::move(at.result);
}

// The steps return false when the packet surely does not get behind them.
bool ChainWalk::step(AtRule& at, const RuleStep& step) {
  if (const auto* one = std::get_if<Match>(&step)) return match(at, *one);
  if (const auto* one = std::get_if<VerdictMap>(&step)) return verdict_map(at, *one);
  if (const auto* one = std::get_if<VerdictStep>(&step)) return verdict(at, *one, at.state);
  if (const auto* one = std::get_if<Nat>(&step)) return nat(at, *one);
  if (const auto* one = std::get_if<Stateful>(&step)) return maybe(at, one->what);
  if (const auto* one = std::get_if<UnknownMatch>(&step)) return maybe(at, one->what);
  if (const auto* one = std::get_if<Unknown>(&step)) return unknown(at, one->what);
  if (const auto* one = std::get_if<Assign>(&step)) assign(at, *one);
  if (std::holds_alternative<NoTrack>(step)) no_track(at);
  return true;
}

const Set* ChainWalk::set_named(const std::string& name) const {
  for (const auto& set : table_.sets)
    if (set.name == name) return &set;
  return nullptr;
}

bool ChainWalk::match(AtRule& at, const Match& match) {
  const Set* set = match.set.empty() ? nullptr : set_named(match.set);
  if (!match.set.empty() && set == nullptr) return maybe(at, "set " + match.set);
  const Tri answer =
      holds(match, set == nullptr ? match.elements : set->elements, at.state.packet, place_);
  if (answer == Tri::kUnknown) return maybe(at, keys_text(match.keys));
  if (answer == Tri::kYes) return true;
  join_into(at.result.on, at.state);
  return false;
}

bool ChainWalk::maybe(AtRule& at, const std::string& what) {
  ledger_.because(what + " (" + evidence(at.chain, &at.rule).text() + ")");
  join_into(at.result.on, at.state);
  return true;
}

bool ChainWalk::unknown(AtRule& at, const std::string& what) {
  at.result.add_ending(Fate::kUnknown, evidence(at.chain, &at.rule));
  at.state.packet.mark.reset();
  return maybe(at, what);
}

bool ChainWalk::verdict(AtRule& at, const VerdictStep& verdict, const WalkState& state) {
  switch (verdict.verdict) {
    case RuleVerdict::kAccept:
      join_into(at.result.accepted, state);
      at.result.accepted_by.push_back(evidence(at.chain, &at.rule));
      break;
    case RuleVerdict::kDrop:
    case RuleVerdict::kReject:
    case RuleVerdict::kQueue:
    case RuleVerdict::kStolen:
      at.result.add_ending(fate_of(verdict.verdict), evidence(at.chain, &at.rule));
      break;
    case RuleVerdict::kContinue:
      join_into(at.result.on, state);
      break;
    case RuleVerdict::kReturn:
      join_into(at.result.returned, state);
      break;
    case RuleVerdict::kJump:
    case RuleVerdict::kGoto:
      jump(at, verdict, state);
      break;
  }
  return false;
}

void ChainWalk::jump(AtRule& at, const VerdictStep& verdict, const WalkState& state) {
  const Chain* target = chain_named(table_, verdict.chain);
  if (target == nullptr) {
    // Of iptables it may also be a target of an extension that is not known.
    ledger_.because("no chain " + verdict.chain);
    at.result.add_ending(Fate::kUnknown, evidence(at.chain, &at.rule));
    join_into(at.result.on, state);
    return;
  }
  WalkResult inner = chain(*target, state);
  // Who leaves the other chain is behind the jump; behind a goto he left this chain, too.
  join_into(inner.on, std::exchange(inner.returned, std::nullopt));
  join_into(verdict.verdict == RuleVerdict::kJump ? at.result.on : at.result.returned, inner.on);
  at.result.add_ends(std::move(inner));
}

bool ChainWalk::verdict_map(AtRule& at, const VerdictMap& map) {
  const Set* set = map.set.empty() ? nullptr : set_named(map.set);
  if (!map.set.empty() && set == nullptr) return unknown(at, "map " + map.set);
  const MapAnswer answer =
      look_up(map.keys, set == nullptr ? map.elements : set->elements, at.state.packet, place_);
  if (answer.miss != Tri::kNo) join_into(at.result.on, at.state);
  if (answer.verdicts.size() > 1 || answer.miss == Tri::kUnknown)
    ledger_.because(keys_text(map.keys) + " (" + evidence(at.chain, &at.rule).text() + ")");
  for (const auto& one : answer.verdicts) verdict(at, one, at.state);
  return false;
}

bool ChainWalk::nat(AtRule& at, const Nat& nat) {
  // Outside NAT chains the kernel refuses such rules.
  if (!nat_chain_) return unknown(at, "NAT outside a NAT chain");
  const bool source = place_.hook == PacketHook::kPostrouting || place_.hook == PacketHook::kInput;
  Translation& translation = source ? at.state.source : at.state.destination;
  translation.done = Tri::kYes;
  translation.by = {{nat, evidence(at.chain, &at.rule)}};
  return verdict(at, {RuleVerdict::kAccept, {}}, at.state);
}

void ChainWalk::assign(AtRule& at, const Assign& assign) const {
  Packet& packet = at.state.packet;
  std::optional<Wide> value = assign.constant;
  if (assign.copied) {
    const Seen seen = look_at(*assign.copied, packet, place_);
    if (seen.kind == Seen::Kind::kNumber) value = seen.number;
    // nft ends a rule whose source is not there; the mark stays or the rule is over.
  }
  const Key& target = assign.target;
  if (target.field == Field::kMark) packet.mark = narrowed<std::uint32_t>(value);
  if (target.field == Field::kCtMark) packet.ct_mark = narrowed<std::uint32_t>(value);
  if (target.field == Field::kIpSource) write_address(packet.source, packet, Family::kIpv4, value);
  if (target.field == Field::kIpDestination)
    write_address(packet.destination, packet, Family::kIpv4, value);
  if (target.field == Field::kIp6Source) write_address(packet.source, packet, Family::kIpv6, value);
  if (target.field == Field::kIp6Destination)
    write_address(packet.destination, packet, Family::kIpv6, value);
  if (target.field == Field::kSourcePort) write_port(packet.source_port, packet, target, value);
  if (target.field == Field::kDestinationPort)
    write_port(packet.destination_port, packet, target, value);
}

void ChainWalk::no_track(AtRule& at) const {
  // Once the packet has a connection, notrack comes too late and does nothing; an invalid one has
  // none and becomes untracked (nft_ct.c).
  Packet& packet = at.state.packet;
  if (place_.before_tracking == Tri::kYes || packet.tracking == Tracking::kInvalid)
    packet.tracking = Tracking::kUntracked;
  else if (place_.before_tracking == Tri::kUnknown)
    packet.tracking = Tracking::kUnknown;
}

}  // namespace espial
