// SPDX-License-Identifier: Apache-2.0
#include "firewall/random_rules.h"

namespace espial::test {
namespace {

std::string iptables_address(Dice& dice, bool v6) {
  const bool source = dice.one_in(2);
  const std::string negated = dice.one_in(4) ? "! " : "";
  const std::string host = random_address(dice, v6, source);
  if (dice.one_in(6)) {
    const std::string net = v6 ? (source ? "fd07::" : "fd08::") : (source ? "10.7.0." : "10.8.0.");
    return "-m iprange " + negated + (source ? "--src-range " : "--dst-range ") + net + "2-" + net +
           "3 ";
  }
  const std::string mask =
      v6 ? dice.pick({"", "/64", "/127", "/126"}) : dice.pick({"", "/24", "/31", "/255.0.0.255"});
  return negated + (source ? "-s " : "-d ") + host + mask + " ";
}

std::string iptables_device(Dice& dice, const std::string& chain) {
  const std::string negated = dice.one_in(3) ? "! " : "";
  const bool in =
      chain == "PREROUTING" || chain == "INPUT" || (chain == "FORWARD" && dice.one_in(2));
  // Only chains that surely have the device may name it.
  if (chain != "FORWARD" && !in && chain != "OUTPUT" && chain != "POSTROUTING") return "";
  return negated + (in ? dice.pick({"-i w0 ", "-i w+ ", "-i lo "})
                       : dice.pick({"-o w1 ", "-o w+ ", "-o docker0 "}));
}

std::string iptables_protocol(Dice& dice, bool v6) {
  const std::string negated = dice.one_in(4) ? "! " : "";
  const std::string transport = dice.pick({"tcp", "udp"});
  switch (dice.roll(6)) {
    case 0:
      return "-p " + transport + " -m multiport --dports " + random_port(dice) + ",400:500 ";
    case 1:
      return "-p tcp -m tcp " + negated + dice.pick({"--syn ", "--tcp-flags SYN,ACK ACK "});
    case 2:
      if (v6) return "-p ipv6-icmp -m icmp6 --icmpv6-type 128 ";
      return "-p icmp -m icmp --icmp-type " + dice.pick({"8 ", "any ", "8/0 ", "3/1 "});
    case 3:
      return negated + "-p " + transport + " ";
    default:
      return "-p " + transport + " -m " + transport + " " + negated +
             dice.pick({"--dport ", "--sport "}) + dice.pick({"", ":", "50:"}) +
             dice.pick({"80", "443", "1000"}) + " ";
  }
}

std::string other_match(Dice& dice, const std::string& chain) {
  if (dice.one_in(40)) return "-m limit --limit 10000/sec --limit-burst 1000 ";
  if (dice.one_in(40)) return "-m addrtype --dst-type UNICAST ";
  if (chain == "FORWARD" && dice.one_in(4))
    return "-m policy --dir " + dice.pick({"in", "out"}) + " --pol " +
           dice.pick({"none ", "ipsec "});
  const std::string negated = dice.one_in(4) ? "! " : "";
  if (dice.one_in(2))
    return "-m mark " + negated + "--mark " + dice.pick({"0x1 ", "0x2/0x3 ", "0 "});
  return "-m conntrack " + negated + "--ctstate " +
         dice.pick({"NEW ", "RELATED,ESTABLISHED ", "INVALID ", "NEW,UNTRACKED "});
}

std::string target(Dice& dice, const std::string& table, const std::string& chain, bool v6) {
  if (table == "nat" && chain == "PREROUTING" && dice.one_in(2))
    return "-j DNAT --to-destination " + random_address(dice, v6, false);
  if (table == "nat" && chain == "POSTROUTING" && dice.one_in(2))
    return dice.one_in(2) ? "-j MASQUERADE"
                          : "-j SNAT --to-source " + std::string(v6 ? "fd09:1::77" : "10.9.1.77");
  if (table == "mangle" && dice.one_in(2))
    return "-j MARK --set-xmark " + dice.pick({"0x1/0xffffffff", "0x2/0x3", "0x0/0x1"});
  if (table == "raw" && dice.one_in(3)) return "-j CT --notrack";
  if (table == "filter" && dice.one_in(8)) return "-j REJECT";
  if (chain != "USER" && chain != "OTHER" && dice.one_in(4))
    return dice.pick({"-j USER", "-g OTHER", "-j OTHER"});
  // iptables refuses DROP in nat.
  if (table == "nat")
    return dice.pick({"-j ACCEPT", "-j RETURN", "-m comment --comment \"-j DROP\""});
  return dice.pick({"-j ACCEPT", "-j DROP", "-j DROP", "-j RETURN", "-j ACCEPT",
                    "-m comment --comment \"no target\""});
}

std::string iptables_rule(Dice& dice, const std::string& table, const std::string& chain, bool v6) {
  // The order of iptables-save: addresses, devices, protocol, modules, target.
  std::string text = "-A " + chain + " ";
  if (dice.one_in(2)) text += iptables_address(dice, v6);
  if (dice.one_in(3)) text += iptables_device(dice, chain);
  if (dice.one_in(2)) text += iptables_protocol(dice, v6);
  if (dice.one_in(3)) text += other_match(dice, chain);
  return text + target(dice, table, chain, v6) + "\n";
}

std::string iptables_table(Dice& dice, const std::string& name,
                           std::initializer_list<const char*> chains, bool v6) {
  std::string text = "*" + name + "\n";
  std::string rules;
  for (const std::string chain : chains) {
    const bool drop = name == "filter" && chain == "FORWARD" && dice.one_in(3);
    text += ":" + chain + (drop ? " DROP [0:0]\n" : " ACCEPT [0:0]\n");
    for (unsigned i = dice.roll(5); i > 0; --i) rules += iptables_rule(dice, name, chain, v6);
  }
  text += ":USER - [0:0]\n:OTHER - [0:0]\n";
  for (const std::string chain : {"USER", "OTHER"})
    for (unsigned i = dice.roll(3); i > 0; --i) rules += iptables_rule(dice, name, chain, v6);
  return text + rules + "COMMIT\n";
}

}  // namespace

std::string random_iptables(Dice& dice, bool ipv6) {
  std::string text = iptables_table(dice, "filter", {"INPUT", "FORWARD", "OUTPUT"}, ipv6);
  if (dice.one_in(2))
    text += iptables_table(dice, "nat", {"PREROUTING", "OUTPUT", "POSTROUTING"}, ipv6);
  if (dice.one_in(2))
    text += iptables_table(dice, "mangle", {"PREROUTING", "FORWARD", "POSTROUTING"}, ipv6);
  if (dice.one_in(3)) text += iptables_table(dice, "raw", {"PREROUTING", "OUTPUT"}, ipv6);
  return text;
}

}  // namespace espial::test
