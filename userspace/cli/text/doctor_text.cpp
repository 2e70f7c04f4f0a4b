// SPDX-License-Identifier: Apache-2.0
#include "cli/text/diagnosis_text.h"

#include <algorithm>

#include "base/printable.h"
#include "cli/text/text_table.h"
#include "cli/text/wording.h"

namespace espial {
namespace {

using nlohmann::json;

Colour effect_colour(std::string_view effect) {
  return effect == "risk" ? Colour::kYellow : Colour::kRed;
}

template <class Take>
void each_text(const json& list, Take take) {
  for (const auto& entry : list)
    if (entry.is_string()) take(printable(entry.get_ref<const std::string&>()));
}

std::string finding_text(std::size_t number, const json& finding, const RenderStyle& style) {
  const auto effect = text_field(finding, "effect");
  std::string peers;
  each_text(field(finding, "peers"),
            [&](const std::string& peer) { peers += (peers.empty() ? "" : ", ") + peer; });
  std::string out = std::to_string(number) + ". " + painted(effect, effect_colour(effect), style) +
                    (peers.empty() ? "" : "  " + peers) + ": " + text_field(finding, "summary") +
                    "\n";
  each_text(field(finding, "evidence"),
            [&](const std::string& line) { out += "     " + line + "\n"; });
  each_text(field(finding, "remedies"),
            [&](const std::string& line) { out += "   fix: " + line + "\n"; });
  return out;
}

}  // namespace

json select_findings(json document, const std::vector<std::string>& peers) {
  const auto findings = document.find("findings");
  if (peers.empty() || findings == document.end() || !findings->is_array()) return document;
  json chosen = json::array();
  for (auto& finding : *findings) {
    const auto& of = field(finding, "peers");
    const bool concerned =
        of.empty() || std::any_of(of.begin(), of.end(), [&](const json& name) {
          return name.is_string() && std::find(peers.begin(), peers.end(),
                                               name.get_ref<const std::string&>()) != peers.end();
        });
    if (concerned) chosen.push_back(std::move(finding));
  }
  *findings = std::move(chosen);
  return document;
}

std::string render_doctor(const json& document, const RenderStyle& style) {
  std::string out = text_field(document, "node") + "  " + text_field(document, "time") + "\n";
  const auto& findings = field(document, "findings");
  if (findings.empty()) out += "nothing found\n";
  std::size_t number = 0;
  for (const auto& finding : findings) out += finding_text(++number, finding, style);
  const auto& unknown = field(document, "unknown");
  if (!unknown.empty()) out += "not known\n";
  each_text(unknown, [&](const std::string& line) { out += "   " + line + "\n"; });
  return out;
}

int doctor_exit(const json& document) {
  const auto findings = document.find("findings");
  if (findings == document.end() || !findings->is_array()) return 3;
  for (const auto& finding : *findings)
    if (text_field(finding, "effect") != "risk") return 1;
  return field(document, "unknown").empty() ? 0 : 3;
}

}  // namespace espial
