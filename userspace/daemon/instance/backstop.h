// SPDX-License-Identifier: Apache-2.0
// Backstop: keeps the XFRM policies of an instance in the kernel as planned.
//
// Placed policies outlive the process. Only policies of this instance are touched
// (sources/netlink/backstop_socket.h). One thread, one network namespace.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/modes/backstop_plan.h"
#include "model/modes/peer_modes.h"
#include "model/snapshot.h"

namespace espial {

enum class Follow : std::uint8_t {
  kWhole,   // place and remove
  kRemove,  // place nothing new
  kLook,    // change nothing
};

// Compares the kernel with the plan and, unless kLook, changes it. What fails is in `why`; the rest
// is done regardless.
BackstopSnapshot follow_plan(const Config& config, const BackstopPlan& plan, const Moment& now,
                             Follow follow);

// Removes all policies of the instance and returns how many; 0 if the kernel has no XFRM.
Result<std::size_t> remove_backstop(std::string_view instance);

class Backstop {
 public:
  // The kernel's policies may have changed: the next follow() reads them again.
  void distrust() { trusted_ = false; }

  // Cheap while neither the plan nor the kernel's policies change. Logs each new problem once.
  void follow(const Config& config, const Topology& topology, const KernelFacts& facts,
              const PeerModes& modes, const Moment& now);

  [[nodiscard]] const BackstopSnapshot& snapshot() const { return snapshot_; }

 private:
  BackstopPlan plan_;
  BackstopSnapshot snapshot_;
  bool trusted_ = false;
  bool looked_ = false;  // leftovers of an earlier run have been removed
};

}  // namespace espial
