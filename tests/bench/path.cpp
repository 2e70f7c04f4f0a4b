// SPDX-License-Identifier: Apache-2.0
#include "bench/path.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "bench/cases.h"
#include "bench/measure.h"
#include "kernel/tcx.h"
// After bench/shared.h, whose types the skeleton uses.
#include "bench.skel.h"

namespace espial::bench {
namespace {

constexpr std::uint32_t kBatch = 64;

constexpr const char* kDevices = R"(set -e
ip link add bench-gen type veth peer name bench-in
ip link add bench-out type veth peer name bench-end
for device in lo bench-gen bench-in bench-out bench-end; do
  ip link set $device up
  [ -e /proc/sys/net/ipv6/conf/$device ] && echo 1 >/proc/sys/net/ipv6/conf/$device/disable_ipv6
done
ip address add 192.168.77.1/24 dev bench-in
ip route add 10.63.0.0/16 dev bench-out
ip neighbour add 10.63.0.1 lladdr 02:00:00:00:00:09 dev bench-out
ip link set bench-in address 02:00:00:00:00:02
for where in all bench-in; do echo 0 >/proc/sys/net/ipv4/conf/$where/rp_filter; done
echo 1 >/proc/sys/net/ipv4/ip_forward
)";

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

Status shell(const char* line, const std::string& input) {
  // Commands get their own standard input: the pipe.
  FILE* pipe = popen(line, "w");
  if (pipe == nullptr) return Error{fmt::format("{}: {}", line, std::strerror(errno))};
  const bool written = std::fwrite(input.data(), 1, input.size(), pipe) == input.size();
  if (pclose(pipe) != 0 || !written) return Error{fmt::format("{}: failed", line)};
  return Ok{};
}

Result<Path> Path::build() {
  if (unshare(CLONE_NEWNET) != 0)
    return Error{fmt::format("network namespace: create: {} (needs root)", std::strerror(errno))};
  EP_TRY(shell("sh", kDevices));
  Path path;
  path.in_ = static_cast<int>(if_nametoindex(kIn));
  path.out_ = static_cast<int>(if_nametoindex(kOut));
  path.softirq_ = softirq_thread(sched_getcpu());
  EP_ASSIGN(object, load_bench_object());
  path.object_ = std::move(object);
  EP_TRY(path.attach_ends());
  return path;
}

Status Path::attach_ends() {
  const auto end = static_cast<int>(if_nametoindex("bench-end"));
  EP_ASSIGN(drop, tcx_attach(bpf_program__fd(object_->progs.bench_drop), end, Direction::RECEIVE));
  drop_ = std::move(drop.fd);
  const int error =
      bpf_xdp_attach(in_, bpf_program__fd(object_->progs.bench_pass), XDP_FLAGS_DRV_MODE, nullptr);
  if (error != 0) return Error{fmt::format("{}: attach XDP: {}", kIn, std::strerror(-error))};
  object_->bss->bench_ifindex = if_nametoindex("bench-gen");
  const auto frame = esp_frame();
  std::memcpy(object_->bss->bench_header, frame.data(), BENCH_HEADER);
  return Ok{};
}

Result<double> Path::send(std::uint32_t count, pid_t helper) {
  auto frame = esp_frame();
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<__u32>(frame.size());
  options.repeat = static_cast<int>(count);
  options.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
  options.batch_size = kBatch;
  const auto arrived = object_->bss->bench_arrived;
  const double before = thread_cpu_ns() + cpu_ns(softirq_) + cpu_ns(helper);
  if (bpf_prog_test_run_opts(bpf_program__fd(object_->progs.bench_send), &options) != 0)
    return Error{fmt::format("packet generator: {}", std::strerror(errno))};
  const double spent = thread_cpu_ns() + cpu_ns(softirq_) + cpu_ns(helper) - before;
  const auto got = object_->bss->bench_arrived - arrived;
  if (got != count)
    return Error{fmt::format("packet generator: {} of {} packets arrived", got, count)};
  return spent / count;
}

}  // namespace espial::bench
