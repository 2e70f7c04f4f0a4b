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

std::string line_of(const ToldFlow<FlowRecord>& told) {
  return line_of("flow", flow_document(told.flow), told.again);
}

std::string line_of(const ToldFlow<DropRecord>& told) {
  return line_of("kernel_drop", drop_document(told.flow), told.again);
}

}  // namespace

void FlowFeed::open(Id id, const std::string& node, WallTime since, const Look& look) {
  const auto [it, fresh] = followers_.insert_or_assign(
      id, Follower{FlowFollow<FlowRecord>(since), FlowFollow<DropRecord>(since), look.withheld, 0});
  tell(id, it->second,
       document_text({{"event", "start"},
                      {"schema_version", kSchemaVersion},
                      {"node", node},
                      {"since", rfc3339(since)}}));
  look_at(id, it->second, look);
}

void FlowFeed::events(const std::vector<FlowRecord>& flows) {
  for (auto& [id, follower] : followers_)
    for (const FlowRecord& flow : flows)
      if (const auto told = follower.flows.event(flow)) tell(id, follower, line_of(*told));
}

void FlowFeed::tick(const Look& look) {
  for (auto& [id, follower] : followers_) look_at(id, follower, look);
}

// A flow whose event was kept back is still told if the table has it: it is not lost.
void FlowFeed::look_at(Id id, Follower& follower, const Look& look) {
  std::uint64_t withheld = look.withheld - std::exchange(follower.withheld, look.withheld);
  for (const auto& told : follower.flows.table(look.flows)) {
    if (!told.again && withheld > 0) --withheld;
    tell(id, follower, line_of(told));
  }
  for (const auto& told : follower.drops.table(look.drops)) tell(id, follower, line_of(told));
  follower.lost += withheld;
  tell_lost(id, follower);
}

void FlowFeed::tell(Id id, Follower& follower, std::string_view line) {
  tell_lost(id, follower);  // before what comes after them
  if (follower.lost > 0 || !send_(id, line)) ++follower.lost;
}

void FlowFeed::tell_lost(Id id, Follower& follower) {
  if (follower.lost == 0) return;
  const nlohmann::json lost{{"event", "lost"}, {"lost", follower.lost}};
  if (send_(id, document_text(lost))) follower.lost = 0;
}

}  // namespace espial
