// SPDX-License-Identifier: Apache-2.0
#include "daemon/flow_feed.h"

#include <utility>

#include "base/time_text.h"
#include "exporter/documents/status_document.h"

namespace espial {
namespace {

std::string line_of(const char* event, nlohmann::json document, bool again) {
  document["event"] = event;
  document["again"] = again;
  return document_text(document);
}

std::string line_of(const ReportedFlow<FlowRecord>& reported) {
  return line_of("flow", flow_document(reported.flow), reported.again);
}

std::string line_of(const ReportedFlow<DropRecord>& reported) {
  return line_of("kernel_drop", drop_document(reported.flow), reported.again);
}

}  // namespace

void FlowFeed::open(Id id, const std::string& node, WallTime since, const Look& look) {
  const auto [it, fresh] = followers_.insert_or_assign(
      id, Follower{FlowFollow<FlowRecord>(since), FlowFollow<DropRecord>(since), look.withheld, 0});
  send_line(id, it->second,
            document_text({{"event", "start"},
                           {"schema_version", kSchemaVersion},
                           {"node", node},
                           {"since", rfc3339(since)}}));
  look_at(id, it->second, look);
}

void FlowFeed::events(const std::vector<FlowRecord>& flows) {
  for (auto& [id, follower] : followers_)
    for (const FlowRecord& flow : flows)
      if (const auto reported = follower.flows.event(flow))
        send_line(id, follower, line_of(*reported));
}

void FlowFeed::tick(const Look& look) {
  for (auto& [id, follower] : followers_) look_at(id, follower, look);
}

// A flow whose event was kept back is still told if the table has it: it is not lost.
void FlowFeed::look_at(Id id, Follower& follower, const Look& look) {
  std::uint64_t withheld = look.withheld - std::exchange(follower.withheld, look.withheld);
  for (const auto& reported : follower.flows.table(look.flows)) {
    if (!reported.again && withheld > 0) --withheld;
    send_line(id, follower, line_of(reported));
  }
  for (const auto& reported : follower.drops.table(look.drops))
    send_line(id, follower, line_of(reported));
  follower.lost += withheld;
  send_lost(id, follower);
}

void FlowFeed::send_line(Id id, Follower& follower, std::string_view line) {
  send_lost(id, follower);  // before what comes after them
  if (follower.lost > 0 || !send_(id, line)) ++follower.lost;
}

void FlowFeed::send_lost(Id id, Follower& follower) {
  if (follower.lost == 0) return;
  const nlohmann::json lost{{"event", "lost"}, {"lost", follower.lost}};
  if (send_(id, document_text(lost))) follower.lost = 0;
}

}  // namespace espial
