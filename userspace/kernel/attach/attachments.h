// SPDX-License-Identifier: Apache-2.0
// Attachments: attaches our programs to devices as planned.
//
// tcx links are pinned in PIN_DIR/links and outlive the process; an existing one gets the new
// program by an atomic exchange. clsact filters live on the device. Never touches what is not ours.
// Used by one thread, in the network namespace of the devices.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/attach/attached.h"
#include "kernel/attach/tcx.h"
#include "kernel/programs.h"
#include "model/devices/devices.h"
#include "model/snapshot.h"

namespace espial {

class Attachments {
 public:
  // Adopts the links of an earlier run. Does not change what is attached.
  static Result<Attachments> open(std::string pin_dir, std::string state_dir,
                                  const Programs& programs);

  // Attaches, exchanges and detaches until the devices are as planned. Goes on after a failure;
  // the reasons are in status(). Returns how many programs were attached anew.
  int apply(const std::vector<DevicePlan>& plan, const Programs& programs);

  // Is each planned program still attached, ours, and the first of its hook? Reattaches what was
  // removed or displaced and returns what that was.
  Missing verify(const Programs& programs);

  // One entry per planned device, sorted by name.
  [[nodiscard]] std::vector<DeviceSnapshot> status() const;
  [[nodiscard]] AttachMode mode() const { return mode_; }

 private:
  struct Hook {
    bool wanted = false;
    TcxLink link;  // tcx
    bool attached = false;
    std::uint32_t program = 0;  // what should be attached
    std::string problem;
    bool put_first = false;  // once: who comes before it again is not fought
    std::string displaced;   // who runs before it and may end the chain
  };
  struct Device {
    DevicePlan plan;
    std::array<Hook, kDirections> hooks;
  };

  Attachments() = default;
  void adopt_links();
  [[nodiscard]] std::string link_path(int ifindex, Direction direction) const;
  // true: the program was attached anew (not only exchanged).
  bool attach(Device& device, Direction direction, const Programs& programs);
  Result<bool> attach_tcx(Device& device, Direction direction, int program_fd);
  // tcx: is the program the first of its hook? Puts it there once. true: it was put there.
  bool keep_first(Device& device, Direction direction, const Programs& programs);
  Result<bool> attach_clsact(const Device& device, Direction direction, int program_fd);
  void detach(Device& device, Direction direction);
  [[nodiscard]] bool still_there(Device& device, Direction direction) const;
  [[nodiscard]] bool pinned(const Device& device, Direction direction) const;

  std::string pin_dir_;
  std::string state_dir_;
  std::uint32_t clsact_handle_ = 0;
  AttachMode mode_ = AttachMode::kNone;
  std::map<int, Device> devices_;  // by ifindex
};

// Removes every program, link, map and pin of the instance, with or without a running daemon, and
// the qdiscs that it made. What was removed, as one line.
Result<std::string> detach_all(const std::string& pin_dir, const std::string& state_dir);

// Devices with our programs, read from the pins and the devices. No daemon, no plan.
std::vector<DeviceSnapshot> find_attached(const std::string& pin_dir, const std::string& state_dir);

}  // namespace espial
