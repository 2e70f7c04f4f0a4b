// SPDX-License-Identifier: Apache-2.0
#include "diagnose/lookup/route_index.h"

#include <algorithm>
#include <array>

namespace espial {
namespace {

using AnswerKind = RouteAnswer::Kind;

constexpr unsigned kLocalTable = 255;
constexpr unsigned kDefaultTable = 253;

enum class Fit : std::uint8_t { kNo, kYes, kPerhaps };

// Does the rule's prefix take the whole of `packets`, none of it, or a part?
Fit covers(const Prefix& selector, const Prefix& packets) {
  if (selector.contains(packets)) return Fit::kYes;
  return selector.overlaps(packets) ? Fit::kPerhaps : Fit::kNo;
}

// fib_rule_match(), fib4_rule_match(), fib6_rule_match().
Fit selects(const RuleFact& rule, const RouteQuery& query, bool vrf) {
  if (!rule.iif.empty() && rule.iif != (query.iif == nullptr ? "lo" : query.iif->name))
    return Fit::kNo;
  if (!rule.oif.empty() || (rule.mark & rule.mark_mask) != 0) return Fit::kNo;
  if (rule.l3mdev && !vrf) return Fit::kNo;
  const Fit to = covers(rule.destination, query.destination);
  const Fit from = rule.source.length() == 0 ? Fit::kYes
                   : query.source            ? covers(rule.source, *query.source)
                                             : Fit::kNo;
  if (to == Fit::kNo || from == Fit::kNo) return Fit::kNo;
  if (to == Fit::kPerhaps || from == Fit::kPerhaps || rule.l3mdev || !rule.conditions.empty())
    return Fit::kPerhaps;
  return Fit::kYes;
}

Fit matches(const RuleFact& rule, const RouteQuery& query, bool vrf) {
  const Fit match = selects(rule, query, vrf);
  if (!rule.invert || match == Fit::kPerhaps) return match;
  return match == Fit::kYes ? Fit::kNo : Fit::kYes;
}

RouteAnswer undecided(const RuleFact& rule) {
  return {AnswerKind::kUnknown, nullptr, &rule, rule.text()};
}

RuleFact usual(Family family, std::uint32_t priority, unsigned table) {
  const std::array<std::uint8_t, 16> zero{};
  RuleFact rule;
  rule.source = rule.destination = Prefix(IpAddress(family, zero.data()), 0);
  rule.priority = priority;
  rule.table = table;
  return rule;
}

std::size_t slot(Family family) { return static_cast<std::size_t>(family); }

}  // namespace

std::string RouteAnswer::by() const {
  if (route == nullptr) return "rule " + rule->text();
  return "route " + route->text() +
         (route->table == kMainTable ? "" : ", asked by rule " + rule->text());
}

std::string RouteAnswer::removal(Family family) const {
  const std::string ip = family == Family::kIpv4 ? "ip" : "ip -6";
  if (route != nullptr) return ip + " route del " + route->text();
  return ip + " rule del priority " + std::to_string(rule->priority);
}

RouteIndex::RouteIndex(const KernelFacts& facts) {
  for (const auto& route : facts.routes) {
    auto& best = tables_[route.table][route.destination];
    if (best == nullptr || route.metric < best->metric) best = &route;
  }
  for (const auto& rule : facts.rules) rules_[slot(rule.family())].push_back(&rule);
  for (const Family family : {Family::kIpv4, Family::kIpv6})
    if (rules_[slot(family)].empty())
      for (const auto& [priority, table] :
           {std::pair{kCharonTable, kCharonTable}, {32766u, kMainTable}, {32767u, kDefaultTable}})
        usual_.push_back(usual(family, priority, table));
  for (const auto& rule : usual_) rules_[slot(rule.family())].push_back(&rule);
  for (const auto& link : facts.links) {
    links_[link.ifindex] = &link;
    vrf_ = vrf_ || link.kind == "vrf";
  }
  for (const auto& address : facts.addresses) addresses_[address.ifindex].push_back(address);
}

RouteAnswer RouteIndex::ask(const RouteQuery& query) const {
  return walk(rules_[slot(query.destination.family())], 0, query);
}

// What the rules from `at` on say. A rule that cannot be decided is followed both ways; where both
// come to the same, the answer is known.
RouteAnswer RouteIndex::walk(const Rules& rules, std::size_t at, const RouteQuery& query) const {
  for (; at < rules.size(); ++at) {
    const auto& rule = *rules[at];
    const Fit match = matches(rule, query, vrf_);
    if (match == Fit::kNo || rule.action == RuleAction::kNop) continue;
    if (rule.action == RuleAction::kGoto) {
      const auto target =
          std::find_if(rules.begin() + static_cast<std::ptrdiff_t>(at) + 1, rules.end(),
                       [&](const RuleFact* other) { return other->priority == rule.target; });
      if (target == rules.end()) continue;  // unresolved: the kernel skips it
      if (match == Fit::kPerhaps) return undecided(rule);
      at = static_cast<std::size_t>(target - rules.begin()) - 1;
      continue;
    }
    auto answer = apply(rule, query);
    if (answer.kind == AnswerKind::kNone) continue;
    if (match == Fit::kYes) return answer;
    auto otherwise = walk(rules, at + 1, query);
    if (otherwise.kind == AnswerKind::kUnknown || answer.same(otherwise)) return otherwise;
    return undecided(rule);
  }
  return {};
}

// kNone: the next rule is asked.
RouteAnswer RouteIndex::apply(const RuleFact& rule, const RouteQuery& query) const {
  switch (rule.action) {
    case RuleAction::kBlackhole:
    case RuleAction::kUnreachable:
    case RuleAction::kProhibit:
      return {AnswerKind::kRejected, nullptr, &rule, {}};
    case RuleAction::kOther:
      return undecided(rule);
    default:
      break;
  }
  if (rule.l3mdev) return undecided(rule);
  const auto table = rule.table == kLocalTable ? tables_.end() : tables_.find(rule.table);
  const auto* found = table == tables_.end() ? nullptr : table->second.find(query.destination);
  if (found == nullptr) return {};
  const auto* route = *found;
  if (route->kind == RouteKind::kThrow) return {};
  if (route->kind != RouteKind::kUnicast) return {AnswerKind::kRejected, route, &rule, {}};
  // Only what would be used is suppressed: fib_rules_lookup() asks after success.
  if (static_cast<int>(route->destination.length()) <= rule.suppress_length) return {};
  return {AnswerKind::kRoute, route, &rule, {}};
}

RouteAnswer RouteIndex::from_pods(const Prefix& own, const Prefix& theirs) const {
  return ask({theirs, own, holder(own)});
}

const RouteFact* RouteIndex::find(const Prefix& destination) const {
  return ask({destination}).unicast();
}

const LinkFact* RouteIndex::link(int ifindex) const {
  const auto at = links_.find(ifindex);
  return at == links_.end() ? nullptr : at->second;
}

const LinkFact* RouteIndex::holder(const Prefix& subnet) const {
  for (const auto& [ifindex, facts] : addresses_)
    for (const auto& fact : facts)
      if (subnet.contains(fact.address)) return link(ifindex);
  return nullptr;
}

// RFC 6724 in full needs the kernel; a device rarely has two global addresses of a family, and the
// one that shares the gateway's subnet is taken then.
std::optional<IpAddress> RouteIndex::source_to(const Prefix& destination) const {
  const auto* route = find(destination);
  if (route == nullptr) return std::nullopt;
  if (route->preferred_source) return route->preferred_source;
  const auto at = addresses_.find(route->oif);
  if (at == addresses_.end()) return std::nullopt;
  std::optional<IpAddress> first;
  for (const auto& fact : at->second) {
    const auto& address = fact.address;
    if (address.family() != destination.family() || address.link_local()) continue;
    if (route->gateway && Prefix(address, fact.prefix_length).contains(*route->gateway))
      return address;
    if (!first) first = address;
  }
  return first;
}

}  // namespace espial
