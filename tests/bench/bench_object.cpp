// SPDX-License-Identifier: Apache-2.0
#include "bench/bench_object.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "bench/shared.bpf.h"

// After bench/shared.bpf.h, whose types the skeleton uses.
#include "bench.skel.h"

namespace espial::bench {

void DestroyBench::operator()(bench_bpf* skeleton) const { bench_bpf__destroy(skeleton); }

Result<BenchObject> load_bench_object() {
  BenchObject object(bench_bpf__open_and_load());
  if (!object)
    return Error{fmt::format("bench programs: load: {} (needs root)", std::strerror(errno))};
  return object;
}

}  // namespace espial::bench
