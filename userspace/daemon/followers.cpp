// SPDX-License-Identifier: Apache-2.0
#include "daemon/followers.h"

#include <algorithm>
#include <charconv>

namespace espial {
namespace {

constexpr std::string_view kWord = "follow";

std::chrono::seconds seconds_back(std::string_view request) {
  constexpr std::int64_t kMost = 10LL * 366 * 86400;
  request.remove_prefix(std::min(request.size(), kWord.size() + 1));
  std::int64_t back = 0;
  std::from_chars(request.data(), request.data() + request.size(), back);
  return std::chrono::seconds(std::clamp<std::int64_t>(back, 0, kMost));
}

// Events that nobody was told of, since the programs count.
std::uint64_t withheld(const Node& node) {
  const auto& lost = node.latest()->get()->snapshot.lost;
  return lost[static_cast<std::size_t>(Lost::FLOW_EVENT_RATE)] +
         lost[static_cast<std::size_t>(Lost::FLOW_EVENT_FULL)];
}

}  // namespace

Followers::Followers(Node& node, ControlServer& control)
    : node_(node),
      feed_([&control](FlowFeed::Id id, std::string_view line) { return control.send(id, line); }) {
  control.stream({std::string(kWord),
                  [this](std::string_view request, FlowFeed::Id id) { open(request, id); },
                  [this](FlowFeed::Id id) { feed_.close(id); }});
}

void Followers::open(std::string_view request, FlowFeed::Id id) {
  node_.evaluate();
  feed_.open(id, node_.topology().node, std::chrono::system_clock::now() - seconds_back(request),
             {node_.flows()->get(), node_.drops()->get(), withheld(node_)});
}

bool Followers::on_flow_events() {
  if (feed_.empty()) return node_.on_flow_events();
  std::vector<FlowRecord> flows;
  if (!node_.on_flow_events(&flows)) return false;
  feed_.events(flows);
  return true;
}

void Followers::tick() {
  if (!feed_.empty()) feed_.tick({node_.flows()->get(), node_.drops()->get(), withheld(node_)});
}

}  // namespace espial
