// SPDX-License-Identifier: Apache-2.0
// espial.yaml: text in, Config and every problem at once out. yaml-cpp's exceptions end here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/config.h"

namespace espial {

inline constexpr std::string_view kDefaultConfigPath = "/etc/espial/espial.yaml";

// Limits of a configuration; beyond each is a problem with a line, never a truncation.
inline constexpr std::size_t kMaxConfigBytes = 8U << 20;
inline constexpr std::size_t kMaxConfigProblems =
    1000;                                               // listed; the rest is one line with a count
inline constexpr std::size_t kMaxConfigItems = 200000;  // addresses and prefixes together
inline constexpr std::uint32_t kMaxPeers = 10000;
inline constexpr std::uint32_t kMaxFlowEventsPerSecond = 100000;
inline constexpr std::size_t kMaxExemptions = 16;  // EP_EXEMPTIONS
inline constexpr std::size_t kMaxVerifyPods = 256;
inline constexpr std::uint32_t kMaxProbesPerSecond = 100;
inline constexpr std::chrono::seconds kMinVerifyInterval{5};
inline constexpr std::chrono::seconds kMinPathMtuInterval{10};
inline constexpr std::chrono::seconds kMaxVerifyInterval{24 * 3600};  // of both
inline constexpr std::uint32_t kMaxAuditMinutes = 10080;              // a week

// One thing wrong with a file.
struct ConfigProblem {
  std::string file;
  int line = 0;         // from 1; 0: the file as a whole
  std::string key;      // "peers[2].backend[0]"; empty: the file as a whole
  std::string message;  // what is wrong and what to do; one line, printable

  [[nodiscard]] std::string text() const;  // "FILE:LINE: KEY: MESSAGE"
  bool operator==(const ConfigProblem&) const = default;
};

struct ParsedConfig {
  Config config;                        // to be used only when there are no problems
  std::vector<ConfigProblem> problems;  // by line
};

// Pure: reads nothing but its arguments. file_name is only quoted. O(n log n) in the text's length.
ParsedConfig parse_config(std::string_view text, std::string_view file_name);

// Read and check the file at path; `node` is the host name unless the file says otherwise. A
// missing default_path means the defaults, any other missing file is a usage error. The error's
// message has one line per problem.
Result<Config> load_config(const std::string& path,
                           std::string_view default_path = kDefaultConfigPath);

// Where the instance of a file with problems lives: instance, pin_dir and state_dir are what the
// file says, nothing else of it is to be used. An error unless all problems are inside networks,
// self, peers or devices.
Result<Config> load_place(const std::string& path);

}  // namespace espial
