// SPDX-License-Identifier: Apache-2.0
#include "diagnose/audit/pod_nat.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/protocols.h"
#include "diagnose/audit/nat_before_ipsec.h"
#include "diagnose/lookup/fib.h"
#include "diagnose/paths/backend_paths.h"
#include "diagnose/paths/rule_remedy.h"

namespace espial {
namespace {

constexpr int kRemedies = 4;               // rules to get past, one behind the other
constexpr std::size_t kRemembered = 8192;  // pairs; more are a sign that questions do not repeat

// Does the table or chain kind ever translate? Unknown steps may do anything.
bool may_translate(const Ruleset& rules) {
  for (const auto& table : rules.tables)
    for (const auto& chain : table.chains)
      if (!chain.unknown.empty() ||
          std::any_of(chain.rules.begin(), chain.rules.end(), [](const Rule& rule) {
            return std::any_of(rule.steps.begin(), rule.steps.end(), [](const RuleStep& step) {
              return std::holds_alternative<Nat>(step) || std::holds_alternative<Unknown>(step);
            });
          }))
        return true;
  return false;
}

// Does any rule ask where routes lead? Their answers are not remembered.
bool asks_routes(const Ruleset& rules) {
  const auto asks = [](const std::vector<Key>& keys) {
    return std::any_of(keys.begin(), keys.end(),
                       [](const Key& key) { return key.field == Field::kFibDevice; });
  };
  for (const auto& table : rules.tables)
    for (const auto& chain : table.chains)
      for (const auto& rule : chain.rules)
        for (const auto& step : rule.steps) {
          const auto* match = std::get_if<Match>(&step);
          const auto* map = std::get_if<VerdictMap>(&step);
          if ((match != nullptr && asks(match->keys)) || (map != nullptr && asks(map->keys)))
            return true;
        }
  return false;
}

bool same(const std::vector<AddressFact>& one, const std::vector<AddressFact>& other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](const AddressFact& a, const AddressFact& b) {
                      return a.ifindex == b.ifindex && a.address == b.address &&
                             a.prefix_length == b.prefix_length;
                    });
}

// inet_select_addr(): of the device's addresses the one that shares the gateway's subnet, else the
// first. Not the route's preferred source.
std::optional<IpAddress> masquerade_address(const KernelFacts& facts, const RouteFact& route) {
  std::optional<IpAddress> first;
  for (const auto& fact : facts.addresses) {
    if (fact.ifindex != route.oif || fact.address.family() != route.destination.family() ||
        fact.address.link_local())
      continue;
    if (route.gateway && Prefix(fact.address, fact.prefix_length).contains(*route.gateway))
      return fact.address;
    if (!first) first = fact.address;
  }
  return first;
}

struct Way {
  const Prefix& own;
  const Prefix& theirs;
  const LinkFact& in;
  const LinkFact& out;
  std::optional<IpAddress> masquerade;
};

std::vector<Packet> packets_of(const Way& way) {
  Packet packet;
  packet.family = way.own.family();
  packet.source = pod_sample(way.own);
  packet.destination = pod_sample(way.theirs);
  packet.iif = way.in.name;
  packet.iif_type = way.in.arphrd;
  packet.oif = way.out.name;
  packet.oif_type = way.out.arphrd;
  packet.mark = 0;
  packet.ct_mark = 0;
  packet.tracking = Tracking::kNew;
  packet.ipsec_in = Tri::kNo;
  // The route has its XFRM policy before FORWARD: "what if IPsec takes it" is the question.
  packet.ipsec_out = Tri::kYes;
  Packet echo = packet;
  const bool v4 = packet.family == Family::kIpv4;
  echo.protocol = v4 ? 1 : 58;
  echo.icmp_type = v4 ? 8 : 128;
  echo.icmp_code = 0;
  packet.protocol = kProtocolTcp;
  packet.tcp_flags = kTcpSyn;
  return {echo, packet};
}

