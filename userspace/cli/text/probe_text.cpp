// SPDX-License-Identifier: Apache-2.0
#include "cli/text/probe_text.h"

#include <map>

#include "base/printable.h"
#include "cli/text/wording.h"

namespace espial {
namespace {

using nlohmann::json;

Colour outcome_colour(std::string_view outcome) {
  if (outcome == "encrypted") return Colour::kGreen;
  if (outcome == "we_leak" || outcome == "peer_leaks" || outcome == "both_leak")
    return Colour::kRed;
  return Colour::kYellow;
}

// "probes every 30 s: 3 encrypted both ways, 1 lost there", the good ones first.
std::string probes_headline(const json& status, const json& verify) {
  std::map<std::pair<bool, std::string>, std::size_t> counts;
  for (const auto& peer : field(status, "peers"))
    for (const auto& probe : field(peer, "probes")) {
      const auto outcome = text_field(probe, "outcome_text");
      ++counts[{text_field(probe, "outcome") != "encrypted",
                outcome.empty() ? "no result yet" : outcome}];
    }
  std::string out =
      "probes, each way every " + std::to_string(count_field(verify, "round_seconds")) + " s";
  std::string separator = ": ";
  for (const auto& [key, count] : counts) {
    out += separator + std::to_string(count) + " " + key.second;
    separator = ", ";
  }
  return out + (counts.empty() ? ": no peer to probe" : "");
}

}  // namespace

std::string probes_text(const json& status, const RenderStyle& style) {
  const auto& verify = field(status, "verify");
  if (!verify.is_object()) return {};
  TextTable bad({{"PEER"},
                 {"FAMILY"},
                 {"PATH"},
                 {"TO", false, 1},
                 {"OUTCOME"},
                 {"FAILED IN A ROW", true},
                 {"WHEN"},
                 {"WHY", false, 2}});
  const auto now = text_field(status, "time");
  for (const auto& peer : field(status, "peers"))
    for (const auto& probe : field(peer, "probes")) {
      const auto outcome = text_field(probe, "outcome");
      if (outcome.empty() || outcome == "encrypted") continue;
      bad.add({{text_field(peer, "name")},
               {text_field(probe, "family")},
               {text_field(probe, "path")},
               {text_field(probe, "target")},
               {text_field(probe, "outcome_text"), outcome_colour(outcome)},
               {grouped(count_field(probe, "failures"))},
               {ago(text_field(probe, "time"), now)},
               {text_field(probe, "why")}});
    }
  std::string out =
      "\n" + probes_headline(status, verify) + "\n" + (bad.empty() ? "" : bad.text(style));
  for (const auto& line : field(verify, "not_probed"))
    if (line.is_string())
      out += painted("not probed: " + printable(line.get_ref<const std::string&>()),
                     Colour::kYellow, style) +
             "\n";
  return out;
}

}  // namespace espial
