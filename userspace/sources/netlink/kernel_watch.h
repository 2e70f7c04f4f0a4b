// SPDX-License-Identifier: Apache-2.0
// KernelWatch: what the kernel says about one network namespace: links, addresses, routes,
// neighbours, forwarding tables (rtnetlink), policies and states (XFRM netlink), and what changes.
//
// Bound to the network namespace that was current when it was opened. Used by one thread. Link
// events have a socket of their own, so that a storm of routes or neighbours cannot delay or drop
// them. Without permission for XFRM, or without XFRM in the kernel, everything else works and
// facts.xfrm_reason says why.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "model/facts/facts.h"
#include "sources/netlink/netlink_socket.h"

namespace espial {

// What kinds of facts changed since the last drain.
struct Changes {
  bool links = false;
  bool addresses = false;
  bool routes = false;  // or rules; also with links and addresses: IPv4 drops their routes without
                        // an event
  bool neighbours = false;
  bool fdb = false;
  bool policies = false;
  bool states = false;
  bool overrun = false;         // the kernel dropped events: everything is marked as changed
  std::vector<int> links_seen;  // ifindexes that appeared or changed; sorted
  std::vector<int> links_gone;  // ifindexes deleted or moved away; sorted. One that is also seen
                                // was deleted and made again, or the reverse: read_links() tells

  [[nodiscard]] bool any() const {
    return links || addresses || routes || neighbours || fdb || policies || states;
  }
};

// The change that one event message means. xfrm: it came from the XFRM socket.
void note_route_event(const nlmsghdr& head, Bytes message, Changes& changes);
void note_xfrm_event(const nlmsghdr& head, Changes& changes);

class KernelWatch {
 public:
  // Fails only when rtnetlink itself cannot be opened.
  static Result<KernelWatch> open();

  // Readable (epoll, level-triggered) while events wait.
  [[nodiscard]] int fd() const { return poll_.get(); }

  // Takes the waiting events; never blocks. A bounded number per call: fd() stays readable when
  // more wait.
  Result<Changes> drain();

  // Full dumps, each consistent in itself. Answers of the kernel only, nothing is cached.
  Result<KernelFacts> read();
  Result<std::vector<LinkFact>> read_links();
  Result<std::vector<AddressFact>> read_addresses();
  Result<std::vector<RouteFact>> read_routes();
  Result<std::vector<RuleFact>> read_rules();
  Result<std::vector<NeighbourFact>> read_neighbours();
  Result<std::vector<FdbFact>> read_fdb();
  // policies, states, xfrm_readable and xfrm_reason; cannot fail, only degrade.
  void read_xfrm(KernelFacts& facts);

  // The states again: their counters move without an event.
  Status refresh_states(KernelFacts& facts);

  // Reads again what changed, and only that. On an error the other kinds are left as they were.
  Status refresh(const Changes& changes, KernelFacts& facts);

  // XFRM events arrive; if not, policies and states must be read from time to time.
  [[nodiscard]] bool xfrm_events() const { return xfrm_events_.has_value(); }
  // How many drains found that the kernel had dropped events (ENOBUFS).
  [[nodiscard]] std::uint64_t overruns() const { return overruns_; }

 private:
  KernelWatch(NetlinkSocket dumps, NetlinkSocket links, NetlinkSocket routes, UniqueFd poll)
      : dumps_(std::move(dumps)),
        link_events_(std::move(links)),
        route_events_(std::move(routes)),
        poll_(std::move(poll)) {}

  Status read_bridge_vlans(std::vector<LinkFact>& links);
  Status open_xfrm();
  Status dump_xfrm(KernelFacts& facts);
  Status dump_states(KernelFacts& facts);

  NetlinkSocket dumps_;
  NetlinkSocket link_events_;
  NetlinkSocket route_events_;
  std::optional<NetlinkSocket> xfrm_dumps_;
  std::optional<NetlinkSocket> xfrm_events_;
  UniqueFd poll_;
  std::uint64_t overruns_ = 0;
};

}  // namespace espial
