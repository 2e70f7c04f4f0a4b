// SPDX-License-Identifier: Apache-2.0
#include "model/facts/firewall.h"

namespace espial {

Wide wide(const IpAddress& address) {
  Wide value = 0;
  for (unsigned i = 0; i < address.bits() / 8; ++i) value = (value << 8) | address.bytes()[i];
  return value;
}

std::string_view to_string(TableFamily family) {
  switch (family) {
    case TableFamily::kIp:
      return "ip";
    case TableFamily::kIp6:
      return "ip6";
    case TableFamily::kInet:
      return "inet";
    case TableFamily::kBridge:
      return "bridge";
    case TableFamily::kNetdev:
      return "netdev";
    case TableFamily::kArp:
      return "arp";
  }
  return "";
}

std::string_view to_string(PacketHook hook) {
  switch (hook) {
    case PacketHook::kIngress:
      return "ingress";
    case PacketHook::kPrerouting:
      return "prerouting";
    case PacketHook::kInput:
      return "input";
    case PacketHook::kForward:
      return "forward";
    case PacketHook::kOutput:
      return "output";
    case PacketHook::kPostrouting:
      return "postrouting";
    case PacketHook::kEgress:
      return "egress";
  }
  return "";
}

std::string_view to_string(RuleTool tool) {
  switch (tool) {
    case RuleTool::kNft:
      return "nft";
    case RuleTool::kIptablesNft:
      return "iptables-nft";
    case RuleTool::kIptablesLegacy:
      return "iptables-legacy";
    case RuleTool::kEbtablesLegacy:
      return "ebtables-legacy";
  }
  return "";
}

}  // namespace espial
