// SPDX-License-Identifier: Apache-2.0
#include "bench/measure.h"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <vector>

#include "bench/median.h"

namespace espial::bench {
double thread_cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

Result<Cost> compare(const Side& base, const Side& subject, std::uint32_t rounds) {
  std::vector<double> bases;
  std::vector<double> nets;
  std::vector<double> same;
  for (std::uint32_t round = 0; round < rounds; ++round) {
    EP_ASSIGN(before, base());
    EP_ASSIGN(with, subject());
    EP_ASSIGN(after, base());
    bases.push_back((before + after) / 2);
    nets.push_back(with - (before + after) / 2);
    same.push_back(after - before);
  }
  return Cost{median(bases), median(nets), spread(nets), spread(same)};
}

Result<double> time_program(int program_fd, std::span<const std::uint8_t> frame,
                            std::uint32_t repeat) {
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<__u32>(frame.size());
  options.repeat = static_cast<int>(repeat);
  const double start = thread_cpu_ns();
  if (bpf_prog_test_run_opts(program_fd, &options) != 0)
    return Error{fmt::format("test run: {}", std::strerror(errno))};
  return (thread_cpu_ns() - start) / repeat;
}

}  // namespace espial::bench
