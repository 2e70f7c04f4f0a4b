// SPDX-License-Identifier: Apache-2.0
#include "cli/text/diagnosis_text.h"

#include "base/printable.h"
#include "cli/text/text_table.h"
#include "cli/text/wording.h"

namespace espial {
namespace {

using nlohmann::json;

bool good(const json& probe) { return text_field(probe, "outcome") == "encrypted"; }

Colour probe_colour(const json& probe) {
  if (good(probe)) return Colour::kGreen;
  const auto outcome = text_field(probe, "outcome");
  return outcome == "fail_closed" || outcome == "unseen" ? Colour::kYellow : Colour::kRed;
}

// "0.35 ms", "12.4 ms"; "-" where nothing was answered.
std::string rtt_text(const json& probe) {
  const auto& rtt = field(probe, "rtt_seconds");
  if (!rtt.is_number()) return "-";
  const double ms = rtt.get<double>() * 1000;
  char text[32];
  std::snprintf(text, sizeof text, ms < 10 ? "%.2f ms" : "%.1f ms", ms);
  return text;
}

std::string verify_table(const json& probes, const RenderStyle& style) {
  TextTable table({{"PEER"},
                   {"FAMILY"},
                   {"PATH"},
                   {"FROM", false, 2},
                   {"TO", false, 1},
                   {"OUTCOME"},
                   {"ANSWERED", true},
                   {"RTT", true}});
  for (const auto& probe : probes)
    table.add({{text_field(probe, "peer")},
               {text_field(probe, "family")},
               {text_field(probe, "path")},
               {text_field(probe, "source")},
               {text_field(probe, "target")},
               {text_field(probe, "outcome_text"), probe_colour(probe)},
               {std::to_string(count_field(probe, "answered")) + "/" +
                std::to_string(count_field(probe, "sent"))},
               {rtt_text(probe)}});
  return table.empty() ? "" : table.text(style);
}

std::string reasons_text(const json& probes) {
  std::string out;
  for (const auto& probe : probes) {
    if (good(probe)) continue;
    out += text_field(probe, "peer") + " " + text_field(probe, "family") + " " +
           text_field(probe, "path") + ": " + text_field(probe, "outcome_text") + ": " +
           text_field(probe, "why") + "\n";
    for (const auto& remedy : field(probe, "remedies"))
      if (remedy.is_string())
        out += "   fix: " + printable(remedy.get_ref<const std::string&>()) + "\n";
  }
  return out;
}

std::string notes_text(const json& notes) {
  std::string out;
  for (const auto& note : notes) {
    if (out.empty())
      out = "FORWARD not exercised: no pod on this node to send from; according to its rules\n";
    out += "   " + text_field(note, "peer") + " " + text_field(note, "family") + " " +
           text_field(note, "direction") + "  " + text_field(note, "walk") + "\n";
  }
  return out;
}

}  // namespace

std::string render_verify(const json& document, const RenderStyle& style) {
  std::string out = text_field(document, "node") + "  " + text_field(document, "time") + "\n";
  const auto& probes = field(document, "probes");
  out += verify_table(probes, style) + reasons_text(probes) +
         notes_text(field(document, "forward_not_exercised"));
  const auto& unknown = field(document, "unknown");
  if (!unknown.empty()) out += "not probed\n";
  for (const auto& line : unknown)
    if (line.is_string()) out += "   " + printable(line.get_ref<const std::string&>()) + "\n";
  return out;
}

int verify_exit(const json& document) {
  const auto& probes = field(document, "probes");
  if (!probes.is_array()) return 3;
  bool complete = !probes.empty() && field(document, "unknown").empty();
  for (const auto& probe : probes) {
    if (text_field(probe, "outcome") == "unseen")
      complete = false;
    else if (!good(probe))
      return 1;
  }
  for (const auto& note : field(document, "forward_not_exercised")) {
    const auto& passes = field(note, "passes");
    if (!passes.is_boolean())
      complete = false;
    else if (!passes.get<bool>())
      return 1;
  }
  return complete ? 0 : 3;
}

}  // namespace espial
