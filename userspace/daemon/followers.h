// SPDX-License-Identifier: Apache-2.0
// Followers: serves `espial flows --follow`: passes the node's events to the control socket's
// streams ("follow", or "follow SECONDS" to start with the flows of the last SECONDS).
#pragma once

#include "control/control_server.h"
#include "daemon/flow_feed.h"
#include "daemon/node.h"

namespace espial {

class Followers {
 public:
  // Both must outlive this, and control must not serve afterwards.
  Followers(Node& node, ControlServer& control);
  Followers(const Followers&) = delete;
  Followers& operator=(const Followers&) = delete;

  // Takes the node's flow events and passes them on. True: there were some.
  bool on_flow_events();
  // Once a second, after the node's own.
  void tick();

 private:
  void open(std::string_view request, FlowFeed::Id id);

  Node& node_;
  FlowFeed feed_;
};

}  // namespace espial
