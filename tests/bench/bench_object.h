// SPDX-License-Identifier: Apache-2.0
// The bench's own BPF programs (bench.bpf.c), loaded.
#pragma once

#include <memory>

#include "base/result.h"

struct bench_bpf;

namespace espial::bench {

struct DestroyBench {
  void operator()(bench_bpf* skeleton) const;
};
using BenchObject = std::unique_ptr<bench_bpf, DestroyBench>;

Result<BenchObject> load_bench_object();

}  // namespace espial::bench
