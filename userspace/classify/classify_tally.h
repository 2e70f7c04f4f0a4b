// SPDX-License-Identifier: Apache-2.0
// Tally of a classified capture, as numbers, as JSON and as a table for people. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "classify/judgement.h"
#include "cli/terminal/console.h"
#include "kernel/table.h"
#include "model/config.h"
#include "model/words.h"

namespace espial {

// The table of a configuration and the names of its peers: index n of the table is names[n - 1].
struct ClassifyTable {
  TableSpec spec;
  std::vector<std::string> names;
};
// Nothing: an empty table, which knows no node.
ClassifyTable classify_table(const std::optional<Config>& config);

// Where the capture was taken: on the host's side decrypted packets pass the same place.
enum class CapturedOn : std::uint8_t { kWire, kHost };

struct ClassifyTally {
  // A class of labels.h, or kAmbiguous.
  static constexpr std::size_t kAmbiguous = kClasses;  // "cleartext_or_decrypted"
  static constexpr std::size_t kRows = kClasses + 1;
  using Row = std::array<std::uint64_t, kRows>;

  std::vector<std::string> files;
  std::uint64_t packets = 0;
  Row by_class{};
  std::map<std::uint32_t, Row> by_peer;  // by index of the table; 0 = no peer
  std::array<std::uint64_t, kOutcomes> by_outcome{};
  std::uint64_t cut = 0;      // frames of which the capture kept only the beginning
  std::uint64_t on_host = 0;  // frames that the kernel engine could not take

  void add(const Judgement& judgement, Direction direction, CapturedOn where);
  // Is there a packet that a class proves to be unprotected?
  [[nodiscard]] bool unprotected() const;
};

std::string_view row_label(std::size_t row);

// What was asked, for the report.
struct ClassifyHeading {
  std::string engine;
  std::string captured_on;  // "wire", "host"
  std::string direction;    // "receive", "transmit", "auto"
};

nlohmann::json classify_json(const ClassifyTally& tally, const ClassifyHeading& heading,
                             const std::vector<std::string>& names);
std::string classify_text(const ClassifyTally& tally, const ClassifyHeading& heading,
                          const std::vector<std::string>& names, const RenderStyle& style);

}  // namespace espial
