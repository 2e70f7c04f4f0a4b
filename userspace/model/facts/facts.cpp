// SPDX-License-Identifier: Apache-2.0
#include "model/facts/facts.h"

#include <array>
#include <charconv>

namespace espial {
namespace {

std::string table_name(unsigned table) {
  switch (table) {
    case 253:
      return "default";
    case 254:
      return "main";
    case 255:
      return "local";
    default:
      return std::to_string(table);
  }
}

std::string hexadecimal(std::uint32_t number) {
  std::array<char, 8> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), number, 16).ptr;
  return "0x" + std::string(digits.begin(), end);
}

std::string action_text(const RuleFact& rule) {
  switch (rule.action) {
    case RuleAction::kLookup:
      return rule.l3mdev ? "lookup [l3mdev-table]" : "lookup " + table_name(rule.table);
    case RuleAction::kBlackhole:
      return "blackhole";
    case RuleAction::kUnreachable:
      return "unreachable";
    case RuleAction::kProhibit:
      return "prohibit";
    case RuleAction::kGoto:
      return "goto " + std::to_string(rule.target);
    case RuleAction::kNop:
      return "nop";
    case RuleAction::kOther:
      return "an unknown action";
  }
  return "";
}

}  // namespace

std::string_view to_string(RouteKind kind) {
  switch (kind) {
    case RouteKind::kUnicast:
      return "unicast";
    case RouteKind::kBlackhole:
      return "blackhole";
    case RouteKind::kUnreachable:
      return "unreachable";
    case RouteKind::kProhibit:
      return "prohibit";
    case RouteKind::kThrow:
      return "throw";
  }
  return "";
}

std::string protocol_text(std::uint8_t protocol) {
  switch (protocol) {
    case 6:
      return "tcp";
    case 17:
      return "udp";
    case 1:
      return "icmp";
    case 58:
      return "icmpv6";
    case 50:
      return "ESP";
    case 51:
      return "AH";
    case 108:
      return "IPComp";
    default:
      return "protocol " + std::to_string(protocol);
  }
}

std::string XfrmPolicyFact::text() const {
  std::string text = source.text() + " > " + destination.text();
  if (protocol != 0) text += " " + protocol_text(protocol);
  for (const auto& port : {source_port, destination_port})
    if (port.mask != 0) text += " port " + std::to_string(port.value);
  return text + ", priority " + std::to_string(priority);
}

std::string RouteFact::text() const {
  std::string out = kind == RouteKind::kUnicast ? "" : std::string(to_string(kind)) + " ";
  out += destination.text();
  if (gateway) out += " via " + gateway->text();
  if (table != 254) out += " table " + table_name(table);
  return out;
}

std::string RuleFact::text() const {
  std::string out = std::to_string(priority) + ": " + (invert ? "not " : "") + "from " +
                    (source.length() == 0 ? "all" : source.text());
  if (destination.length() != 0) out += " to " + destination.text();
  if (mark_mask != 0) out += " fwmark " + hexadecimal(mark);
  if (mark_mask != 0 && mark_mask != 0xffffffff) out += "/" + hexadecimal(mark_mask);
  if (!iif.empty()) out += " iif " + iif;
  if (!oif.empty()) out += " oif " + oif;
  for (const auto& condition : conditions) out += " " + condition;
  out += " " + action_text(*this);
  if (suppress_length >= 0) out += " suppress_prefixlength " + std::to_string(suppress_length);
  return out;
}

}  // namespace espial
