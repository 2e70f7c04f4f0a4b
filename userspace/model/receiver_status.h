// SPDX-License-Identifier: Apache-2.0
// What became of alarms on their way to receivers, since the daemon runs.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace espial {

struct ReceiverStatus {
  std::string receiver;         // kind and index in espial.yaml: "alertmanager-0"
  std::uint64_t delivered = 0;  // requests, or runs of a command, that the receiver took
  std::uint64_t failed = 0;     // and that it did not: each is tried again
  std::uint64_t dropped = 0;    // alerts that will never arrive: the buffer was full
  std::size_t waiting = 0;      // alerts whose newest state it does not have yet
  std::optional<std::chrono::system_clock::time_point> last_success;
  std::string problem;  // why the last attempt failed, one line; empty: it did not
};

struct NotifyStatus {
  std::vector<ReceiverStatus> receivers;  // as espial.yaml lists them
  std::uint64_t collapsed = 0;            // alarms that were told only as a part of one alert
};

}  // namespace espial
