// SPDX-License-Identifier: Apache-2.0
#include "model/flow_follow.h"

#include <algorithm>

namespace espial {

FlowIdentity identity_of(const FlowRecord& flow) {
  FlowIdentity id;
  id.source = flow.source;
  id.destination = flow.destination;
  id.source_port = flow.source_port;
  id.destination_port = flow.destination_port;
  id.protocol = flow.protocol;
  id.direction = flow.direction;
  id.klass = flow.klass;
  return id;
}

FlowIdentity identity_of(const DropRecord& drop) {
  FlowIdentity id;
  id.source = drop.source;
  id.destination = drop.destination;
  id.source_port = drop.source_port;
  id.destination_port = drop.destination_port;
  id.protocol = drop.protocol;
  id.direction = drop.direction;
  id.peer = drop.peer;
  id.reason = drop.reason;
  id.hook = drop.hook;
  return id;
}

template <typename Record>
std::optional<ReportedFlow<Record>> FlowFollow<Record>::saw(const Record& flow, bool event) {
  const auto [it, fresh] = memory_.try_emplace(identity_of(flow));
  Memory& memory = it->second;
  memory.look = look_;
  // Times of one packet differ by microseconds from look to look: packets say what went on.
  const bool moved = event || (fresh ? flow.last > since_ : flow.packets != memory.packets);
  // An event counts what one CPU saw, the table what all did.
  if (fresh || !event) memory.packets = flow.packets;
  memory.last = std::max(memory.last, flow.last);
  const bool lately = memory.reported && memory.last - *memory.reported < kReportAgainAfter;
  if (!moved || lately) return std::nullopt;
  const bool again = memory.reported.has_value() || flow.first <= since_;
  memory.reported = memory.last;
  return ReportedFlow<Record>{flow, again};
}

template <typename Record>
std::vector<ReportedFlow<Record>> FlowFollow<Record>::table(const std::vector<Record>& flows) {
  ++look_;
  std::vector<ReportedFlow<Record>> reported;
  for (const Record& flow : flows)
    if (auto one = saw(flow, false)) reported.push_back(std::move(*one));
  forget();
  std::stable_sort(reported.begin(), reported.end(),
                   [](const auto& a, const auto& b) { return a.flow.last < b.flow.last; });
  return reported;
}

// A flow that its slot was taken from may come back: it is known for as long as it is not told
// again, unless there are too many.
template <typename Record>
void FlowFollow<Record>::forget() {
  WallTime newest = since_;
  for (const auto& [id, memory] : memory_) newest = std::max(newest, memory.last);
  const bool crowded = memory_.size() > kMaxRemembered;
  std::erase_if(memory_, [&](const auto& item) {
    const Memory& memory = item.second;
    return memory.look != look_ && (crowded || newest - memory.last >= kReportAgainAfter);
  });
}

template class FlowFollow<FlowRecord>;
template class FlowFollow<DropRecord>;

}  // namespace espial
