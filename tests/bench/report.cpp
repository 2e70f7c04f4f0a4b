// SPDX-License-Identifier: Apache-2.0
#include "bench/report.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

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

std::string processor_of(const std::string& cpuinfo) {
  std::string out;
  for (const char* key : {"vendor_id", "cpu family", "model"}) {
    std::istringstream lines(cpuinfo);
    for (std::string line; std::getline(lines, line);) {
      const auto colon = line.find(": ");
      if (colon == std::string::npos ||
          line.substr(0, line.find_last_not_of("\t ", colon - 1) + 1) != key)
        continue;
      out += (out.empty() ? "" : " ") + line.substr(colon + 2);
      break;
    }
  }
  return out;
}

Result<std::vector<std::string>> worse_than(const std::vector<Row>& rows,
                                            const std::string& stored_json,
                                            const std::string& processor, double tolerance) {
  const auto document = nlohmann::json::parse(stored_json, nullptr, false);
  const nlohmann::json* known_rows = nullptr;
  if (document.is_object()) {
    if (document.contains("rows")) known_rows = &document["rows"];
    if (document.contains("machines"))
      for (const auto& machine : document["machines"])
        if (machine.value("processor", "") == processor) known_rows = &machine["rows"];
  }
  if (known_rows == nullptr || !known_rows->is_array())
    return Error{"stored ratios: not a bench report"};
  std::map<std::string, double> stored;
  for (const auto& row : *known_rows) {
    if (!row.contains("name") || !row.contains("ratio")) return Error{"stored ratios: bad row"};
    stored[row["name"].get<std::string>()] = row["ratio"].get<double>();
  }
  std::vector<std::string> worse;
  for (const Row& row : rows) {
    const auto known = stored.extract(row.name);
    if (!known.empty() && row.cost.ratio() > known.mapped() * tolerance)
      worse.push_back(fmt::format("{}: ratio {:.2f}, stored {:.2f}, at most {:.2f}", row.name,
                                  row.cost.ratio(), known.mapped(), known.mapped() * tolerance));
  }
  for (const auto& [name, ratio] : stored)
    worse.push_back(fmt::format("{}: stored, but not measured any more", name));
  return worse;
}

}  // namespace espial::bench
