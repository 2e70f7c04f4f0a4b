// SPDX-License-Identifier: Apache-2.0
#include "kernel/counters/events.h"

#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>

#include "kernel/counters/flow_record.h"

namespace espial {

struct FlowEvents::Taken {
  std::size_t seen = 0;
  bool keep = false;
  std::vector<ep_flow> flows;

  static int add(void* context, void* data, size_t size) {
    auto& taken = *static_cast<Taken*>(context);
    ++taken.seen;
    if (taken.keep && size >= sizeof(ep_flow)) {
      taken.flows.emplace_back();
      std::memcpy(&taken.flows.back(), data, sizeof(ep_flow));
    }
    return 0;
  }
};

void FlowEvents::Free::operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
FlowEvents::FlowEvents() : taken_(std::make_unique<Taken>()) {}
FlowEvents::FlowEvents(FlowEvents&&) noexcept = default;
FlowEvents& FlowEvents::operator=(FlowEvents&&) noexcept = default;
FlowEvents::~FlowEvents() = default;

Result<FlowEvents> FlowEvents::open(const Maps& maps) {
  FlowEvents events;
  events.ring_.reset(
      ring_buffer__new(maps.fd(MapId::kEvents), Taken::add, events.taken_.get(), nullptr));
  if (!events.ring_) return Error{std::string("map ep_events: open ring: ") + std::strerror(errno)};
  return events;
}

int FlowEvents::fd() const { return ring_buffer__epoll_fd(ring_.get()); }

std::size_t FlowEvents::drain() {
  taken_->seen = 0;
  taken_->keep = false;
  (void)ring_buffer__consume(ring_.get());
  return taken_->seen;
}

std::vector<FlowRecord> FlowEvents::take(const Identities& identities) {
  taken_->keep = true;
  taken_->flows.clear();
  (void)ring_buffer__consume(ring_.get());
  const auto names = peer_names(identities);
  std::vector<FlowRecord> records;
  for (const ep_flow& flow : taken_->flows)
    if (auto record = flow_record(flow, names)) records.push_back(std::move(*record));
  return records;
}

}  // namespace espial
