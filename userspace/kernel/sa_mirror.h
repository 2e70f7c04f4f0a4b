// SPDX-License-Identifier: Apache-2.0
// SaMirror: the programs of bpf/sas.bpf.c, which keep the map ep_sas equal to the SAD, and the map.
//
//   PIN_DIR/sas/NAME    one pin per link
//
// The links are pinned, so rekeys are followed without a daemon. A start adopts them when they
// write to this start's map; else it loads its own, attaches them, and gives the former ones up.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/programs.h"
#include "model/facts/facts.h"

namespace espial {

class SaMirror {
 public:
  // Adopts a mirror that runs; where there is none, nothing is mirrored until start().
  static SaMirror open(const Programs& programs, std::string pin_dir);
  // Needs the capabilities to load programs; never fails: problem() says why nothing is mirrored.
  void start();

  // Makes the map equal to a dump of the SAD that was begun after start(). What came and went in
  // the meantime is repaired by the next call: an SA that is missing in the dump counts as deleted
  // now, which EP_SA_GRACE_NS forgives.
  void sync(const std::vector<XfrmStateFact>& states);

  // Does the map have every SA? Only then may a packet be called foreign for its SPI.
  [[nodiscard]] bool complete() const { return synced_ && problem_.empty(); }
  [[nodiscard]] const std::string& problem() const { return problem_; }  // one line; empty: none
  [[nodiscard]] std::size_t capacity() const { return capacity_; }       // SAs

 private:
  bool adopt();
  Status load();
  Status pin();
  Status write(const std::vector<XfrmStateFact>& states);
  Status write_index(const std::vector<XfrmStateFact>& states);

  std::string pin_dir_;
  UniqueFd map_;
  UniqueFd index_;
  std::uint32_t buckets_ = 0;
  std::vector<UniqueFd> links_;
  std::size_t capacity_ = 0;
  std::string problem_ = "not started";
  bool running_ = false;
  bool synced_ = false;
};

}  // namespace espial