// Does the packet still come from the own subnet whatever this translation does?
bool harmless(const Nat& nat, const Way& way) {
  if (nat.keeps_address) return true;
  switch (nat.kind) {
    case Nat::Kind::kSource:
      return nat.address && way.own.contains(*nat.address);
    case Nat::Kind::kMasquerade:
      return way.masquerade && way.own.contains(*way.masquerade);
    case Nat::Kind::kDestination:
      return nat.address && way.theirs.contains(*nat.address);
    case Nat::Kind::kRedirect:
    case Nat::Kind::kNetmap:
      return false;
  }
  return false;
}

// The worst that happens to any of the packets.
std::optional<NatBeforeIpsec> worst_nat(const Ruleset& rules, const Way& way, const Fib& fib) {
  std::optional<NatBeforeIpsec> found;
  for (const auto& packet : packets_of(way)) {
    auto nat = nat_before_ipsec(rules, packet, kForwarded, &fib);
    if (!nat || (!nat->rules.empty() &&
                 std::all_of(nat->rules.begin(), nat->rules.end(),
                             [&](const NatEvidence& one) { return harmless(one.nat, way); })))
      continue;
    if (!found || (nat->certain && !found->certain)) found = std::move(nat);
  }
  return found;
}

// An accept in front of the culprit, as a command; "": none.
std::string get_past(Ruleset& rules, const NatEvidence& culprit, const Way& way) {
  const bool destination =
      culprit.nat.kind == Nat::Kind::kDestination || culprit.nat.kind == Nat::Kind::kRedirect;
  return accept_before(rules, culprit.rule,
                       destination ? PacketHook::kPrerouting : PacketHook::kPostrouting,
                       {PathKind::kPods, way.own, way.theirs})
      .value_or(std::string());
}

// Commands after which the packets stay what they are; "": none was found.
std::string remedy_of(Ruleset rules, const Way& way, const Fib& fib,
                      std::optional<NatBeforeIpsec> found) {
  std::string commands;
  for (int i = 0; i < kRemedies && found; ++i) {
    if (found->rules.empty()) return {};
    const auto more = get_past(rules, found->rules.front(), way);
    if (more.empty()) return {};
    commands += (commands.empty() ? "" : "; ") + more;
    found = worst_nat(rules, way, fib);
  }
  return found ? std::string() : commands;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += (text.empty() ? "" : "; ") + line;
  return text;
}

std::optional<NatJudgement> walk(const Ruleset& rules, const Way& way, const Fib& fib) {
  auto found = worst_nat(rules, way, fib);
  if (!found) return std::nullopt;
  NatJudgement judgement;
  judgement.certain = found->certain;
  judgement.evidence = found->what;
  if (!found->certain && !found->reasons.empty())
    judgement.evidence += (judgement.evidence.empty() ? "" : "; ") + std::string("depends on ") +
                          joined(found->reasons);
  judgement.remedy = remedy_of(rules, way, fib, std::move(found));
  return judgement;
}

}  // namespace

PodNat::PodNat(Ruleset rules)
    : rules_(std::move(rules)), any_(may_translate(rules_)), asks_routes_(asks_routes(rules_)) {}

std::optional<std::string> PodNat::unread() const {
  return rules_.unread.empty() ? std::nullopt : std::optional(joined(rules_.unread));
}

std::optional<NatJudgement> PodNat::judge(const KernelFacts& facts, const RouteIndex& routes,
                                          const Prefix& own, const Prefix& theirs) {
  if (!any_) return std::nullopt;
  const auto* in = routes.holder(own);
  const auto* route = routes.from_pods(own, theirs).unicast();
  const auto* out = route == nullptr ? nullptr : routes.link(route->oif);
  if (in == nullptr || out == nullptr) return std::nullopt;
  const Way way{own, theirs, *in, *out, masquerade_address(facts, *route)};
  Question question{own.text(), theirs.text(), in->name, out->name,
                    way.masquerade ? way.masquerade->text() : std::string()};
  // What an address is to this node may be asked by rules, too.
  if (asks_routes_ || !same(addresses_, facts.addresses)) {
    answers_.clear();
    addresses_ = facts.addresses;
  }
  if (const auto at = answers_.find(question); at != answers_.end()) return at->second;
  if (answers_.size() >= kRemembered) answers_.clear();
  return answers_.emplace(std::move(question), walk(rules_, way, Fib(facts, routes))).first->second;
}

}  // namespace espial
