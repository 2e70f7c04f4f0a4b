// SPDX-License-Identifier: Apache-2.0
// FlowEvents: the ring buffer that reports the first packet of an unprotected flow. An event only
// wakes the evaluation; decisions read counters.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "kernel/maps.h"
#include "kernel/peers/identities.h"
#include "model/snapshot.h"

struct ring_buffer;

namespace espial {

class FlowEvents {
 public:
  static Result<FlowEvents> open(const Maps& maps);

  FlowEvents(FlowEvents&&) noexcept;
  FlowEvents& operator=(FlowEvents&&) noexcept;
  ~FlowEvents();

  // Readable (epoll) while events wait.
  [[nodiscard]] int fd() const;
  // Takes what waits; how many events it was. Never blocks.
  std::size_t drain();
  // The same, as records: each with what its first packet, or GSO packet, came to.
  std::vector<FlowRecord> take(const Identities& identities);

 private:
  FlowEvents();
  struct Free {
    void operator()(ring_buffer* ring) const;
  };
  struct Taken;
  std::unique_ptr<Taken> taken_;  // the callback's context; its address is stable
  std::unique_ptr<ring_buffer, Free> ring_;
};

}  // namespace espial
