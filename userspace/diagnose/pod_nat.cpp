// SPDX-License-Identifier: Apache-2.0
#include "diagnose/pod_nat.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "diagnose/nat_before_ipsec.h"

namespace espial {
namespace {

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kSyn = 2;
constexpr std::uint8_t kSample = 10;       // no network or router address
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

// A peer's pod is no address of this node: Docker asks exactly this before it looks at a
// destination port.
void settle_address_types(Ruleset& rules) {
  for (auto& table : rules.tables)
    for (auto& chain : table.chains)
      std::erase_if(chain.rules, [](const Rule& rule) {
        return std::any_of(rule.steps.begin(), rule.steps.end(), [](const RuleStep& step) {
          const auto* match = std::get_if<UnknownMatch>(&step);
          return match != nullptr && match->what == "-m addrtype --dst-type LOCAL";
        });
      });
}

IpAddress sample_of(const Prefix& subnet) {
  auto bytes = subnet.address().bytes();
  const std::size_t last = subnet.family() == Family::kIpv4 ? 3 : 15;
  if (subnet.address().bits() - subnet.length() >= 4)
    bytes[last] = static_cast<std::uint8_t>(bytes[last] | kSample);
  return IpAddress(subnet.family(), bytes.data());
}

// Where the pods' packets come in: the device that holds an address of their subnet.
const LinkFact* pod_device(const KernelFacts& facts, const RouteIndex& routes, const Prefix& own) {
  for (const auto& fact : facts.addresses)
    if (own.contains(fact.address)) return routes.link(fact.ifindex);
  return nullptr;
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
  packet.source = sample_of(way.own);
  packet.destination = sample_of(way.theirs);
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
  packet.protocol = kTcp;
  packet.tcp_flags = kSyn;
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
std::optional<NatBeforeIpsec> worst(const Ruleset& rules, const Way& way) {
  std::optional<NatBeforeIpsec> found;
  for (const auto& packet : packets_of(way)) {
    auto nat = nat_before_ipsec(rules, packet, kForwarded);
    if (!nat || (!nat->rules.empty() &&
                 std::all_of(nat->rules.begin(), nat->rules.end(),
                             [&](const NatEvidence& one) { return harmless(one.nat, way); })))
      continue;
    if (!found || (nat->certain && !found->certain)) found = std::move(nat);
  }
  return found;
}

Match within(Field field, const Prefix& prefix) {
  auto last = prefix.address().bytes();
  for (unsigned bit = prefix.length(); bit < prefix.address().bits(); ++bit)
    last[bit / 8] = static_cast<std::uint8_t>(last[bit / 8] | (0x80u >> (bit % 8)));
  Match match;
  match.keys.push_back({field, 0, {}, {}});
  match.elements.push_back(
      {{Interval{wide(prefix.address()), wide(IpAddress(prefix.family(), last.data()))}},
       {},
       {},
       {}});
  return match;
}

Rule acceptance(const Way& way) {
  const bool v4 = way.own.family() == Family::kIpv4;
  Rule rule;
  rule.text = "(proposed)";
  rule.steps.push_back(within(v4 ? Field::kIpSource : Field::kIp6Source, way.own));
  rule.steps.push_back(within(v4 ? Field::kIpDestination : Field::kIp6Destination, way.theirs));
  rule.steps.push_back(VerdictStep{RuleVerdict::kAccept, {}});
  return rule;
}

// nft prints the tables of iptables-nft in its own words; they are told by their chains.
bool of_iptables(const Table& table) {
  if (table.tool != RuleTool::kNft) return true;
  if (table.name != "nat" ||
      (table.family != TableFamily::kIp && table.family != TableFamily::kIp6))
    return false;
  return std::any_of(table.chains.begin(), table.chains.end(), [](const Chain& chain) {
    return chain.base && (chain.name == "POSTROUTING" || chain.name == "PREROUTING");
  });
}

std::string command(const Table& table, const Chain& chain, const Way& way) {
  const bool v4 = way.own.family() == Family::kIpv4;
  if (of_iptables(table))
    return std::string(v4 ? "iptables" : "ip6tables") +
           (table.tool == RuleTool::kIptablesLegacy ? "-legacy" : "-nft") + " -t " + table.name +
           " -I " + chain.name + " -s " + way.own.text() + " -d " + way.theirs.text() +
           " -j ACCEPT";
  const std::string ip = v4 ? "ip" : "ip6";
  return "nft insert rule " + std::string(to_string(table.family)) + " " + table.name + " " +
         chain.name + " " + ip + " saddr " + way.own.text() + " " + ip + " daddr " +
         way.theirs.text() + " accept";
}

// An accept in front of each NAT chain of the culprit's table and hook, as commands; "": none.
std::string get_past(Ruleset& rules, const NatEvidence& culprit, const Way& way) {
  std::string commands;
  const bool destination =
      culprit.nat.kind == Nat::Kind::kDestination || culprit.nat.kind == Nat::Kind::kRedirect;
  const auto hook = destination ? PacketHook::kPrerouting : PacketHook::kPostrouting;
  for (auto& table : rules.tables) {
    if (table.family != culprit.rule.family || table.name != culprit.rule.table ||
        table.tool != culprit.rule.tool)
      continue;
    for (auto& chain : table.chains) {
      if (!chain.base || chain.base->type != ChainType::kNat || chain.base->hook != hook) continue;
      chain.rules.insert(chain.rules.begin(), acceptance(way));
      commands += (commands.empty() ? "" : "; ") + command(table, chain, way);
    }
  }
  return commands;
}

// Commands after which the packets stay what they are; "": none was found.
std::string remedy_of(Ruleset rules, const Way& way, std::optional<NatBeforeIpsec> found) {
  std::string commands;
  for (int i = 0; i < kRemedies && found; ++i) {
    if (found->rules.empty()) return {};
    const auto more = get_past(rules, found->rules.front(), way);
    if (more.empty()) return {};
    commands += (commands.empty() ? "" : "; ") + more;
    found = worst(rules, way);
  }
  return found ? std::string() : commands;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += (text.empty() ? "" : "; ") + line;
  return text;
}

std::optional<NatJudgement> walk(const Ruleset& rules, const Way& way) {
  auto found = worst(rules, way);
  if (!found) return std::nullopt;
  NatJudgement judgement;
  judgement.certain = found->certain;
  judgement.evidence = found->what;
  if (!found->certain && !found->reasons.empty())
    judgement.evidence += (judgement.evidence.empty() ? "" : "; ") + std::string("depends on ") +
                          joined(found->reasons);
  judgement.remedy = remedy_of(rules, way, std::move(found));
  return judgement;
}

}  // namespace

PodNat::PodNat(Ruleset rules) : rules_(std::move(rules)), any_(may_translate(rules_)) {
  settle_address_types(rules_);
}

std::string PodNat::unread() const { return joined(rules_.unread); }

std::optional<NatJudgement> PodNat::judge(const KernelFacts& facts, const RouteIndex& routes,
                                          const Prefix& own, const Prefix& theirs) {
  if (!any_) return std::nullopt;
  const auto* in = pod_device(facts, routes, own);
  const auto* route = routes.find(theirs);
  const auto* out = route == nullptr ? nullptr : routes.link(route->oif);
  if (in == nullptr || out == nullptr) return std::nullopt;
  const Way way{own, theirs, *in, *out, masquerade_address(facts, *route)};
  Question question{own.text(), theirs.text(), in->name, out->name,
                    way.masquerade ? way.masquerade->text() : std::string()};
  if (const auto at = answers_.find(question); at != answers_.end()) return at->second;
  if (answers_.size() >= kRemembered) answers_.clear();
  return answers_.emplace(std::move(question), walk(rules_, way)).first->second;
}

}  // namespace espial
