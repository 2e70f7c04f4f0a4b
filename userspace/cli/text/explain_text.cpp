// SPDX-License-Identifier: Apache-2.0
#include "cli/text/diagnosis_text.h"

#include "base/printable.h"
#include "cli/text/text_table.h"
#include "cli/text/wording.h"

namespace espial {
namespace {

using nlohmann::json;

Colour end_colour(std::string_view end) {
  if (end == "encrypted") return Colour::kGreen;
  return end == "clear" || end == "dropped" ? Colour::kRed : Colour::kYellow;
}

std::string lines_text(const json& lines, const std::string& indent) {
  std::string out;
  for (const auto& line : lines)
    if (line.is_string()) out += indent + printable(line.get_ref<const std::string&>()) + "\n";
  return out;
}

}  // namespace

std::string render_explain(const json& document, const RenderStyle& style) {
  std::string out = text_field(document, "node") + "  " + text_field(document, "time") + "\n";
  std::string packet;
  std::size_t number = 0;
  for (const auto& step : field(document, "steps")) {
    // Only where it became another packet.
    if (const auto now = text_field(step, "packet"); now != packet) {
      packet = now;
      out += packet + "\n";
    }
    out += "  " + std::to_string(++number) + ". " + text_field(step, "where") + ": " +
           text_field(step, "what") + "\n" + lines_text(field(step, "details"), "       ");
  }
  const auto end = text_field(document, "end");
  out += painted(end, end_colour(end), style) + "  " + text_field(document, "source") + " > " +
         text_field(document, "destination") + ": " + text_field(document, "conclusion") + "\n";
  return out + lines_text(field(document, "reasons"), "   ");
}

int explain_exit(const json& document) {
  const auto end = text_field(document, "end");
  if (end == "encrypted") return 0;
  return end == "fail_closed" || end == "clear" || end == "dropped" ? 1 : 3;
}

}  // namespace espial
