// SPDX-License-Identifier: Apache-2.0
// The host-compiled parser and judge (bpf/host.h) over a World, in the oracle's words.
#pragma once

#include <cstdint>
#include <vector>

#include "frames/oracle.h"
#include "host.h"

namespace espial::frames {

// A World as the block of memory that the programs probe (bpf/wire.h), built for tests alone.
class TableImage {
 public:
  // ifindex: the device whose VLANs the world lists.
  TableImage(const World& world, std::uint32_t ifindex);
  [[nodiscard]] ep_table table() const;
  // Head, then the IPv4 slots, then the IPv6 slots: the value of the kernel's table map.
  [[nodiscard]] const std::vector<std::uint64_t>& words() const { return words_; }

  static constexpr std::uint32_t kSlots = 64;  // of each family

 private:
  std::vector<std::uint64_t> words_;  // aligned for any field
};

inline constexpr std::uint32_t kIfindex = 1;

struct HostVerdict {
  OracleVerdict verdict;
  bool starved = false;  // the parser wanted bytes that the capture has not
};
// `on_wire`: the frame's original length; 0 = as many as there are bytes.
HostVerdict judge_on_host(const TableImage& image, const Input& input, std::size_t on_wire = 0);

}  // namespace espial::frames
