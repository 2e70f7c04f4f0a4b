// SPDX-License-Identifier: Apache-2.0
// NetlinkSocket: one kernel netlink socket of the network namespace it was opened in.
//
// Owned by one thread. Messages that do not come from the kernel are dropped.
#pragma once

#include <libmnl/libmnl.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/private_buffer.h"
#include "base/result.h"
#include "sources/netlink/netlink_attributes.h"

namespace espial {

class NetlinkSocket {
 public:
  // protocol: NETLINK_ROUTE, NETLINK_XFRM. name: for messages ("rtnetlink").
  static Result<NetlinkSocket> open(int protocol, const char* name);

  [[nodiscard]] int fd() const;

  // Joins a multicast group (RTNLGRP_LINK...). XFRM groups need CAP_NET_ADMIN.
  Status join(unsigned group);
  // Room for bytes of queued events; as much as the kernel grants.
  void want_receive_buffer(int bytes);

  // Sends a dump request of this type with the fixed header, and calls visit for each message of
  // the answer. A dump that the kernel marks as interrupted by a change is repeated, on_restart
  // first, at most kDumpAttempts times; then the last one counts (the change that interrupted it
  // is also an event). Blocks at most kTimeoutSeconds per datagram.
  using Visit = std::function<void(const nlmsghdr&, Bytes)>;
  Status dump(std::uint16_t type, Bytes fixed, const std::function<void()>& on_restart,
              const Visit& visit);

  // Sends one request, no dump, and waits for the kernel's acknowledgement: 0, or the errno that it
  // refused with; visit gets what it says before. An error: the kernel could not be asked.
  Result<int> request(std::uint16_t type, Bytes payload, const Visit& visit = {});

  // Everything that is queued now, at most kMaxDatagrams; does not block. false: the kernel
  // dropped events since the last call (ENOBUFS) or one did not fit the buffer.
  Result<bool> receive_events(const Visit& visit);

  static constexpr int kDumpAttempts = 5;
  static constexpr int kMaxDatagrams = 4096;
  static constexpr int kTimeoutSeconds = 5;

 private:
  struct Close {
    void operator()(mnl_socket* socket) const noexcept { mnl_socket_close(socket); }
  };
  struct Datagram {
    std::size_t length = 0;  // 0 also when it came from somebody else
    int error = 0;           // errno of recvmsg
    bool truncated = false;
  };
  struct DumpState {
    bool done = false;
    bool interrupted = false;
  };

  NetlinkSocket(mnl_socket* socket, const char* name);
  Status send_dump(std::uint16_t type, Bytes fixed);
  Result<DumpState> read_dump(const Visit& visit);
  Datagram receive(int flags);

  std::unique_ptr<mnl_socket, Close> socket_;
  const char* name_;
  std::uint32_t sequence_ = 0;
  PrivateBuffer buffer_;  // XFRM answers carry keys
};

// Calls visit for each message and then overwrites the datagram with zeros (explicit_bzero): XFRM
// answers carry keys. Every datagram that a NetlinkSocket receives goes through here.
void consume(std::span<std::uint8_t> datagram, const NetlinkSocket::Visit& visit);

}  // namespace espial
