// SPDX-License-Identifier: Apache-2.0
// Rows of a run: the table for people, the JSON for machines.
#pragma once

#include <string>
#include <vector>

#include "bench/measure.h"

namespace espial::bench {

struct Row {
  std::string group;  // heading of the table
  std::string name;   // unique
  Cost cost;
};

std::string table_of(const std::vector<Row>& rows);
// {"schema_version": 1, "rows": [{"name", "net_ns", "ratio", …}]}
std::string json_of(const std::vector<Row>& rows);

}  // namespace espial::bench
