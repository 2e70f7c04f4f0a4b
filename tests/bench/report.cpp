// SPDX-License-Identifier: Apache-2.0
#include "bench/report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace espial::bench {

std::string table_of(const std::vector<Row>& rows) {
  std::string out;
  std::string group;
  for (const Row& row : rows) {
    if (row.group != group) {
      group = row.group;
      out += fmt::format("\n{:<44}{:>9}{:>9}{:>9}{:>9}{:>8}\n", group, "net ns", "spread",
                         "base ns", "A/A", "ratio");
    }
    out +=
        fmt::format("  {:<42}{:>9.1f}{:>9.1f}{:>9.1f}{:>9.1f}{:>8.2f}\n", row.name, row.cost.net_ns,
                    row.cost.spread_ns, row.cost.base_ns, row.cost.aa_ns, row.cost.ratio());
  }
  return out;
}

std::string json_of(const std::vector<Row>& rows) {
  nlohmann::ordered_json document = {{"schema_version", 1}, {"rows", nlohmann::json::array()}};
  for (const Row& row : rows)
    document["rows"].push_back({{"name", row.name},
                                {"net_ns", row.cost.net_ns},
                                {"ratio", row.cost.ratio()},
                                {"base_ns", row.cost.base_ns},
                                {"spread_ns", row.cost.spread_ns},
                                {"aa_spread_ns", row.cost.aa_ns}});
  return document.dump(2) + "\n";
}

}  // namespace espial::bench
