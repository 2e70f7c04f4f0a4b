// SPDX-License-Identifier: Apache-2.0
#include "cli/flows_text.h"

#include <netinet/in.h>

#include <algorithm>
#include <vector>

#include "cli/text_table.h"
#include "cli/wording.h"

namespace espial {
namespace {

using nlohmann::json;

std::string protocol_text(const json& flow) {
  if (field(flow, "protocol").is_string()) return text_field(flow, "protocol");
  const auto number = count_field(flow, "protocol");
  switch (number) {
    case IPPROTO_ICMP:
      return "icmp";
    case IPPROTO_ICMPV6:
      return "icmp6";
    case IPPROTO_TCP:
      return "tcp";
    case IPPROTO_UDP:
      return "udp";
    default:  // a number of the wire, no enum of ours
      return std::to_string(number);
  }
}

// "10.0.0.1:80", "[fd00::1]:80", "10.0.0.1".
std::string end_text(const json& flow, std::string_view address_key, std::string_view port_key) {
  const auto address = text_field(flow, address_key);
  const auto port = count_field(flow, port_key);
  if (port == 0) return address;
  const bool ipv6 = address.find(':') != std::string::npos;
  return (ipv6 ? "[" + address + "]:" : address + ":") + std::to_string(port);
}

}  // namespace

json select_flows(json flows, std::string_view klass) {
  const auto list = flows.is_object() ? flows.find("flows") : flows.end();
  if (klass.empty() || list == flows.end() || !list->is_array()) return flows;
  json kept = json::array();
  for (auto& flow : *list)
    if (text_field(flow, "class") == klass) kept.push_back(std::move(flow));
  *list = std::move(kept);
  return flows;
}

std::string flow_line(const json& flow) {
  return protocol_text(flow) + " " + end_text(flow, "source", "source_port") + " > " +
         end_text(flow, "destination", "destination_port");
}

std::string render_flows(const json& flows, const RenderStyle& style) {
  std::vector<const json*> sorted;
  for (const auto& flow : field(flows, "flows")) sorted.push_back(&flow);
  if (sorted.empty()) return "no unprotected flow was seen\n";
  std::stable_sort(sorted.begin(), sorted.end(), [](const json* a, const json* b) {
    const auto left = parse_time(text_field(*a, "last"));
    const auto right = parse_time(text_field(*b, "last"));
    return left > right;
  });
  TextTable table({{"LAST", false, 0},
                   {"FIRST", false, 2},
                   {"DIRECTION", false, 0},
                   {"CLASS", false, 0},
                   {"PEER", false, 0},
                   {"DEVICE", false, 1},
                   {"PROTO", false, 0},
                   {"SOURCE", false, 0},
                   {"DESTINATION", false, 0},
                   {"PACKETS", true, 0},
                   {"BYTES", true, 1}});
  for (const json* flow : sorted)
    table.add({{text_field(*flow, "last")},
               {text_field(*flow, "first")},
               {text_field(*flow, "direction")},
               {text_field(*flow, "class"), Colour::kRed},
               {text_field(*flow, "peer")},
               {text_field(*flow, "device")},
               {protocol_text(*flow)},
               {end_text(*flow, "source", "source_port")},
               {end_text(*flow, "destination", "destination_port")},
               {grouped(count_field(*flow, "packets"))},
               {grouped(count_field(*flow, "bytes"))}});
  return table.text(style);
}

}  // namespace espial
