// SPDX-License-Identifier: Apache-2.0
#include "cli/text/alarms_text.h"

#include <algorithm>
#include <vector>

#include "base/printable.h"
#include "cli/text/text_table.h"
#include "cli/text/wording.h"

namespace espial {
namespace {

using nlohmann::json;

bool in_state(const json& alarm, std::string_view state) {
  return text_field(alarm, "state") == state;
}

Colour alarm_colour(const json& alarm) {
  if (!in_state(alarm, "firing")) return Colour::kDim;
  return text_field(alarm, "severity") == "critical" ? Colour::kRed : Colour::kYellow;
}

// "3 alarms: 2 firing, 1 pending".
std::string alarms_summary(const json& alarms, const RenderStyle& style) {
  if (alarms.empty()) return "no alarms\n";
  std::string out = std::to_string(alarms.size()) + (alarms.size() == 1 ? " alarm" : " alarms");
  std::string separator = ": ";
  for (const char* state : {"firing", "pending", "resolved"}) {
    const auto count = std::count_if(alarms.begin(), alarms.end(),
                                     [&](const json& alarm) { return in_state(alarm, state); });
    if (count == 0) continue;
    const auto text = std::to_string(count) + " " + state;
    out += separator +
           (state == std::string_view("firing") ? painted(text, Colour::kRed, style) : text);
    separator = ", ";
  }
  return out + "\n";
}

std::string alarms_headline(const json& document, const RenderStyle& style) {
  std::string out = painted(text_field(document, "node"), Colour::kBold, style);
  if (const auto instance = text_field(document, "instance"); instance != "default")
    out += "  instance " + instance;
  out += "  " + text_field(document, "time") + "\n";
  if (!true_field(field(document, "daemon"), "running"))
    out += painted("no daemon is running; these alarms were saved by the last one " +
                       ago(text_field(document, "saved"), text_field(document, "time")) +
                       " and are not being updated (start it: systemctl start espial)",
                   Colour::kYellow, style) +
           "\n";
  return out;
}

// One table for each peer, in the order of their worst alarms.
std::string groups(const json& document, const RenderStyle& style) {
  const auto& alarms = field(document, "alarms");
  const auto now = text_field(document, "time");
  std::vector<std::string> peers;
  for (const auto& alarm : alarms)
    if (const auto peer = text_field(alarm, "peer");
        std::find(peers.begin(), peers.end(), peer) == peers.end())
      peers.push_back(peer);
  std::string out;
  for (const auto& peer : peers) {
    TextTable table({{"ALARM"}, {"SEVERITY"}, {"STATE"}, {"SINCE"}, {"EVIDENCE"}, {"RUNBOOK"}});
    for (const auto& alarm : alarms) {
      if (text_field(alarm, "peer") != peer) continue;
      const auto colour = alarm_colour(alarm);
      table.add({{text_field(alarm, "alarm"), colour},
                 {text_field(alarm, "severity"), colour},
                 {text_field(alarm, "state"), colour},
                 {ago(text_field(alarm, "since"), now)},
                 {text_field(alarm, "evidence")},
                 {text_field(alarm, "runbook"), Colour::kDim}});
    }
    out += "\n" + painted(peer.empty() ? "this node" : peer, Colour::kBold, style) + "\n" +
           table.text(style);
  }
  return out;
}

std::string history(const json& document, const RenderStyle& style) {
  if (!document.contains("history")) return {};
  TextTable table({{"TIME"}, {"ALARM"}, {"SEVERITY"}, {"STATE"}, {"PEER"}, {"EVIDENCE"}});
  for (const auto& line : field(document, "history")) {
    const auto colour = alarm_colour(line);
    table.add({{text_field(line, "time")},
               {text_field(line, "alarm"), colour},
               {text_field(line, "severity"), colour},
               {text_field(line, "state"), colour},
               {text_field(line, "peer")},
               {text_field(line, "evidence")}});
  }
  std::string out = "\n" + painted("history", Colour::kBold, style) + "\n";
  out += table.empty() ? "nothing happened\n" : table.text(style);
  if (const auto count = count_field(document, "history_forgotten"); count > 0)
    out += "and " + grouped(count) + " before, which are forgotten\n";
  return out;
}

std::string messages(const json& document) {
  const auto& counts = field(document, "messages");
  std::string out;
  if (const auto count = count_field(counts, "collapsed"); count > 0)
    out += "\n" + grouped(count) + (count == 1 ? " change" : " changes") +
           " affecting many peers at once were not logged one by one\n";
  if (const auto count = count_field(counts, "lost"); count > 0)
    out += "\n" + grouped(count) + (count == 1 ? " line" : " lines") +
           " about alarms were not accepted by the journal\n";
  return out;
}

void keep_of(json& list, const std::string& peer) {
  json chosen = json::array();
  for (auto& item : list)
    if (const auto& of = field(item, "peer"); of.is_string() && of == peer)
      chosen.push_back(std::move(item));
  list = std::move(chosen);
}

}  // namespace

Result<json> select_alarms(json document, const std::string& peer, bool history) {
  if (!history) {
    document.erase("history");
    document.erase("history_forgotten");
  }
  if (peer.empty()) return document;
  const auto& peers = field(document, "peers");
  bool known = std::find(peers.begin(), peers.end(), json(peer)) != peers.end();
  for (const char* list : {"alarms", "history"}) {
    if (!field(document, list).is_array()) continue;
    keep_of(document[list], peer);
    known = known || !document[list].empty();
  }
  if (!known)
    return Error{"--peer " + in_quotes(peer) + ": no such peer (espial config show lists them)",
                 Failure::kUsage};
  return document;
}

std::string render_alarms(const json& document, const RenderStyle& style) {
  return alarms_headline(document, style) + alarms_summary(field(document, "alarms"), style) +
         groups(document, style) + history(document, style) + messages(document);
}

int alarms_exit(const json& document) {
  for (const auto& alarm : field(document, "alarms"))
    if (in_state(alarm, "firing")) return 1;
  return true_field(field(document, "daemon"), "running") ? 0 : 3;
}

}  // namespace espial
