// SPDX-License-Identifier: Apache-2.0
// Programs: the BPF object in the kernel, loaded or found there. Loading is the one privileged
// moment; afterwards its program and map descriptors serve without CAP_BPF.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/objects.h"
#include "kernel/program_pins.h"
#include "kernel/table.h"
#include "model/snapshot.h"

struct espial_bpf;

namespace espial {

// What decides the layout of the maps; pinned maps of another shape are not adopted.
struct ProgramLimits {
  std::uint32_t max_peers = 1024;
  std::uint32_t max_subnets = 4096;
  std::uint32_t flow_events_per_second = 100;
  bool report = false;  // test runs: verdicts are written to skb->cb
  bool xdp = false;     // load the accelerator, too (Linux 5.18)
};

// How many SAs the mirror has room for: four prefixes per peer make two SAs each way, and as many
// again while they are rekeyed.
std::uint32_t sas_of(const ProgramLimits& limits);
// Of their index: even when all are there, most find room.
std::uint32_t sa_buckets_of(const ProgramLimits& limits);

class Programs {
 public:
  // Brings the programs into the kernel. pin_dir: programs pinned there are adopted when this build
  // with these limits would load the same, else they are loaded and pinned; maps are adopted when
  // their layout is the same. Empty: nothing is pinned. Error: exit 3, with the last verifier
  // lines.
  static Result<Programs> load(const std::string& pin_dir, const ProgramLimits& limits);

  // The program for a device seen in one direction. ethernet: frames start with a link header.
  [[nodiscard]] int program_fd(Direction direction, DeviceRole role, bool ethernet) const;
  [[nodiscard]] int xdp_fd() const;  // -1: not loaded
  [[nodiscard]] int map_fd(MapId id) const;
  [[nodiscard]] int shared_fd(SharedMap map) const;
  [[nodiscard]] const ProgramLimits& limits() const { return limits_; }
  [[nodiscard]] const TableCapacity& capacity() const { return capacity_; }
  [[nodiscard]] bool adopted() const { return adopted_; }  // counters of an earlier run go on
  [[nodiscard]] const ProgramUse& use() const { return use_; }
  // Pinned maps of another layout were replaced; carried(): their counters go on, too.
  [[nodiscard]] bool discarded() const { return discarded_; }
  [[nodiscard]] bool carried() const { return carried_; }
  [[nodiscard]] bool xfrm_state() const {
    return xfrm_state_;
  }  // kernel can tell decrypted packets

  // Pins again what was unpinned externally; the maps themselves live on in the programs. Returns
  // how many pins were missing.
  std::size_t restore_pins(const std::string& pin_dir) const;

  // To be called once these programs are attached in the place of the former ones: takes over what
  // those counted to their end, and gives their maps up.
  Status release_former_maps(const std::string& pin_dir);

  // Replaces the peer table as a whole; the programs see the old or the new one. Needs no
  // capability: two tables exist from the start, and the kernel waits for readers of the old one.
  // Returns what did not fit, one line each.
  Result<std::vector<std::string>> set_table(const TableSpec& spec);
  [[nodiscard]] std::size_t table_entries() const { return table_entries_; }

 private:
  Programs() = default;
  [[nodiscard]] ProgramOrigin origin() const;
  Status create_tables();
  bool adopt(const std::string& pin_dir);
  Status load_object(const std::string& pin_dir);
  Status take(const espial_bpf& skeleton);
  void pin(const std::string& pin_dir);
  Status replace_maps(const std::string& pin_dir);
  Status wait_for_readers() const;

  ProgramSet set_;
  std::array<UniqueFd, 2> tables_;
  std::size_t current_ = 0;
  std::size_t table_entries_ = 0;
  ProgramLimits limits_;
  TableCapacity capacity_;
  ProgramUse use_;
  bool adopted_ = false;
  bool discarded_ = false;
  bool carried_ = false;
  bool xfrm_state_ = false;
};

// The pinned map, for reading without loading anything. Error when it is not there.
Result<UniqueFd> open_pinned_map(const std::string& pin_dir, MapId id);

}  // namespace espial
