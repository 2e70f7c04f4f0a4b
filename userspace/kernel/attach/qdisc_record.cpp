// SPDX-License-Identifier: Apache-2.0
#include "kernel/attach/qdisc_record.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "base/system_error.h"
#include "base/trusted_file.h"

namespace espial {
namespace {

std::string record_path(const std::string& state_dir) { return state_dir + "/clsact"; }

}  // namespace

std::map<int, QdiscEntry> load_qdiscs(const std::string& state_dir) {
  std::map<int, QdiscEntry> qdiscs;
  const auto text = read_file(record_path(state_dir), Trust::kOwners);
  if (!text.ok() || !*text) return qdiscs;
  std::istringstream file(**text);
  int ifindex = 0;
  QdiscEntry entry;
  while (file >> ifindex >> entry.name >> entry.made) qdiscs[ifindex] = entry;
  return qdiscs;
}

Status save_qdiscs(const std::string& state_dir, const std::map<int, QdiscEntry>& qdiscs) {
  const auto path = record_path(state_dir);
  if (qdiscs.empty()) {
    if (unlink(path.c_str()) != 0 && errno != ENOENT) return system_error(path, "remove", errno);
    return Ok{};
  }
  const auto fresh = path + ".new";
  std::ofstream file(fresh, std::ios::trunc);
  for (const auto& [ifindex, entry] : qdiscs)
    file << ifindex << ' ' << entry.name << ' ' << entry.made << '\n';
  file.close();
  if (!file || std::rename(fresh.c_str(), path.c_str()) != 0)
    return system_error(path, "write", errno);
  return Ok{};
}

}  // namespace espial
