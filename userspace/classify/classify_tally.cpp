// SPDX-License-Identifier: Apache-2.0
#include "classify/classify_tally.h"

#include <fmt/format.h>

#include "base/printable.h"
#include "cli/text/text_table.h"

namespace espial {
namespace {

constexpr std::string_view kAmbiguousLabel = "cleartext_or_decrypted";

// Inbound, these look the same before IPsec protected them and after it took them out again.
bool may_be_decrypted(Class c) {
  return c == Class::CLEARTEXT || c == Class::CLEARTEXT_HOST || c == Class::CLEARTEXT_TUNNEL;
}

std::string peer_name(std::uint32_t peer, const std::vector<std::string>& names) {
  return peer >= 1 && peer <= names.size() ? names[peer - 1] : std::string();
}

Colour colour_of(std::size_t row) {
  if (row == ClassifyTally::kAmbiguous) return Colour::kYellow;
  switch (coverage_of(static_cast<Class>(row))) {
    case Coverage::ENCRYPTED:
      return Colour::kGreen;
    case Coverage::UNPROTECTED:
      return Colour::kRed;
    case Coverage::NEUTRAL:
      return Colour::kNone;
  }
  return Colour::kNone;
}

void add_entry(ClassifyTable& table, const Prefix& prefix, ep_role role, std::uint32_t peer = 0,
               std::uint32_t subnet = 0) {
  table.spec.entries.push_back({prefix, role, peer, subnet, true});
}

}  // namespace

ClassifyTable classify_table(const std::optional<Config>& config) {
  ClassifyTable table;
  if (!config) return table;
  for (const auto& address : config->self_underlays)
    add_entry(table, host_prefix(address), EP_ROLE_SELF_UNDERLAY);
  for (const auto& prefix : config->self_backends) add_entry(table, prefix, EP_ROLE_SELF_BACKEND);
  std::uint32_t subnet = 0;
  for (const auto& peer : config->peers) {
    table.names.push_back(peer.name);
    const auto index = static_cast<std::uint32_t>(table.names.size());
    for (const auto& address : peer.underlays)
      add_entry(table, host_prefix(address), EP_ROLE_PEER_UNDERLAY, index);
    for (const auto& prefix : peer.backends)
      add_entry(table, prefix, EP_ROLE_PEER_BACKEND, index, ++subnet);
  }
  for (const auto& network : config->networks)
    for (const auto& prefix : network.prefixes) add_entry(table, prefix, EP_ROLE_NETWORK);
  return table;
}

std::string_view row_label(std::size_t row) {
  return row == ClassifyTally::kAmbiguous ? kAmbiguousLabel : kClassLabels[row];
}

void ClassifyTally::add(const Judgement& judgement, Direction direction, CapturedOn where) {
  ++packets;
  if (!judgement.counted) return;
  auto row = static_cast<std::size_t>(judgement.klass);
  if (where == CapturedOn::kHost && direction == Direction::RECEIVE &&
      may_be_decrypted(judgement.klass))
    row = kAmbiguous;
  ++by_class[row];
  ++by_peer[judgement.peer][row];
  ++by_outcome[static_cast<std::size_t>(judgement.outcome)];
}

bool ClassifyTally::unprotected() const {
  for (std::size_t row = 0; row < kClasses; ++row)
    if (by_class[row] != 0 && coverage_of(static_cast<Class>(row)) == Coverage::UNPROTECTED)
      return true;
  return false;
}

nlohmann::json classify_json(const ClassifyTally& tally, const ClassifyHeading& heading,
                             const std::vector<std::string>& names) {
  auto by_class = nlohmann::json::object();
  for (std::size_t row = 0; row < ClassifyTally::kRows; ++row)
    by_class[std::string(row_label(row))] = tally.by_class[row];
  auto by_peer = nlohmann::json::object();
  for (const auto& [peer, rows] : tally.by_peer) {
    const std::string name = peer_name(peer, names);
    if (name.empty()) continue;
    auto& of_peer = by_peer[name] = nlohmann::json::object();
    for (std::size_t row = 0; row < rows.size(); ++row)
      if (rows[row] != 0) of_peer[std::string(row_label(row))] = rows[row];
  }
  auto by_outcome = nlohmann::json::object();
  for (std::size_t i = 0; i < kOutcomes; ++i)
    by_outcome[std::string(kOutcomeLabels[i])] = tally.by_outcome[i];
  auto files = nlohmann::json::array();
  for (const auto& file : tally.files) files.push_back(printable(file));
  return {{"schema_version", 1},
          {"engine", heading.engine},
          {"judged_on_host", tally.on_host},
          {"captured_on", heading.captured_on},
          {"direction", heading.direction},
          {"files", files},
          {"packets", tally.packets},
          {"by_class", by_class},
          {"by_peer", by_peer},
          {"by_parse_outcome", by_outcome},
          {"truncated_by_capture", tally.cut}};
}

std::string classify_text(const ClassifyTally& tally, const ClassifyHeading& heading,
                          const std::vector<std::string>& names, const RenderStyle& style) {
  std::string out =
      fmt::format("{} frames, engine {}, captured on {}, direction {}\n", tally.packets,
                  heading.engine, heading.captured_on, heading.direction);
  TextTable table({{"CLASS"}, {"PEER"}, {"FRAMES", true}});
  for (std::size_t row = 0; row < ClassifyTally::kRows; ++row) {
    for (const auto& [peer, rows] : tally.by_peer) {
      if (rows[row] == 0) continue;
      const std::string name = peer_name(peer, names);
      table.add({{std::string(row_label(row)), colour_of(row)},
                 {name.empty() ? "-" : printable(name), Colour::kNone},
                 {std::to_string(rows[row]), Colour::kNone}});
    }
  }
  if (!table.empty()) out += "\n" + table.text(style);
  for (std::size_t i = 0; i < kOutcomes; ++i)
    if (i != static_cast<std::size_t>(Outcome::OK) && tally.by_outcome[i] != 0)
      out += fmt::format("\nparse outcome {}: {}", kOutcomeLabels[i], tally.by_outcome[i]);
  if (tally.cut != 0)
    out += fmt::format("\ntruncated by the capture's snapshot length: {}", tally.cut);
  if (tally.by_class[ClassifyTally::kAmbiguous] != 0)
    out += fmt::format(
        "\n{} inbound frames may have been decrypted on this host; capture on the wire to find out "
        "(--captured-on wire)",
        tally.by_class[ClassifyTally::kAmbiguous]);
  if (out.back() != '\n') out += '\n';
  return out;
}

}  // namespace espial
