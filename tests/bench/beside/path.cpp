// SPDX-License-Identifier: Apache-2.0
#include "bench/beside/path.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>

#include <cerrno>
#include <cstring>

#include "bench/cases.h"
#include "bench/shell.h"
#include "kernel/attach/tcx.h"
// After bench/shared.bpf.h, whose types the skeleton uses.
#include "bench.skel.h"

namespace espial::bench {
namespace {

constexpr const char* kPathDevices = R"(set -e
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

}  // namespace

Result<Path> Path::build() {
  if (unshare(CLONE_NEWNET) != 0)
    return Error{fmt::format("network namespace: create: {} (needs root)", std::strerror(errno))};
  EP_TRY(shell("sh", kPathDevices));
  Path path;
  path.in_ = static_cast<int>(if_nametoindex(kIn));
  path.out_ = static_cast<int>(if_nametoindex(kOut));
  EP_ASSIGN(generator, Generator::open("bench-gen"));
  path.generator_ = std::move(generator);
  EP_TRY(path.attach_ends());
  return path;
}

Status Path::attach_ends() {
  auto& object = generator_->object();
  const auto end = static_cast<int>(if_nametoindex("bench-end"));
  EP_ASSIGN(drop, tcx_attach(bpf_program__fd(object.progs.bench_drop), end, Direction::RECEIVE));
  drop_ = std::move(drop.fd);
  const int error =
      bpf_xdp_attach(in_, bpf_program__fd(object.progs.bench_pass), XDP_FLAGS_DRV_MODE, nullptr);
  if (error != 0) return Error{fmt::format("{}: attach XDP: {}", kIn, std::strerror(-error))};
  return Ok{};
}

Result<double> Path::send(std::uint32_t count, pid_t helper) {
  const auto& arrived = generator_->object().bss->bench_arrived;
  const auto before = arrived;
  EP_ASSIGN(spent, generator_->send(esp_frame(), {}, count, helper));
  const auto got = arrived - before;
  if (got != count)
    return Error{fmt::format("packet generator: {} of {} packets arrived", got, count)};
  return spent;
}

}  // namespace espial::bench
