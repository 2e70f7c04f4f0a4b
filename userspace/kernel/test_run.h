// SPDX-License-Identifier: Apache-2.0
// TestRun: the very programs of the data plane, run on a frame by BPF_PROG_TEST_RUN. Own maps,
// nothing is attached or pinned.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "kernel/programs.h"

namespace espial {

// The result of one program for one frame.
struct TestVerdict {
  Class klass = Class::OTHER;
  Outcome outcome = Outcome::OK;
  std::uint32_t peer = 0;
  bool skipped = false;  // this role does not count it
  bool dropped = false;
  bool would_drop = false;
};

struct TestFrame {
  std::span<const std::uint8_t> bytes;  // at least 14
  Direction direction = Direction::RECEIVE;
  bool ethernet = true;  // false: bytes start with IP
  DeviceRole role = DeviceRole::kWireAndReentry;
  std::uint32_t gso_size = 0;
  std::uint32_t gso_segs = 0;
};

// Nanoseconds per run of any loaded program, averaged by the kernel over `repeat` runs.
Result<std::uint32_t> time_program(int program_fd, const TestFrame& frame, std::uint32_t repeat);

class TestRun {
 public:
  // With verdicts, run() works and the shortest path is left out, so that every frame is judged by
  // the general one; without, the programs are those of the data plane and the counters tell.
  enum class Verdicts : std::uint8_t { kYes, kNo };
  static Result<TestRun> open(const TableSpec& table, std::uint32_t max_peers,
                              Verdicts verdicts = Verdicts::kYes);

  // The SAs of ESP that a table with spi_proof is used with, in the mirror's stead: destinations
  // and SPIs.
  Status set_sas(const std::vector<std::pair<IpAddress, std::uint32_t>>& sas) const;

  // Whether every supported kernel takes these bytes for a test run (net/bpf/test_run.c): a packet
  // behind the first 14 bytes, with a whole IP header where their ethertype announces one (6.18),
  // and no more than a page less head and tail room.
  static bool accepts(std::span<const std::uint8_t> bytes);
  // Frames that are not accepted are an error.
  Result<TestVerdict> run(const TestFrame& frame) const;
  // Runs once; true: the program said drop. Works without verdicts, too.
  Result<bool> drops(const TestFrame& frame) const;
  // The same of the XDP accelerator, on a received frame with its Ethernet header.
  [[nodiscard]] Result<bool> drops_early(std::span<const std::uint8_t> bytes) const;
  // Nanoseconds per run, averaged by the kernel over `repeat` runs.
  Result<std::uint32_t> time(const TestFrame& frame, std::uint32_t repeat) const;

  [[nodiscard]] const Programs& programs() const { return programs_; }

 private:
  explicit TestRun(Programs programs) : programs_(std::move(programs)) {}
  Programs programs_;
};

}  // namespace espial
