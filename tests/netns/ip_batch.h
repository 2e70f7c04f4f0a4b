// SPDX-License-Identifier: Apache-2.0
// iproute2 in the current network namespace, many lines at a time.
#pragma once

#include <cstdio>
#include <string>

namespace espial::test {

// Feeds a batch to `program`, "ip" or "bridge". False: a line of it failed.
inline bool ip(const std::string& batch, const std::string& program = "ip") {
  FILE* pipe = popen((program + " -batch -").c_str(), "w");
  if (pipe == nullptr) return false;
  const bool written = fwrite(batch.data(), 1, batch.size(), pipe) == batch.size();
  return pclose(pipe) == 0 && written;
}

}  // namespace espial::test
