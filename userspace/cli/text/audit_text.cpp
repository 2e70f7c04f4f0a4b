// SPDX-License-Identifier: Apache-2.0
#include "cli/text/diagnosis_text.h"

#include <map>

#include "base/printable.h"
#include "cli/text/text_table.h"
#include "cli/text/wording.h"

namespace espial {
namespace {

using nlohmann::json;

bool bad(std::string_view verdict) { return verdict == "exposed" || verdict == "misconfigured"; }

Colour pair_colour(std::string_view verdict) {
  if (verdict == "protected") return Colour::kGreen;
  return bad(verdict) ? Colour::kRed : Colour::kYellow;
}

std::string audit_summary(const json& document) {
  std::map<std::string, std::size_t> counts;
  std::size_t pairs = 0;
  for (const auto& peer : field(document, "peers"))
    for (const auto& pair : field(peer, "pairs")) {
      ++counts[text_field(pair, "verdict")];
      ++pairs;
    }
  std::string out = std::to_string(pairs) + (pairs == 1 ? " pair of subnets" : " pairs of subnets");
  std::string separator = ": ";
  for (const char* verdict :
       {"exposed", "misconfigured", "unknown", "fail_closed", "user_space", "protected"})
    if (const auto at = counts.find(verdict); at != counts.end()) {
      out += separator + std::to_string(at->second) + " " + verdict;
      separator = ", ";
    }
  return out + "\n";
}

std::string table_of(const json& document, const RenderStyle& style) {
  TextTable table(
      {{"PEER"}, {"OWN"}, {"THEIRS"}, {"NETWORK", false, 2}, {"VERDICT"}, {"SAS", false, 1}});
  for (const auto& peer : field(document, "peers")) {
    const auto& sas = field(peer, "sas");
    const std::string count = std::to_string(count_field(sas, "in")) + " in, " +
                              std::to_string(count_field(sas, "out")) + " out";
    for (const auto& pair : field(peer, "pairs")) {
      const auto verdict = text_field(pair, "verdict");
      table.add({{text_field(peer, "name")},
                 {text_field(pair, "own")},
                 {text_field(pair, "theirs")},
                 {text_field(pair, "network"), Colour::kDim},
                 {verdict, pair_colour(verdict)},
                 {count, Colour::kDim}});
    }
  }
  return table.empty() ? std::string() : "\n" + table.text(style);
}

std::string finding_lines(const json& findings, const RenderStyle& style) {
  std::string out;
  for (const auto& finding : findings) {
    const auto verdict = text_field(finding, "verdict");
    const auto direction = text_field(finding, "direction");
    out += "  " + painted(text_field(finding, "problem"), pair_colour(verdict), style) +
           (direction.empty() ? "" : ", " + direction) + ": " + text_field(finding, "evidence") +
           "\n";
    if (const auto remedy = text_field(finding, "remedy"); !remedy.empty())
      out += "    fix: " + remedy + "\n";
  }
  return out;
}

std::string findings_of(const json& document, const RenderStyle& style) {
  std::string out;
  for (const auto& peer : field(document, "peers"))
    for (const auto& pair : field(peer, "pairs")) {
      const auto lines = finding_lines(field(pair, "findings"), style);
      if (!lines.empty())
        out += "\n" + text_field(peer, "name") + "  " + text_field(pair, "own") + " > " +
               text_field(pair, "theirs") + "\n" + lines;
    }
  const auto lines = finding_lines(field(document, "findings"), style);
  return lines.empty() ? out : out + "\nthis node\n" + lines;
}

// Absent in what an older daemon says.
std::string nat_of(const json& document) {
  const auto& nat = field(document, "nat");
  if (nat.is_null() || true_field(nat, "checked")) return {};
  return "\nNAT was not checked: " + text_field(nat, "reason") + "\n";
}

std::string hosts_of(const json& document) {
  std::string out;
  for (const auto& peer : field(document, "peers"))
    for (const auto& line : field(peer, "host_exposed"))
      if (line.is_string())
        out += "  " + text_field(peer, "name") + "  " +
               printable(line.get_ref<const std::string&>()) + "\n";
  return out.empty()
             ? out
             : "\ntraffic of this node itself that no policy covers (pods are not affected)\n" +
                   out;
}

}  // namespace

std::string render_audit(const json& document, const RenderStyle& style) {
  std::string out = text_field(document, "node") + "  " + text_field(document, "time") + "\n";
  if (!true_field(document, "readable"))
    return out + "policies and SAs cannot be read: " + text_field(document, "reason") + "\n";
  return out + audit_summary(document) + table_of(document, style) + findings_of(document, style) +
         hosts_of(document) + nat_of(document);
}

int audit_exit(const json& document) {
  if (!field(document, "findings").empty()) return 1;
  bool unknown = !true_field(document, "readable");
  for (const auto& peer : field(document, "peers"))
    for (const auto& pair : field(peer, "pairs")) {
      const auto verdict = text_field(pair, "verdict");
      if (bad(verdict)) return 1;
      unknown = unknown || verdict == "unknown";
    }
  return unknown ? 3 : 0;
}

}  // namespace espial
