// SPDX-License-Identifier: Apache-2.0
// Raw sockets that send echo requests and receive the replies (RFC 792, RFC 4443): what echo.h and
// the daemon's event loop are made of. Nothing here waits. To open one needs CAP_NET_RAW; it
// belongs to the network namespace of the thread that opens it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/ip.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace espial {

struct EchoTarget {
  std::optional<IpAddress> source{};  // must be of this network namespace; nothing: as routed
  IpAddress destination;
  unsigned size = 0;  // bytes of the whole IP packet, to 65,535; 0: as ping sends it
};

// What an answer repeats.
struct EchoId {
  std::uint16_t id = 0;
  std::uint16_t sequence = 0;
};

struct EchoReply {
  EchoId id;
  IpAddress source;
  std::optional<std::chrono::nanoseconds> arrived{};  // CLOCK_REALTIME, as the kernel noted it
};

// Invalid, and no error, where the kernel has not that family.
Result<UniqueFd> open_echo_socket(Family family);

// What cannot be sent (no route, a firewall) is not answered either.
void send_echo(int socket, const EchoTarget& target, EchoId id);

// The next answer; nothing: there is none (any more).
std::optional<EchoReply> receive_echo(int socket, Family family);

}  // namespace espial
