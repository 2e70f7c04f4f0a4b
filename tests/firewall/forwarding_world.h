// SPDX-License-Identifier: Apache-2.0
// ForwardingWorld: this process as a router in a network namespace of its own, with a veth w0 to
// one side and w1 to the other. The far ends, p0 and p1, are in a second namespace without
// addresses: only packet sockets send and receive there. Ends with the process; needs root.
//
//   p0 ── w0  router  w1 ── p1      10.7.0.0/16, fd07::/16 behind p0; 10.8.0.0/16, fd08::/16 behind
//   p1
//
// Everything runs on one CPU, so packets are handled in the order in which they are sent, and a
// fence frame sent after them tells that all of them have been.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "firewall/probe.h"

namespace espial::test {

class ForwardingWorld {
 public:
  ForwardingWorld();
  ForwardingWorld(const ForwardingWorld&) = delete;
  ForwardingWorld& operator=(const ForwardingWorld&) = delete;
  ~ForwardingWorld();
  // "" or why it could not be built.
  [[nodiscard]] const std::string& problem() const { return problem_; }

  // Sends as if from behind p0, from behind p1, from this router itself.
  bool send_in(const Probe& probe);
  bool send_back(const Probe& probe);
  bool send_own(const Probe& probe);

  // Waits until all that was sent has been handled, and says what arrived at p1, at p0, and at this
  // router's own sockets since the last call. false: the fence did not come through in time.
  using Arrivals = std::map<std::uint32_t, Arrival>;
  bool collect(Arrivals& far, Arrivals& near, Arrivals& own);

  // Forgets every connection of this namespace (nf_conntrack_netlink).
  bool flush_connections();

 private:
  bool build();
  bool start_other();
  bool open_sockets();
  static bool send_frame(const UniqueFd& socket, const Probe& probe, const std::string& to);
  static bool fence(const UniqueFd& from, const UniqueFd& to, Arrivals& arrivals);

  std::string problem_;
  pid_t other_ = -1;
  UniqueFd p0_, p1_, w0_, w1_;
  struct RawSocket {
    UniqueFd fd;
    bool v6 = false;
    std::uint8_t protocol = 0;
  };
  std::vector<RawSocket> raw_;
  UniqueFd own4_, own6_;
};

// Runs a command with text on its standard input in this namespace; its output is only shown if it
// fails.
bool feed(const std::string& command, const std::string& text);

}  // namespace espial::test
