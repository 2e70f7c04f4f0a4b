// SPDX-License-Identifier: Apache-2.0
#include "cli/text/status_parts.h"

#include <array>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/printable.h"
#include "cli/text/wording.h"
#include "model/words.h"

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

namespace {

// One thing that enforcement does, and where the document says how often, and when last.
struct Action {
  std::string_view key;
  const char* word;
  std::string_view last_key;  // empty: not known
  Colour colour;
  std::span<const std::string_view> reasons;
};
constexpr std::array kActions{
    Action{"dropped", "dropped", "last_dropped", Colour::kRed, kReasonLabels},
    Action{"would_drop", "would drop", "last_would_drop", Colour::kYellow, kReasonLabels},
    Action{"exempted", "exempted", "", Colour::kNone, kExemptionLabels},
};

// "-" where there is no such row.
std::string packets_text(const json& row) {
  return row.is_object() ? grouped(count_field(row, "packets")) : "-";
}

void add_rows(TextTable& table, const json& whose, const Action& action, const std::string& now) {
  // The time is that of the latest packet of any reason, so it is shown once.
  const auto last = text_field(whose, action.last_key);
  std::string since = last.empty() ? std::string() : ago(last, now);
  for (const std::string_view reason : action.reasons) {
    const auto& received = field(field(field(whose, "receive"), action.key), reason);
    const auto& sent = field(field(field(whose, "transmit"), action.key), reason);
    if (count_field(received, "packets") == 0 && count_field(sent, "packets") == 0) continue;
    table.add({{text_field(whose, "name")},
               {action.word, action.colour},
               {std::string(reason)},
               {packets_text(received)},
               {packets_text(sent)},
               {std::exchange(since, {})}});
  }
}

}  // namespace

TextTable enforcement_table(const json& status) {
  TextTable table(
      {{"PEER"}, {"ACTION"}, {"REASON"}, {"RX PACKETS", true}, {"TX PACKETS", true}, {"LAST"}});
  const auto now = text_field(status, "time");
  for (const auto& peer : field(status, "peers"))
    for (const Action& action : kActions) add_rows(table, peer, action, now);
  for (const Action& action : kActions) add_rows(table, field(status, "no_peer"), action, now);
  return table;
}

TextTable unprovable_table(const nlohmann::json& status) {
  TextTable table({{"PEER"}, {"ENCRYPTION THAT ESPIAL CANNOT PROVE"}});
  for (const auto& peer : field(status, "peers")) {
    const auto& ipsec = field(peer, "ipsec");
    if (!ipsec.is_object()) continue;
    const auto offloaded = count_field(field(ipsec, "sas"), "packet_offload");
    if (offloaded > 0)
      table.add({{text_field(peer, "name")},
                 {grouped(offloaded) + (offloaded == 1 ? " SA" : " SAs") +
                      " in packet offload: the device encrypts after XDP and tc have seen the "
                      "packets in clear",
                  Colour::kYellow}});
    if (text_field(ipsec, "verdict") == "user_space")
      table.add({{text_field(peer, "name")},
                 {"user-space IPsec (kernel-libipsec): the kernel has no policies or SAs to check",
                  Colour::kYellow}});
  }
  return table;
}

}  // namespace espial
