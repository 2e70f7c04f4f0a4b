// SPDX-License-Identifier: Apache-2.0
#include "diagnose/paths/rule_remedy.h"

#include <algorithm>
#include <set>

#include "base/protocols.h"

namespace espial {
namespace {

constexpr std::uint16_t kArp = 0x0806;  // its Ethernet type

bool leads_to(const Table& table, const Chain& from, const std::string& wanted,
              std::set<std::string>& seen) {
  if (from.name == wanted) return true;
  if (!seen.insert(from.name).second) return false;
  const auto follow = [&](const VerdictStep& step) {
    const auto to = std::find_if(table.chains.begin(), table.chains.end(),
                                 [&](const Chain& chain) { return chain.name == step.chain; });
    return to != table.chains.end() && leads_to(table, *to, wanted, seen);
  };
  const auto any = [&](const std::vector<Element>& elements) {
    return std::any_of(elements.begin(), elements.end(), [&](const Element& element) {
      return element.verdict && follow(*element.verdict);
    });
  };
  for (const auto& rule : from.rules)
    for (const auto& step : rule.steps) {
      if (const auto* verdict = std::get_if<VerdictStep>(&step); verdict && follow(*verdict))
        return true;
      const auto* map = std::get_if<VerdictMap>(&step);
      if (map == nullptr) continue;
      if (any(map->elements)) return true;
      for (const auto& set : table.sets)
        if (set.name == map->set && any(set.elements)) return true;
    }
  return false;
}

struct Place {
  Table* table = nullptr;
  Chain* base = nullptr;
};

Place place_of(Ruleset& ruleset, const RuleEvidence& culprit, PacketHook hook) {
  for (auto& table : ruleset.tables) {
    if (table.family != culprit.family || table.name != culprit.table || table.tool != culprit.tool)
      continue;
    for (auto& chain : table.chains) {
      if (!chain.base || chain.base->hook != hook) continue;
      std::set<std::string> seen;
      if (leads_to(table, chain, culprit.chain, seen)) return {&table, &chain};
    }
  }
  return {};
}

// Docker rewrites FORWARD, and leaves this chain, which comes first, to the administrator.
Chain* docker_user(Place& place) {
  if (place.base->name != "FORWARD") return nullptr;
  for (auto& chain : place.table->chains) {
    std::set<std::string> seen;
    if (chain.name == "DOCKER-USER" && leads_to(*place.table, *place.base, chain.name, seen))
      return &chain;
  }
  return nullptr;
}

Match matching(Field field, Wide first, Wide last) {
  Match match;
  Key key;
  key.field = field;
  match.keys.push_back(std::move(key));
  match.elements.push_back({{Interval{first, last}}, {}, {}, {}});
  return match;
}

Match matching(Field field, const Prefix& prefix) {
  auto last = prefix.address().bytes();
  for (unsigned bit = prefix.length(); bit < prefix.address().bits(); ++bit)
    last[bit / 8] = static_cast<std::uint8_t>(last[bit / 8] | (0x80u >> (bit % 8)));
  return matching(field, wide(prefix.address()), wide(IpAddress(prefix.family(), last.data())));
}

// ebtables has no list of ports.
bool takes_one_port(const Table& table) { return table.tool == RuleTool::kEbtablesLegacy; }

Rule rule_of(const Table& table, const Acceptance& what) {
  const bool v4 = what.from.family() == Family::kIpv4;
  Rule rule;
  rule.text = "(proposed)";
  if (what.kind == PathKind::kNeighbours) {
    rule.steps.push_back(
        v4 ? matching(Field::kEtherType, kArp, kArp)
           : matching(Field::kIcmp6Type, what.neighbour_type, what.neighbour_type));
    rule.steps.push_back(VerdictStep{RuleVerdict::kAccept, {}});
    return rule;
  }
  rule.steps.push_back(matching(v4 ? Field::kIpSource : Field::kIp6Source, what.from));
  rule.steps.push_back(matching(v4 ? Field::kIpDestination : Field::kIp6Destination, what.to));
  if (what.kind == PathKind::kEsp) rule.steps.push_back(matching(Field::kL4proto, 50, 50));
  if (what.kind == PathKind::kIke) {
    rule.steps.push_back(matching(Field::kL4proto, 17, 17));
    const auto first = takes_one_port(table) ? what.ike_port : kPortIke;
    Match ports = matching(Field::kDestinationPort, first, first);
    ports.keys.front().protocol = 17;
    if (!takes_one_port(table))
      ports.elements.push_back({{Interval{kPortNatT, kPortNatT}}, {}, {}, {}});
    rule.steps.push_back(std::move(ports));
  }
  if (what.kind == PathKind::kPathMtu) {
    rule.steps.push_back(
        matching(v4 ? Field::kIcmpType : Field::kIcmp6Type, v4 ? 3 : 2, v4 ? 3 : 2));
  }
  rule.steps.push_back(VerdictStep{RuleVerdict::kAccept, {}});
  return rule;
}

std::string in_iptables(const Place& place, const Chain& chain, const Acceptance& what) {
  const bool v4 = what.from.family() == Family::kIpv4;
  std::string out = v4 ? "iptables" : "ip6tables";
  // Which of the two the plain name means is the distribution's choice.
  out += place.table->tool == RuleTool::kIptablesLegacy ? "-legacy" : "-nft";
  if (place.table->name != "filter") out += " -t " + place.table->name;
  out += " -I " + chain.name;
  if (what.kind == PathKind::kNeighbours)
    return out + " -p icmpv6 --icmpv6-type " + std::to_string(what.neighbour_type) + " -j ACCEPT";
  out += " -s " + what.from.text() + " -d " + what.to.text();
  if (what.kind == PathKind::kEsp) out += " -p esp";
  if (what.kind == PathKind::kIke) out += " -p udp -m multiport --dports 500,4500";
  if (what.kind == PathKind::kPathMtu)
    out += v4 ? " -p icmp --icmp-type fragmentation-needed"
              : " -p icmpv6 --icmpv6-type packet-too-big";
  return out + " -j ACCEPT";
}

std::string in_ebtables(const Place& place, const Chain& chain, const Acceptance& what) {
  const bool v4 = what.from.family() == Family::kIpv4;
  const std::string ip = v4 ? " --ip-" : " --ip6-";
  // The plain name may be that of the one for nft.
  std::string out = "ebtables-legacy";
  if (place.table->name != "filter") out += " -t " + place.table->name;
  out += " -I " + chain.name;
  if (what.kind == PathKind::kNeighbours && v4) return out + " -p ARP -j ACCEPT";
  out += v4 ? " -p IPv4" : " -p IPv6";
  if (what.kind == PathKind::kNeighbours)
    return out + " --ip6-proto ipv6-icmp --ip6-icmp-type " + std::to_string(what.neighbour_type) +
           " -j ACCEPT";
  out += ip + "src " + what.from.text() + ip + "dst " + what.to.text();
  if (what.kind == PathKind::kEsp) out += ip + "proto esp";
  if (what.kind == PathKind::kIke)
    out += ip + "proto udp" + ip + "dport " + std::to_string(what.ike_port);
  if (what.kind == PathKind::kPathMtu)
    out += v4 ? " --ip-proto icmp --ip-icmp-type fragmentation-needed"
              : " --ip6-proto ipv6-icmp --ip6-icmp-type packet-too-big";
  return out + " -j ACCEPT";
}

std::string in_nft(const Place& place, const Chain& chain, const Acceptance& what) {
  const bool v4 = what.from.family() == Family::kIpv4;
  const std::string ip = v4 ? "ip" : "ip6";
  std::string out = "nft insert rule " + std::string(to_string(place.table->family)) + " " +
                    place.table->name + " " + chain.name;
  if (what.kind == PathKind::kNeighbours) {
    if (!v4) return out + " icmpv6 type " + std::to_string(what.neighbour_type) + " accept";
    return out + (place.table->family == TableFamily::kArp ? " arp htype 1" : " ether type arp") +
           " accept";
  }
  out += " " + ip + " saddr " + what.from.text() + " " + ip + " daddr " + what.to.text();
  if (what.kind == PathKind::kEsp) out += " meta l4proto esp";
  if (what.kind == PathKind::kIke) out += " udp dport '{ 500, 4500 }'";
  if (what.kind == PathKind::kPathMtu)
    out += v4 ? " icmp type destination-unreachable" : " icmpv6 type packet-too-big";
  return out + " accept";
}

// The tables of iptables-nft look like any other to nft, which prints them in its own words.
bool looks_like_iptables(const Table& table) {
  if (table.family != TableFamily::kIp && table.family != TableFamily::kIp6) return false;
  static const std::set<std::string> kNames = {"filter", "nat", "mangle", "raw", "security"};
  if (kNames.count(table.name) == 0) return false;
  return std::any_of(table.chains.begin(), table.chains.end(), [](const Chain& chain) {
    return chain.base && (chain.name == "FORWARD" || chain.name == "INPUT" ||
                          chain.name == "OUTPUT" || chain.name == "PREROUTING");
  });
}

std::string command(const Place& place, const Chain& chain, const Acceptance& what) {
  switch (place.table->tool) {
    case RuleTool::kNft:
      return looks_like_iptables(*place.table) ? in_iptables(place, chain, what)
                                               : in_nft(place, chain, what);
    case RuleTool::kIptablesNft:
    case RuleTool::kIptablesLegacy:
      return in_iptables(place, chain, what);
    case RuleTool::kEbtablesLegacy:
      return in_ebtables(place, chain, what);
  }
  return {};
}

}  // namespace

std::optional<std::string> accept_before(Ruleset& ruleset, const RuleEvidence& culprit,
                                         PacketHook hook, const Acceptance& what) {
  Place place = place_of(ruleset, culprit, hook);
  if (place.base == nullptr) return std::nullopt;
  Chain* chain = docker_user(place);
  if (chain == nullptr) chain = place.base;
  chain->rules.insert(chain->rules.begin(), rule_of(*place.table, what));
  return command(place, *chain, what);
}

}  // namespace espial
