// SPDX-License-Identifier: Apache-2.0
// Which devices carry our clsact filters, and where the qdisc is ours: the one thing that the
// kernel does not remember for us. A file in the state folder, one line a device: "IFINDEX NAME
// MADE".
#pragma once

#include <map>
#include <string>

#include "base/result.h"

namespace espial {

struct QdiscEntry {
  std::string name;
  bool made = false;  // the clsact qdisc was not there before
  bool operator==(const QdiscEntry&) const = default;
};

// Empty when there is no file; a line that makes no sense is passed over.
std::map<int, QdiscEntry> load_qdiscs(const std::string& state_dir);
Status save_qdiscs(const std::string& state_dir, const std::map<int, QdiscEntry>& qdiscs);

}  // namespace espial
