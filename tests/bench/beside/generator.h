// SPDX-License-Identifier: Apache-2.0
// The packet generator: frames redirected into one end of a veth come in at its other end, on this
// CPU and in this thread, without the cost of a sending socket.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>

#include "base/result.h"
#include "base/unique_fd.h"
#include "bench/bench_object.h"
#include "bench/shared.bpf.h"

namespace espial::bench {

class Generator {
 public:
  // Frames leave by `device`, a veth whose other end has an XDP program or NAPI (GRO on).
  static Result<Generator> open(const char* device);

  // Sends `count` of this frame and returns the CPU time, in ns per packet, of everything that had
  // a part in it: this thread, the kernel's softirq thread of its CPU, and the process `helper`
  // unless that is 0. vary.count: how many addresses are sent from; 0: the frame as it is.
  Result<double> send(std::span<const std::uint8_t> frame, const bench_vary& vary,
                      std::uint32_t count, pid_t helper);

  [[nodiscard]] bench_bpf& object() { return *object_; }

 private:
  Generator() = default;
  BenchObject object_;
  pid_t softirq_ = 0;  // the kernel's thread for this CPU
};

// GRO gives a veth NAPI, so that it takes redirected frames without an XDP program of its own: a
// host that is protected by tc or nft has none either.
Status turn_gro_on(const char* device);

// Counts in bench_arrived, and drops, what passed all other tcx programs of a device's ingress.
Result<UniqueFd> count_behind(bench_bpf& object, int ifindex);

}  // namespace espial::bench
