// SPDX-License-Identifier: Apache-2.0
// Interleaved A/B measurement: what one program costs above another, with the noise beside it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/result.h"

namespace espial::bench {

struct Effort {
  std::uint32_t rounds = 15;
  std::uint32_t repeat = 1'000'000;  // runs of a program in a round
};

// All in nanoseconds per packet, medians over the rounds.
struct Cost {
  double base_ns = 0;    // the empty program, or the path with nothing on it
  double net_ns = 0;     // above it, of the same round
  double spread_ns = 0;  // between the quartiles of net_ns
  double aa_ns = 0;      // between the quartiles of the base held against itself
  // 1 = free. Of a pair of programs of one run, so that it travels between machines.
  [[nodiscard]] double ratio() const { return (base_ns + net_ns) / base_ns; }
};

// One side of a comparison: does the work once, returns ns per packet.
using Side = std::function<Result<double>()>;
// base, subject, base again, in each round. A round whose base moved is as good as any other: the
// median decides.
Result<Cost> compare(const Side& base, const Side& subject, std::uint32_t rounds);

// CPU time of this thread, ns: what other processes do is not in it.
double thread_cpu_ns();

// One tc program over one frame by BPF_PROG_TEST_RUN; ns of CPU time per run.
Result<double> time_program(int program_fd, std::span<const std::uint8_t> frame,
                            std::uint32_t repeat);

}  // namespace espial::bench
