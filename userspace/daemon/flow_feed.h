// SPDX-License-Identifier: Apache-2.0
// FlowFeed: sends its flows to every follower (`espial flows --follow`), one JSON object per line,
// and how many were lost. One thread; never blocks; memory is bounded per follower.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/flow_follow.h"

namespace espial {

class FlowFeed {
 public:
  using Id = std::uint64_t;
  // Sends one line; false: there is no room for it now.
  using Send = std::function<bool(Id, std::string_view line)>;

  explicit FlowFeed(Send send) : send_(std::move(send)) {}

  // What the daemon knows now.
  struct Look {
    const std::vector<FlowRecord>& flows;
    const std::vector<DropRecord>& drops;
    std::uint64_t withheld = 0;  // events lost to the rate limit or a full ring, in total
  };

  // Sends the start line, and the flows seen after `since`.
  void open(Id id, const std::string& node, WallTime since, const Look& look);
  void close(Id id) { followers_.erase(id); }
  [[nodiscard]] bool empty() const { return followers_.empty(); }

  void events(const std::vector<FlowRecord>& flows);
  // Once a second.
  void tick(const Look& look);

 private:
  struct Follower {
    FlowFollow<FlowRecord> flows;
    FlowFollow<DropRecord> drops;
    std::uint64_t withheld = 0;  // as it was at the last look
    std::uint64_t lost = 0;      // not yet reported
  };
  void look_at(Id id, Follower& follower, const Look& look);
  void send_line(Id id, Follower& follower, std::string_view line);
  void send_lost(Id id, Follower& follower);

  Send send_;
  std::map<Id, Follower> followers_;
};

}  // namespace espial
