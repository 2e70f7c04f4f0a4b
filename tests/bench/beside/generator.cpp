// SPDX-License-Identifier: Apache-2.0
#include "bench/beside/generator.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "bench/measure.h"
// After bench/shared.bpf.h, whose types the skeleton uses.
#include "bench.skel.h"

namespace espial::bench {
namespace {

constexpr std::uint32_t kBatch = 64;

// The kernel's softirq thread of a CPU; 0 if it cannot be found.
pid_t softirq_thread(int cpu) {
  const std::string wanted = fmt::format("ksoftirqd/{}", cpu);
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "comm");
    std::string name;
    if (file && std::getline(file, name) && name == wanted)
      return static_cast<pid_t>(std::stol(entry.path().filename()));
  }
  return 0;
}

// CPU time of a process's first thread so far, ns.
double cpu_ns(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/schedstat", pid));
  double nanoseconds = 0;
  return pid != 0 && file >> nanoseconds ? nanoseconds : 0;
}

}  // namespace

Result<Generator> Generator::open(const char* device) {
  Generator generator;
  generator.softirq_ = softirq_thread(sched_getcpu());
  EP_ASSIGN(object, load_bench_object());
  generator.object_ = std::move(object);
  generator.object_->bss->bench_ifindex = if_nametoindex(device);
  return generator;
}

Result<double> Generator::send(std::span<const std::uint8_t> frame, const bench_vary& vary,
                               std::uint32_t count, pid_t helper) {
  auto& bss = *object_->bss;
  const auto* program = vary.count != 0 ? object_->progs.bench_send_any : object_->progs.bench_send;
  bss.bench_vary = vary;
  std::memcpy(bss.bench_header, frame.data(), std::min(frame.size(), sizeof(bss.bench_header)));
  std::vector<std::uint8_t> bytes(frame.begin(), frame.end());
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = bytes.data();
  options.data_size_in = static_cast<__u32>(bytes.size());
  options.repeat = static_cast<int>(count);
  options.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
  options.batch_size = kBatch;
  const double before = thread_cpu_ns() + cpu_ns(softirq_) + cpu_ns(helper);
  if (bpf_prog_test_run_opts(bpf_program__fd(program), &options) != 0)
    return Error{fmt::format("packet generator: {}", std::strerror(errno))};
  return (thread_cpu_ns() + cpu_ns(softirq_) + cpu_ns(helper) - before) / count;
}

Status turn_gro_on(const char* device) {
  const UniqueFd control(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ethtool_value gro{ETHTOOL_SGRO, 1};
  ifreq request{};
  std::strncpy(request.ifr_name, device, IFNAMSIZ - 1);
  request.ifr_data = reinterpret_cast<char*>(&gro);
  if (ioctl(control.get(), SIOCETHTOOL, &request) != 0)
    return Error{fmt::format("{}: turn GRO on: {}", device, std::strerror(errno))};
  return Ok{};
}

Result<UniqueFd> count_behind(bench_bpf& object, int ifindex) {
  constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);  // Linux 6.6
  const int program = bpf_program__fd(object.progs.bench_drop);
  UniqueFd link(bpf_link_create(program, ifindex, kTcxIngress, nullptr));
  if (!link.valid()) return Error{fmt::format("count behind: {}", std::strerror(errno))};
  return link;
}

}  // namespace espial::bench
