// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <vector>

#include "firewall/random_rules.h"

namespace espial::test {
namespace {

struct Place {
  std::string family;  // ip, ip6, inet, netdev
  std::string hook;    // "" in chains that are jumped to
  bool nat = false;
  bool v6 = false;  // which addresses this rule talks about
};

std::string prefix_of(Dice& dice, bool v6, bool source) {
  const std::string net = source ? "7" : "8";
  if (v6) return "fd0" + net + dice.pick({"::/64", "::/16", "::/126", "::2/127"});
  return "10." + net + dice.pick({".0.0/16", ".0.0/24", ".0.0/30", ".0.2/31"});
}

std::string range_of(Dice& dice, bool v6, bool source) {
  const std::string net = v6 ? (source ? "fd07::" : "fd08::") : (source ? "10.7.0." : "10.8.0.");
  const unsigned first = 1 + dice.roll(3);
  return net + std::to_string(first) + "-" + net + std::to_string(first + 1 + dice.roll(3));
}

std::string addresses(Dice& dice, bool v6, bool source) {
  switch (dice.roll(5)) {
    case 0:
      return prefix_of(dice, v6, source);
    case 1:
      return range_of(dice, v6, source);
    case 2:
      return "{ " + prefix_of(dice, v6, source) + ", " + (v6 ? "fd09::1" : "10.9.0.1") + " }";
    default:
      return random_address(dice, v6, source);
  }
}

std::string address_match(Dice& dice, const Place& place) {
  const bool source = dice.one_in(2);
  const std::string key =
      (place.v6 ? std::string("ip6 ") : std::string("ip ")) + (source ? "saddr " : "daddr ");
  if (dice.one_in(8))
    return key + "@" + (source ? "sources" : "destinations") + (place.v6 ? "6 " : "4 ");
  if (!place.v6 && dice.one_in(8))
    return key + "& 0.0.0.1 == " + dice.pick({"0.0.0.1 ", "0.0.0.0 "});
  return key + dice.pick({"", "", "!= "}) + addresses(dice, place.v6, source) + " ";
}

std::string port_match(Dice& dice) {
  const std::string key = dice.pick({"tcp ", "udp "}) + dice.pick({"dport ", "dport ", "sport "});
  switch (dice.roll(6)) {
    case 0:
      return key + "{ " + random_port(dice) + ", 8000-9000 } ";
    case 1:
      return key + dice.pick({"!= ", "> ", "< ", ">= ", "<= "}) + random_port(dice) + " ";
    case 2:
      return key + dice.pick({"1-100 ", "!= 50-500 ", "400-65535 "});
    case 3:
      return "meta l4proto { tcp, udp } th dport " + random_port(dice) + " ";
    case 4:
      return key + "@ports ";
    default:
      return key + random_port(dice) + " ";
  }
}

std::string device_match(Dice& dice) {
  return dice.pick({"iifname \"w0\" ", "oifname \"w1\" ", "iifname != \"w0\" ", "oifname \"w*\" ",
                    "iifname { \"w1\", \"lo\" } ", "iif \"w0\" ", "oif != \"w1\" ",
                    "iif != \"lo\" ", "iifname . oifname { \"w0\" . \"w1\" } ",
                    "oifname != \"w*\" ", "oifname @wires "});
}

std::string protocol_match(Dice& dice, const Place& place) {
  if (dice.one_in(3))
    return dice.pick({"tcp flags syn ", "tcp flags & (syn | ack) == syn ", "tcp flags != syn ",
                      "tcp flags == ack ", "tcp flags { syn, ack } "});
  if (dice.one_in(3))
    return place.v6 ? "icmpv6 type echo-request " : "icmp type { echo-request, echo-reply } ";
  if (place.family == "inet" && dice.one_in(3))
    return dice.pick({"meta nfproto ipv4 ", "meta nfproto ipv6 ", "meta protocol ip ",
                      "meta protocol { ip6 } "});
  return dice.pick({"meta l4proto tcp ", "meta l4proto != tcp ", "meta l4proto { tcp, udp } ",
                    "meta l4proto { icmp, ipv6-icmp } ", "meta l4proto 1-10 "});
}

std::string state_match(Dice& dice, const Place& place) {
  if (place.family == "netdev")
    return dice.pick({"meta mark 1 ", "meta mark & 0x3 == 0x2 ", "meta mark != 0 "});
  if (place.hook == "forward" && dice.one_in(3))
    return dice.pick({"rt ipsec missing ", "rt ipsec exists ", "meta ipsec missing "});
  return dice.pick({"ct state new ", "ct state established,related ", "ct state != new ",
                    "ct state invalid ", "ct state { new, untracked } ", "ct state ! invalid ",
                    "meta mark 1 ", "meta mark & 0x3 == 0x2 ", "meta mark != 0 ",
                    "meta mark { 0, 2-3 } ", "meta mark or 1 == 1 ", "meta mark < 2 ",
                    "ct direction original ", "ct status dnat ", "ct status dnat "});
}

// What routes and addresses say; nft_fib_validate() has which hooks may ask what.
std::string fib_match(Dice& dice, const Place& place) {
  const bool arrives =
      place.hook == "prerouting" || place.hook == "input" || place.hook == "forward";
  if (place.hook == "prerouting" && dice.one_in(3))
    return dice.pick({"fib saddr oif exists ", "fib saddr oif missing ", "fib daddr oif missing ",
                      "fib daddr oifname \"w1\" "});
  if (arrives && dice.one_in(2))
    return dice.pick({"fib saddr . iif oif missing ", "fib saddr . iif oif exists ",
                      "fib saddr . mark . iif oif missing ", "fib saddr . iif oifname \"w0\" ",
                      "fib daddr . iif type local ", "fib daddr . iif type != unicast "});
  return dice.pick({"fib daddr type local ", "fib daddr type unicast ", "fib saddr type local ",
                    "fib daddr type { local, broadcast, multicast } ", "fib daddr type != local "});
}

std::string concat_match(Dice& dice, const Place& place) {
  const std::string family = place.v6 ? "ip6 " : "ip ";
  const std::string from = prefix_of(dice, place.v6, true);
  const std::string to = prefix_of(dice, place.v6, false);
  if (dice.one_in(2)) return family + "saddr . " + family + "daddr { " + from + " . " + to + " } ";
  return family + "daddr . tcp dport { " + to + " . " + random_port(dice) + ", " +
         random_address(dice, place.v6, false) + " . 2000-3000 } ";
}

// What espial does not evaluate, and says so.
std::string opaque_match(Dice& dice) {
  return dice.pick({"meta length < 1000 ", "limit rate 100000/second burst 1000 packets ",
                    "meta pkttype host "});
}

std::string match(Dice& dice, const Place& place) {
  if (dice.one_in(60)) return opaque_match(dice);
  if (place.family != "netdev" && dice.one_in(12)) return fib_match(dice, place);
  switch (dice.roll(7)) {
    case 0:
      return port_match(dice);
    case 1:
      return device_match(dice);
    case 2:
      return protocol_match(dice, place);
    case 3:
      return state_match(dice, place);
    case 4:
      return concat_match(dice, place);
    default:
      return address_match(dice, place);
  }
}

std::string map_verdict(Dice& dice, bool may_jump) {
  if (may_jump && dice.one_in(3)) return dice.pick({"jump one", "goto two"});
  return dice.pick({"accept", "drop", "return", "continue"});
}

std::string verdict_map(Dice& dice, const Place& place, bool may_jump) {
  const std::string family = place.v6 ? "ip6 " : "ip ";
  const auto verdict = [&] { return map_verdict(dice, may_jump); };
  switch (dice.roll(5)) {
    case 0:
      if (place.family == "netdev")
        return "meta mark vmap { 0 : " + verdict() + ", 1-3 : " + verdict() + " }";
      return "ct state vmap { new : " + verdict() + ", established : accept, invalid : drop }";
    case 1:
      return "iifname vmap { \"w0\" : " + verdict() + ", \"w1\" : " + verdict() + " }";
    case 2:
      return "tcp dport vmap { 22 : " + verdict() + ", 80-443 : " + verdict() + " }";
    case 3:
      return family + "saddr vmap { " + prefix_of(dice, place.v6, true) + " : " + verdict() +
             ", * : " + verdict() + " }";
    default:
      return "meta l4proto . th dport vmap { tcp . 80 : " + verdict() +
             ", udp . 53 : " + verdict() + " }";
  }
}

std::string statement(Dice& dice, const Place& place, bool may_jump) {
  if (place.nat && dice.one_in(2)) {
    const std::string by = place.v6 ? " ip6" : " ip";
    const std::string family = place.family == "inet" ? by : "";
    if (place.hook == "prerouting")
      return "dnat" + family + " to " + random_address(dice, place.v6, false);
    if (dice.one_in(2)) return "masquerade";
    return "snat" + family + " to " + (place.v6 ? "fd09:1::77" : "10.9.1.77");
  }
  if (may_jump && dice.one_in(4)) return dice.pick({"jump one", "goto two", "jump two"});
  if (place.hook == "prerouting" && !place.nat && dice.one_in(6)) return "notrack";
  return dice.pick({"accept", "accept", "drop", "drop", "return", "counter", "continue",
                    "meta mark set 1", "meta mark set meta mark | 2", "counter accept",
                    "meta mark set mark and 0xfffffffd", "counter drop", "reject"});
}

std::string nft_rule(Dice& dice, Place place, bool may_jump) {
  place.v6 = place.family == "ip6" ||
             ((place.family == "inet" || place.family == "netdev") && dice.one_in(2));
  std::string text = "    ";
  text += match(dice, place);
  // A second match about the protocol might contradict the first, which nft refuses.
  if (dice.one_in(2)) text += dice.one_in(2) ? device_match(dice) : state_match(dice, place);
  std::string action = statement(dice, place, may_jump);
  // A translation must know its family, and the kernel rejects only where it can answer.
  if (action.find("nat") != std::string::npos || action == "masquerade")
    text = std::string(place.family != "inet" ? "    "
                       : place.v6             ? "    meta nfproto ipv6 "
                                              : "    meta nfproto ipv4 ") +
           (dice.one_in(2) ? device_match(dice) : address_match(dice, place));
  const bool may_reject = place.hook == "forward" || place.hook == "input";
  if (action == "reject" && (!may_reject || place.nat)) action = "drop";
  if (dice.one_in(6)) return "    " + verdict_map(dice, place, may_jump) + "\n";
  return text + action + "\n";
}

std::string rules(Dice& dice, const Place& place, unsigned most, bool may_jump) {
  std::string text;
  for (unsigned i = dice.roll(most + 1); i > 0; --i) text += nft_rule(dice, place, may_jump);
  return text;
}

std::string sets(const std::string& family) {
  std::string text =
      "  set ports { type inet_service; flags interval; elements = { 22, 80-90, 1000 }\n  }\n"
      "  set wires { type ifname; elements = { \"w0\", \"lo\" }\n  }\n";
  text +=
      "  set sources4 { type ipv4_addr; flags interval; elements = { 10.7.0.0/31, "
      "10.7.0.3 comment \"x\" }\n  }\n"
      "  set destinations4 { type ipv4_addr; elements = { 10.8.0.1, 10.8.0.4 }\n  }\n"
      "  set sources6 { type ipv6_addr; flags interval; elements = { fd07::2-fd07::3 }\n  }\n"
      "  set destinations6 { type ipv6_addr; elements = { fd08::1, fd08::4 }\n  }\n";
  return family.empty() ? "" : text;
}

std::string base_chain(Dice& dice, const std::string& family, unsigned number) {
  Place place{
      family,
      dice.pick({"forward", "forward", "forward", "prerouting", "postrouting", "input", "output"}),
      dice.one_in(4), false};
  if (place.nat && place.hook != "prerouting") place.hook = "postrouting";
  const std::string priority = place.nat ? dice.pick({"-100", "100", "0"})
                                         : dice.pick({"-300", "-150", "0", "0", "10", "150"});
  const std::string policy = place.hook == "forward" && dice.one_in(4) ? "drop" : "accept";
  return "  chain base" + std::to_string(number) + " {\n    type " +
         (place.nat ? "nat" : "filter") + " hook " + place.hook + " priority " + priority +
         "; policy " + policy + ";\n" + rules(dice, place, 6, !place.nat) + "  }\n";
}

// What is neither IPv4 nor IPv6 passes: the frames by which the test knows the end of a batch.
std::string device_chain(Dice& dice, unsigned number) {
  const Place place{"netdev", dice.pick({"ingress", "egress"}), false, false};
  return "  chain base" + std::to_string(number) + " {\n    type filter hook " + place.hook +
         " device \"" + dice.pick({"w0", "w1"}) + "\" priority " + dice.pick({"-10", "0", "5"}) +
         "; policy " + (dice.one_in(6) ? "drop" : "accept") +
         ";\n    meta protocol != { ip, ip6 } accept\n" + rules(dice, place, 5, true) + "  }\n";
}

std::string nft_table(Dice& dice, unsigned number) {
  const std::string family = dice.pick({"ip", "ip6", "inet", "inet", "netdev"});
  std::string text = "table " + family + " t" + std::to_string(number) + " {\n";
  if (dice.one_in(12)) text += "  flags dormant\n";
  text += sets(family);
  const Place inner{family, "", false, false};
  text += "  chain two {\n" + rules(dice, inner, 3, false) + "  }\n";
  std::string one = rules(dice, inner, 3, false);
  if (dice.one_in(3)) one += "    " + dice.pick({"jump two", "goto two"}) + "\n";
  text += "  chain one {\n" + one + "  }\n";
  for (unsigned i = 1 + dice.roll(3); i > 0; --i)
    text += family == "netdev" ? device_chain(dice, i) : base_chain(dice, family, i);
  return text + "}\n";
}

}  // namespace

std::string random_address(Dice& dice, bool ipv6, bool source) {
  return (ipv6 ? (source ? "fd07::" : "fd08::") : (source ? "10.7.0." : "10.8.0.")) +
         std::to_string(1 + dice.roll(4));
}

std::string random_port(Dice& dice) { return dice.pick({"22", "53", "80", "443", "1000"}); }

std::string random_nft(Dice& dice) {
  std::string text;
  for (unsigned i = 1 + dice.roll(3); i > 0; --i) text += nft_table(dice, i);
  return text;
}

}  // namespace espial::test
