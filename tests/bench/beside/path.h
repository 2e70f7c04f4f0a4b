// SPDX-License-Identifier: Apache-2.0
// The path that watchers are put on: generator -> kIn (veth) -> forwarding -> kOut (veth) -> drop.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "base/unique_fd.h"
#include "bench/beside/generator.h"

namespace espial::bench {

inline constexpr const char* kIn = "bench-in";
inline constexpr const char* kOut = "bench-out";

// A network namespace of the calling thread with this path in it; gone with the process.
class Path {
 public:
  static Result<Path> build();

  // Sends `count` frames of 64 bytes (an ESP packet of the first peer) and returns the CPU time, in
  // ns per packet, of everything that had a part in it: this thread, the kernel's softirq thread of
  // its CPU, and the process `helper` unless that is 0. Error: not all of them arrived.
  Result<double> send(std::uint32_t count, pid_t helper);

  [[nodiscard]] int in() const { return in_; }
  [[nodiscard]] int out() const { return out_; }

 private:
  Path() = default;
  Status attach_ends();

  std::optional<Generator> generator_;
  UniqueFd drop_;  // the link at the far end
  int in_ = 0;
  int out_ = 0;
};

}  // namespace espial::bench
