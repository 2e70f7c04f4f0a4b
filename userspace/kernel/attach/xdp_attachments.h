// SPDX-License-Identifier: Apache-2.0
// XdpAttachments: attaches the XDP accelerator to devices as planned.
//
// Native mode only, by links pinned as PIN_DIR/xdp/IFINDEX that outlive the process. Another XDP
// program on a device stays: the kernel refuses ours (EBUSY) and tc does the work. So it does while
// a device takes VLAN tags off: all VLANs would look like ours.
// Used by one thread, in the network namespace of the devices.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/attach/attached.h"
#include "kernel/programs.h"
#include "model/devices/xdp_plan.h"
#include "model/snapshot.h"

namespace espial {

class XdpAttachments {
 public:
  // Adopts the links of an earlier run. Does not change what is attached.
  static XdpAttachments open(std::string pin_dir);

  // Attaches, exchanges and detaches until the devices are as planned.
  void apply(const std::vector<XdpPlan>& plan, const Programs& programs);

  // Reattaches what was removed, and retries where another program or VLAN offload was in the way;
  // detaches from a device that now hides VLAN tags.
  Missing verify(const Programs& programs);

  // By ifindex: one entry per planned device.
  [[nodiscard]] std::map<int, XdpSnapshot> status() const;

 private:
  struct Link {
    UniqueFd fd;
    int ifindex = 0;            // 0: detached, or the device is gone
    std::uint32_t program = 0;  // id of the attached program
  };
  struct Device {
    XdpPlan plan;
    Link link;
    std::string problem;  // why it could not be attached
  };

  [[nodiscard]] std::string link_path(int ifindex) const;
  static Status refresh(Link& link);
  Status attach(Device& device, const Programs& programs);
  void detach(Device& device);

  std::string pin_dir_;
  std::map<int, Device> devices_;  // by ifindex
};

// ifindexes of the devices that carry the accelerator of this instance, with or without a daemon.
std::vector<int> find_xdp(const std::string& pin_dir);

}  // namespace espial
