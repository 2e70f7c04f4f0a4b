// SPDX-License-Identifier: Apache-2.0
// libFuzzer entry: any bytes as one datagram of rtnetlink or XFRM netlink, taken apart as a dump or
// an event is, every parser on every message of it. The kernel is trusted; another kernel's
// attributes and lengths are not. Facts must be possible ones, and keys must not be in them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "sources/netlink/kernel_watch.h"
#include "sources/netlink/netlink_socket.h"
#include "sources/netlink/route_parse.h"
#include "sources/netlink/xfrm_parse.h"

namespace {

using namespace espial;

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const Prefix& prefix) {
  require(prefix.length() <= prefix.address().bits());
  require(prefix.contains(prefix.address()));
}

void read_xfrm(Bytes message) {
  if (const auto policy = parse_policy(message)) {
    check(policy->source);
    check(policy->destination);
    require(policy->source.family() == policy->destination.family());
  }
  if (const auto state = parse_state(message)) {
    require(state->source.family() == state->destination.family());
    require(state->algorithm.size() <= 64);  // a name's field; keys come behind it
    require(state->algorithm.find('\0') == std::string::npos);
    require(!(state->offload_packet && state->offload_crypto));
  }
  (void)parse_defaults(message);
}

void read_routes(Bytes message) {
  (void)parse_link(message);
  (void)parse_link_event(message);
  if (const auto vlans = parse_bridge_vlans(message))
    for (const auto vid : vlans->vids) require(vid > 0 && vid < 4095);
  (void)parse_address(message);
  for (const auto& route : parse_route(message)) check(route.destination);
  (void)parse_rule(message);
  (void)parse_neighbour(message);
  (void)parse_fdb(message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::vector<std::uint8_t> datagram(data, data + size);
  Changes changes;
  consume(datagram, [&](const nlmsghdr& head, Bytes message) {
    // A copy of its own size: a sanitizer sees a read past the message, too.
    const std::vector<std::uint8_t> alone(message.begin(), message.end());
    note_route_event(head, alone, changes);
    note_xfrm_event(head, changes);
    read_xfrm(alone);
    read_routes(alone);
  });
  for (const auto byte : datagram) require(byte == 0);  // it may have held keys
  // The same bytes as one message, whatever length its header claims.
  read_xfrm({data, size});
  read_routes({data, size});
  return 0;
}
