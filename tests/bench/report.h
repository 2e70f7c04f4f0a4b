// SPDX-License-Identifier: Apache-2.0
// Rows of a run: the table for people, the JSON for machines, the gate against the stored ratios.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
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

// "AuthenticAMD 26 2": vendor, family and model, of the text of /proc/cpuinfo.
std::string processor_of(const std::string& cpuinfo);

// One line for each row whose ratio is above `tolerance` × the stored one, and for each stored row
// that was not measured. Stored: {"rows": […], "machines": [{"processor", "rows"}]}; a processor
// that is not among the machines is held against "rows".
Result<std::vector<std::string>> worse_than(const std::vector<Row>& rows,
                                            const std::string& stored_json,
                                            const std::string& processor, double tolerance);

}  // namespace espial::bench
