// SPDX-License-Identifier: Apache-2.0
#include "cli/text/modes_text.h"

#include <cmath>

#include "base/printable.h"
#include "cli/text/flows_text.h"
#include "cli/text/text_table.h"
#include "cli/text/wording.h"

namespace espial {
namespace {

using nlohmann::json;

constexpr std::size_t kFlowsShown = 20;

std::string seconds_left(const json& confirm) {
  const auto& left = field(confirm, "seconds_left");
  return std::to_string(left.is_number() ? std::lround(std::ceil(left.get<double>())) : 0) + " s";
}

// "3,456  2 min ago"
TextCell amount(const json& action, const std::string& now, Colour colour) {
  const auto packets = count_field(action, "packets");
  if (packets == 0) return {"0"};
  return {grouped(packets) + ", " + ago(text_field(action, "last"), now), colour};
}

bool obeyed(const json& peer) {
  const auto in_force = text_field(peer, "in_force");
  const auto mode = text_field(peer, "mode");
  return in_force.empty() ? mode == "monitor" : in_force == mode;
}

std::string remark(const json& peer) {
  std::string out;
  const auto add = [&](const std::string& text) { out += (out.empty() ? "" : "; ") + text; };
  if (const auto& confirm = field(peer, "confirm"); confirm.is_object())
    add("audit in " + seconds_left(confirm) + " unless confirmed");
  if (!obeyed(peer)) {
    const auto in_force = text_field(peer, "in_force");
    add(in_force.empty() ? "not in force: no programs" : "in force: " + in_force);
  }
  if (text_field(peer, "state") == "candidate") add("candidate: only monitored");
  return out;
}

Colour mode_colour(const std::string& mode) {
  if (mode == "enforce") return Colour::kGreen;
  return mode == "audit" ? Colour::kYellow : Colour::kNone;
}

std::string indented_lines(const json& list, const std::string& before) {
  std::string out;
  for (const auto& line : list)
    if (line.is_string()) out += before + printable(line.get_ref<const std::string&>()) + "\n";
  return out;
}

std::string flow_lines(const json& flows, const std::string& peer) {
  std::string out;
  for (std::size_t i = 0; i < flows.size() && i < kFlowsShown; ++i)
    out += "espial: " + peer + ": would be dropped: " + text_field(flows[i], "direction") + " " +
           flow_line(flows[i]) + ", " + text_field(flows[i], "class") + ", " +
           grouped(count_field(flows[i], "packets")) + " packets\n";
  if (flows.size() > kFlowsShown)
    out += "espial: " + peer + ": and " + std::to_string(flows.size() - kFlowsShown) +
           " more flows (see espial flows)\n";
  return out;
}

}  // namespace

std::string render_modes(const json& document, const RenderStyle& style) {
  const auto now = text_field(document, "time");
  std::string out = painted(text_field(document, "node"), Colour::kBold, style) + "  " + now +
                    "  enforce needs " + std::to_string(count_field(document, "audit_minutes")) +
                    " min of quiet audit\n";
  if (!true_field(field(document, "daemon"), "running"))
    out += painted("no daemon is running; deadlines still apply", Colour::kYellow, style) + "\n";
  TextTable table({{"PEER"},
                   {"MODE"},
                   {"FROM"},
                   {"SINCE", false, 1},
                   {"WOULD DROP", true},
                   {"DROPPED", true},
                   {"REMARK"}});
  for (const auto& peer : field(document, "peers")) {
    const auto mode = text_field(peer, "mode");
    const auto since = text_field(peer, "since");
    table.add({{text_field(peer, "name")},
               {mode, mode_colour(mode)},
               {text_field(peer, "mode_from")},
               {since.empty() ? "-" : ago(since, now)},
               amount(field(peer, "would_drop"), now, Colour::kYellow),
               amount(field(peer, "dropped"), now, Colour::kRed),
               {remark(peer), obeyed(peer) ? Colour::kNone : Colour::kRed}});
  }
  out += table.empty() ? "no peer is known\n" : "\n" + table.text(style);
  if (!field(document, "findings").empty())
    out += "\n" + indented_lines(field(document, "findings"), "");
  return out;
}

int modes_exit(const json& document) {
  for (const auto& peer : field(document, "peers"))
    if (!obeyed(peer)) return 1;
  return 0;
}

std::string render_changes(const json& answer) {
  std::string out;
  for (const auto& change : field(answer, "changed")) {
    const auto peer = text_field(change, "peer");
    out += peer + ": " + text_field(change, "mode") + " (" + text_field(change, "mode_from") + ")";
    if (const auto& confirm = field(change, "confirm"); confirm.is_object())
      out += ", audit in " + seconds_left(confirm) + " unless confirmed (espial policy confirm '" +
             peer + "')";
    out += "\n";
  }
  return out + indented_lines(field(answer, "notes"), "");
}

std::string render_refusals(const json& answer) {
  std::string out;
  for (const auto& refusal : field(answer, "refused")) {
    const auto peer = text_field(refusal, "peer");
    out += indented_lines(field(refusal, "reasons"), "espial: " + peer + ": refused: ");
    out += flow_lines(field(refusal, "flows"), peer);
  }
  return out;
}

}  // namespace espial
