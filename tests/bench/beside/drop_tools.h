// SPDX-License-Identifier: Apache-2.0
// What drops cleartext of any of many backend subnets, and counts it: espial in its three places,
// other tools, and empty programs in the same places as their ceilings.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

struct bench_bpf;

namespace espial::bench {

inline constexpr std::uint32_t kDropPeers = 1024;

// One way to drop. Nothing of it is on the device between on() and off().
struct DropTool {
  std::string name;
  std::string what;  // in words, for the table
  std::function<Status()> on;
  std::function<Status()> off;
  // Its own count of drops; empty: it has none.
  std::function<Result<std::uint64_t>()> dropped;
  std::uint32_t slower = 1;  // so many times fewer packets take as long
  std::string absent;        // why it cannot be measured here; empty: it can
};

// For the device kPort, of the calling thread's network namespace. `object` must outlive them.
Result<std::vector<DropTool>> drop_tools(bench_bpf& object);

inline constexpr const char* kPort = "bench-port";

}  // namespace espial::bench
