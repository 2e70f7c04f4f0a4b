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
struct Doing {
  std::string_view key;
  const char* word;
  std::string_view last_key;  // empty: not known
  Colour colour;
  std::span<const std::string_view> reasons;
};
constexpr std::array kDoings{
    Doing{"dropped", "dropped", "last_dropped", Colour::kRed, kReasonLabels},
    Doing{"would_drop", "would drop", "last_would_drop", Colour::kYellow, kReasonLabels},
    Doing{"exempted", "exempted", "", Colour::kNone, kExemptionLabels},
};

// "-" where there is no such row.
std::string packets_text(const json& row) {
  return row.is_object() ? grouped(count_field(row, "packets")) : "-";
}

void add_rows(TextTable& table, const json& whose, const Doing& doing, const std::string& now) {
  // The time is that of the latest packet of all reasons, so it stands once.
  const auto last = text_field(whose, doing.last_key);
  std::string since = last.empty() ? std::string() : ago(last, now);
  for (const std::string_view reason : doing.reasons) {
    const auto& received = field(field(field(whose, "receive"), doing.key), reason);
    const auto& sent = field(field(field(whose, "transmit"), doing.key), reason);
    if (count_field(received, "packets") == 0 && count_field(sent, "packets") == 0) continue;
    table.add({{text_field(whose, "name")},
               {doing.word, doing.colour},
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
    for (const Doing& doing : kDoings) add_rows(table, peer, doing, now);
  for (const Doing& doing : kDoings) add_rows(table, field(status, "no_peer"), doing, now);
  return table;
}

}  // namespace espial
