// SPDX-License-Identifier: Apache-2.0
// The host-compiled parser and judge (bpf/host.h) over a World, in the oracle's words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "frames/oracle.h"
#include "host.h"
#include "kernel/table.h"

namespace espial::frames {

inline constexpr std::uint32_t kIfindex = 1;  // the device whose VLANs a world lists

// The world in the words of the kernel layer.
TableSpec table_spec(const World& world);

// A World as the block of memory that the programs probe (bpf/wire.h).
class TableImage {
 public:
  explicit TableImage(const World& world);
  [[nodiscard]] ep_table table() const;
  [[nodiscard]] ep_host_sas sas() const {
    return {sas_.data(), static_cast<std::uint32_t>(sas_.size())};
  }
  [[nodiscard]] Mode mode(std::uint32_t peer) const;

 private:
  TableCapacity capacity_;
  std::vector<std::byte> block_;
  std::map<std::uint32_t, Mode> modes_;
  std::vector<ep_sa_key> sas_;
};

struct HostVerdict {
  OracleVerdict verdict;
  Mode fate = Mode::MONITOR;  // as oracle_fate
  std::size_t length = 0;     // as OracleSize
  std::size_t headers = 0;
  bool starved = false;  // the parser wanted bytes that the capture has not
};
// `on_wire`: the frame's original length; 0 = as many as there are bytes.
HostVerdict judge_on_host(const TableImage& image, const Input& input, std::size_t on_wire = 0);

}  // namespace espial::frames
