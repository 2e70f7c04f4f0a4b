// SPDX-License-Identifier: Apache-2.0
// xdp-filter of Debian's xdp-tools with the addresses of a mesh. It knows single addresses, no
// prefixes: its set is of hosts where the others' are of subnets.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "base/unique_fd.h"

namespace espial::bench {

class XdpFilter {
 public:
  // Has xdp-filter load itself on a device with one backend host of each peer, in both families,
  // then takes its program off the device and keeps it. Needs /sys/fs/bpf to be the caller's own.
  // Error: it is not installed, or does not load on this kernel.
  static Result<XdpFilter> load(const char* device, std::uint32_t peers);

  [[nodiscard]] int program_fd() const { return program_.get(); }
  // Its own count of what it dropped.
  [[nodiscard]] Result<std::uint64_t> dropped() const;

 private:
  XdpFilter() = default;
  UniqueFd program_;
  UniqueFd stats_;
};

}  // namespace espial::bench
