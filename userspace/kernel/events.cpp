// SPDX-License-Identifier: Apache-2.0
#include "kernel/events.h"

#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>

namespace espial {
namespace {

int count_event(void* context, void* /*data*/, size_t /*size*/) {
  ++*static_cast<std::size_t*>(context);
  return 0;
}

}  // namespace

void FlowEvents::Free::operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
FlowEvents::FlowEvents(FlowEvents&&) noexcept = default;
FlowEvents& FlowEvents::operator=(FlowEvents&&) noexcept = default;
FlowEvents::~FlowEvents() = default;

Result<FlowEvents> FlowEvents::open(const Maps& maps) {
  FlowEvents events;
  events.seen_ = std::make_unique<std::size_t>(0);
  events.ring_.reset(
      ring_buffer__new(maps.fd(MapId::kEvents), count_event, events.seen_.get(), nullptr));
  if (!events.ring_) return Error{std::string("map ep_events: open ring: ") + std::strerror(errno)};
  return events;
}

int FlowEvents::fd() const { return ring_buffer__epoll_fd(ring_.get()); }

std::size_t FlowEvents::drain() {
  *seen_ = 0;
  (void)ring_buffer__consume(ring_.get());
  return *seen_;
}

}  // namespace espial
