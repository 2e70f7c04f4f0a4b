// SPDX-License-Identifier: Apache-2.0
// FlowFollow: which flows are reported to one follower (`espial flows --follow`), and when. Events
// report the first packet of a flow at once; the table, read every second, has flows that continue
// from before, and flows without an event.
#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/snapshot.h"

namespace espial {

// A continuing flow is reported again after this time, so that a lasting leak stays visible.
inline constexpr std::chrono::seconds kReportAgainAfter{60};

// Flows in clear, and flows that lost packets in the kernel: both have packets, first and last.
template <typename Record>
struct ReportedFlow {
  Record flow;
  bool again = false;  // it began before the follower did, or was reported before
};

// What makes two records the same flow. Of a drop also why.
struct FlowIdentity {
  IpAddress source, destination;
  std::uint16_t source_port = 0, destination_port = 0;
  std::uint8_t protocol = 0;
  Direction direction = Direction::RECEIVE;
  Class klass = Class::CLEARTEXT;
  std::string peer, reason;
  std::optional<Hook> hook;
  auto operator<=>(const FlowIdentity&) const = default;
};
FlowIdentity identity_of(const FlowRecord& flow);
FlowIdentity identity_of(const DropRecord& drop);

// Pure. Memory is bounded by the table and by kMaxRemembered.
template <typename Record>
class FlowFollow {
 public:
  static constexpr std::size_t kMaxRemembered = 16384;

  // Flows whose last packet is not after `since` are old, and reported only if they continue.
  explicit FlowFollow(WallTime since) : since_(since) {}

  // The first packet of a flow as an event; nothing if it was reported recently, by another CPU.
  std::optional<ReportedFlow<Record>> event(const Record& flow) { return saw(flow, true); }

  // The flows of the current table that are to be reported, oldest first.
  std::vector<ReportedFlow<Record>> table(const std::vector<Record>& flows);
  [[nodiscard]] std::size_t remembered() const { return memory_.size(); }

 private:
  struct Memory {
    std::uint64_t packets = 0;  // when it was looked at last
    WallTime last;              // its last packet
    std::optional<WallTime> reported;
    std::uint64_t look = 0;  // at the table in which it was last
  };
  std::optional<ReportedFlow<Record>> saw(const Record& flow, bool event);
  void forget();

  WallTime since_;
  std::map<FlowIdentity, Memory> memory_;
  std::uint64_t look_ = 0;
};

extern template class FlowFollow<FlowRecord>;
extern template class FlowFollow<DropRecord>;

}  // namespace espial
