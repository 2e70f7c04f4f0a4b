// SPDX-License-Identifier: Apache-2.0
#include "cli/text/flows_text.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>
#include <vector>

#include "cli/text/text_table.h"
#include "cli/text/wording.h"
#include "model/words.h"

namespace espial {
namespace {

using nlohmann::json;

std::string flow_protocol(const json& flow) {
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

// What may happen to packets of a flow: the word that selects it, its column, where it is counted.
struct FlowFate {
  std::string_view word;
  const char* title;
  std::string_view key;
};
constexpr std::array kFates{FlowFate{"dropped", "DROPPED", "dropped_packets"},
                            FlowFate{"would_drop", "WOULD DROP", "would_drop_packets"}};

// How flows that the kernel dropped are selected: with those that espial dropped.
constexpr std::string_view kDropped = "dropped";

bool is_of(const json& flow, std::string_view kind) {
  for (const FlowFate& fate : kFates)
    if (kind == fate.word) return count_field(flow, fate.key) > 0;
  return text_field(flow, "class") == kind;
}

// The fates that need a column: what never happened needs none.
std::vector<FlowFate> seen_fates(const std::vector<const json*>& flows) {
  std::vector<FlowFate> seen;
  std::copy_if(kFates.begin(), kFates.end(), std::back_inserter(seen), [&](const FlowFate& fate) {
    return std::any_of(flows.begin(), flows.end(),
                       [&](const json* flow) { return is_of(*flow, fate.word); });
  });
  return seen;
}

TextTable flow_table(const std::vector<FlowFate>& fates) {
  std::vector<TextColumn> columns{
      {"LAST", false, 0},   {"FIRST", false, 2},  {"DIRECTION", false, 0},
      {"CLASS", false, 0},  {"PEER", false, 0},   {"DEVICE", false, 1},
      {"PROTO", false, 0},  {"SOURCE", false, 0}, {"DESTINATION", false, 0},
      {"PACKETS", true, 0}, {"BYTES", true, 1}};
  for (const FlowFate& fate : fates) columns.push_back({fate.title, true, 0});
  return TextTable(std::move(columns));
}

std::vector<TextCell> flow_row(const json& flow, const std::vector<FlowFate>& fates) {
  std::vector<TextCell> row{{text_field(flow, "last")},
                            {text_field(flow, "first")},
                            {text_field(flow, "direction")},
                            {text_field(flow, "class"), Colour::kRed},
                            {text_field(flow, "peer")},
                            {text_field(flow, "device")},
                            {flow_protocol(flow)},
                            {end_text(flow, "source", "source_port")},
                            {end_text(flow, "destination", "destination_port")},
                            {grouped(count_field(flow, "packets"))},
                            {grouped(count_field(flow, "bytes"))}};
  for (const FlowFate& fate : fates) row.push_back({grouped(count_field(flow, fate.key))});
  return row;
}

}  // namespace

std::vector<std::string> flow_kinds() {
  std::vector<std::string> kinds(kClassLabels.begin(), kClassLabels.end());
  for (const FlowFate& fate : kFates) kinds.emplace_back(fate.word);
  return kinds;
}

json select_flows(json flows, std::string_view kind) {
  const auto list = flows.is_object() ? flows.find("flows") : flows.end();
  if (kind.empty() || list == flows.end() || !list->is_array()) return flows;
  json kept = json::array();
  for (auto& flow : *list)
    if (is_of(flow, kind)) kept.push_back(std::move(flow));
  *list = std::move(kept);
  if (kind != kDropped) flows.erase("kernel_drops");
  return flows;
}

std::string flow_line(const json& flow) {
  return flow_protocol(flow) + " " + end_text(flow, "source", "source_port") + " > " +
         end_text(flow, "destination", "destination_port");
}

namespace {

// By netfilter in a hook, where it is known by a rule, or for a reason of the kernel's.
std::string cause_of(const json& drop) {
  const auto hook = text_field(drop, "hook");
  if (hook.empty()) return text_field(drop, "reason");
  const auto rule = text_field(drop, "rule");
  if (rule.empty()) return "netfilter " + hook;
  return "netfilter " + text_field(drop, "rule_hook") + " by " + rule;
}

std::string render_drops(const json& drops, const RenderStyle& style) {
  if (drops.empty()) return {};
  TextTable table({{"LAST", false, 0},
                   {"FIRST", false, 2},
                   {"DIRECTION", false, 0},
                   {"DROPPED BY THE KERNEL", false, 0},
                   {"PEER", false, 0},
                   {"DEVICE", false, 1},
                   {"PROTO", false, 0},
                   {"SOURCE", false, 0},
                   {"DESTINATION", false, 0},
                   {"PACKETS", true, 0}});
  for (const json& drop : drops)
    table.add({{text_field(drop, "last")},
               {text_field(drop, "first")},
               {text_field(drop, "direction")},
               {cause_of(drop), Colour::kYellow},
               {text_field(drop, "peer")},
               {text_field(drop, "device")},
               {flow_protocol(drop)},
               {end_text(drop, "source", "source_port")},
               {end_text(drop, "destination", "destination_port")},
               {grouped(count_field(drop, "packets"))}});
  return table.text(style);
}

}  // namespace

namespace {

// "12 packets since 2026-01-02T03:04:05.250Z" of what goes on; what a first packet needs not say.
std::string amount_text(const json& event) {
  const auto packets = count_field(event, "packets");
  std::string text;
  if (true_field(event, "again"))
    text = grouped(packets) + (packets == 1 ? " packet since " : " packets since ") +
           text_field(event, "first");
  for (const auto& [key, word] : {std::pair{"dropped_packets", "dropped"},
                                  std::pair{"would_drop_packets", "would be dropped"}}) {
    const auto count = count_field(event, key);
    if (count == 0) continue;
    if (!text.empty()) text += ", ";
    text += count == packets ? word : grouped(count) + " " + word;
  }
  return text;
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

}  // namespace

bool is_followed(const json& event, std::string_view kind) {
  const auto what = text_field(event, "event");
  if (kind.empty() || (what != "flow" && what != "kernel_drop")) return true;
  return what == "flow" ? is_of(event, kind) : kind == kDropped;
}

std::string follow_line(const json& event, const RenderStyle& style) {
  const auto what = text_field(event, "event");
  if (what == "lost") {
    const auto text = grouped(count_field(event, "lost")) +
                      " not shown: too many new flows at once; the counters include them all";
    return painted(text, Colour::kYellow, style) + "\n";
  }
  if (what != "flow" && what != "kernel_drop") return {};
  // Columns of the usual width: later lines are not known yet.
  constexpr std::size_t kCause = 17, kPeer = 12;
  const bool flow = what == "flow";
  const auto cause = padded(flow ? text_field(event, "class") : cause_of(event), kCause);
  std::string line = text_field(event, "last") + "  " + padded(text_field(event, "direction"), 8) +
                     "  " + painted(cause, flow ? Colour::kRed : Colour::kYellow, style) + "  " +
                     padded(text_field(event, "peer"), kPeer) + "  " + flow_line(event);
  if (const auto device = text_field(event, "device"); !device.empty()) line += "  " + device;
  auto amount = amount_text(event);
  if (!flow) amount = "dropped by the kernel" + (amount.empty() ? "" : ": " + amount);
  return line + (amount.empty() ? "" : "  " + amount) + "\n";
}

std::string render_flows(const json& flows, const RenderStyle& style) {
  std::vector<const json*> sorted;
  for (const auto& flow : field(flows, "flows")) sorted.push_back(&flow);
  const auto drops = render_drops(field(flows, "kernel_drops"), style);
  if (sorted.empty()) return drops.empty() ? "no unprotected flows seen\n" : drops;
  std::stable_sort(sorted.begin(), sorted.end(), [](const json* a, const json* b) {
    const auto left = parse_time(text_field(*a, "last"));
    const auto right = parse_time(text_field(*b, "last"));
    return left > right;
  });
  const auto fates = seen_fates(sorted);
  TextTable table = flow_table(fates);
  for (const json* flow : sorted) table.add(flow_row(*flow, fates));
  return table.text(style) + (drops.empty() ? "" : "\n" + drops);
}

}  // namespace espial
