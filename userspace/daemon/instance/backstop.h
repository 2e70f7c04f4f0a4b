// SPDX-License-Identifier: Apache-2.0
// Backstop: makes the kernel's XFRM policies of an instance follow their plan.
//
// What was placed outlives the process. Only policies of this instance are touched
// (sources/xfrm_block.h). One thread, one network namespace.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/policy/policy.h"
#include "model/policy/xfrm_block_plan.h"
#include "model/snapshot.h"

namespace espial {

enum class Follow : std::uint8_t {
  kWhole,   // place and remove
  kRemove,  // place nothing new
  kLook,    // change nothing
};

// The kernel compared with the plan and, unless told to look only, changed. What cannot be done is
// in `why`; the rest is done all the same.
XfrmBlockSnapshot follow_plan(const Config& config, const XfrmBlockPlan& plan, const Moment& now,
                              Follow follow);

// Removes all policies of the instance. How many; none where the kernel has no XFRM.
Result<std::size_t> remove_backstop(std::string_view instance);

class Backstop {
 public:
  // The kernel's policies may have changed: look at them at the next follow().
  void distrust() { trusted_ = false; }

  // Cheap while neither the plan nor the kernel's policies change. Logs what becomes wrong once.
  void follow(const Config& config, const Topology& topology, const KernelFacts& facts,
              const Policies& policies, const Moment& now);

  [[nodiscard]] const XfrmBlockSnapshot& snapshot() const { return snapshot_; }

 private:
  XfrmBlockPlan plan_;
  XfrmBlockSnapshot snapshot_;
  bool trusted_ = false;
  bool looked_ = false;  // what an earlier run may have left is gone
};

}  // namespace espial
