// SPDX-License-Identifier: Apache-2.0
#include "cli/text/enforcement_text.h"

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "cli/text/wording.h"
#include "model/words.h"

namespace espial {
namespace {

using nlohmann::json;

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

}  // namespace espial
