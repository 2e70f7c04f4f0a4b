// SPDX-License-Identifier: Apache-2.0
#include "bench/beside/drops.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>

#include "bench/beside/drop_tools.h"
#include "bench/beside/generator.h"
#include "bench/cases.h"
#include "bench/shell.h"

namespace espial::bench {
namespace {

constexpr const char* kDevices = R"(set -e
ip link add bench-src type veth peer name bench-port
# Nothing must come in that was not generated.
echo 1 >/proc/sys/net/ipv6/conf/bench-src/disable_ipv6
ip link set bench-port address 02:00:00:00:00:02
for device in lo bench-src bench-port; do ip link set $device up; done
)";

Status enter_namespaces() {
  if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0)
    return Error{fmt::format("namespaces: create: {} (needs root)", std::strerror(errno))};
  // xdp-filter pins below here; others' pins are not to be met, nor ours to be left.
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr) != 0)
    return Error{fmt::format("/sys/fs/bpf: mount: {}", std::strerror(errno))};
  EP_TRY(shell("sh", kDevices));
  return turn_gro_on(kPort);
}

// Packets that the port has received, whatever became of them.
std::uint64_t received() {
  std::ifstream file("/proc/thread-self/net/dev");
  for (std::string line; std::getline(file, line);) {
    std::uint64_t bytes = 0;
    std::uint64_t packets = 0;
    const auto at = line.find(std::string(kPort) + ":");
    if (at == std::string::npos) continue;
    if (std::sscanf(line.c_str() + line.find(':') + 1, "%lu %lu", &bytes, &packets) == 2)
      return packets;
  }
  return 0;
}

// One round of one tool: every packet is received, and dropped by that tool.
Result<double> round_of(Generator& generator, const DropTool& tool, const Case& traffic,
                        std::uint32_t count) {
  EP_TRY(tool.on());
  std::uint64_t before = 0;
  if (tool.dropped) {
    EP_ASSIGN(dropped, tool.dropped());
    before = dropped;
  }
  const auto arrived = received();
  EP_ASSIGN(spent, generator.send(traffic.bytes, traffic.vary, count, 0));
  if (const auto got = received() - arrived; got != count)
    return Error{
        fmt::format("{} {}: {} of {} packets were received", traffic.name, tool.name, got, count)};
  if (tool.dropped) {
    EP_ASSIGN(after, tool.dropped());
    if (after - before != count)
      return Error{fmt::format("{} {}: dropped {} of {} packets", traffic.name, tool.name,
                               after - before, count)};
  }
  EP_TRY(tool.off());
  return spent;
}

bool fits(const DropTool& tool, Family family) {
  return tool.name != (family == Family::kIpv4 ? "iptables6" : "iptables");
}

Result<Cost> measure_drops(Generator& generator, const DropTool& empty, const DropTool& tool,
                           const Case& traffic, const Effort& effort) {
  const auto side = [&](const DropTool& which, std::uint32_t count) {
    return [&generator, &which, &traffic, count] {
      return round_of(generator, which, traffic, count);
    };
  };
  return compare(side(empty, effort.repeat),
                 side(tool, std::max(effort.repeat / tool.slower, 2000U)), effort.rounds);
}

struct Goal {
  const char* tool;
  double times;  // as long as espial's native XDP, at least
};
constexpr std::array<Goal, 5> kGoals{{{"nft_ingress", 3.5},
                                      {"nft_raw", 4},
                                      {"iptables", 50},
                                      {"iptables6", 50},
                                      {"xdp_filter", 1.3}}};
constexpr double kOfEmpty = 0.90;

std::string judged(double value, double goal) {
  return fmt::format("{:.2f} (goal {:.2f}{})", value, goal, value < goal ? ", MISSED" : "");
}

// The last column: espial's XDP against the ceiling, any other against espial's XDP.
std::string against(const Row& row, const std::string& tool, double espial) {
  const double ratio = row.cost.ratio();
  if (tool == "espial_xdp") return "rate of the empty one: " + judged(1 / ratio, kOfEmpty);
  if (espial == 0) return "";
  for (const Goal& goal : kGoals)
    if (tool == goal.tool) return "times espial's XDP: " + judged(ratio / espial, goal.times);
  return fmt::format("times espial's XDP: {:.2f}", ratio / espial);
}

}  // namespace

Result<Drops> measure_drops(const Effort& effort, const std::string& only) {
  EP_TRY(enter_namespaces());
  EP_ASSIGN(generator, Generator::open("bench-src"));
  EP_ASSIGN(tools, drop_tools(generator.object()));
  Drops drops;
  for (const DropTool& tool : tools)
    if (!tool.absent.empty())
      drops.remarks.push_back(fmt::format("{}: not measured: {}", tool.what, tool.absent));
  for (const auto family : {Family::kIpv4, Family::kIpv6})
    for (const bool any : {false, true}) {
      const Case traffic = cleartext_of_any(family, any, kDropPeers);
      for (const DropTool& tool : tools) {
        const auto name = fmt::format("drop_{}_{}", traffic.name, tool.name);
        if (!tool.absent.empty() || !fits(tool, family) || name.find(only) == std::string::npos)
          continue;
        EP_ASSIGN(cost, measure_drops(generator, tools.front(), tool, traffic, effort));
        drops.rows.push_back({fmt::format("drop, IPv{}, from {}", family == Family::kIpv4 ? 4 : 6,
                                          any ? "any of 1,024 peers" : "the last of 1,024 peers"),
                              name, cost});
      }
    }
  return drops;
}

std::string rates_of(const Drops& drops) {
  std::map<std::string, double> espial;  // by group
  for (const Row& row : drops.rows)
    if (row.name.ends_with("_espial_xdp")) espial[row.group] = row.cost.ratio();
  std::string out;
  std::string group;
  for (const Row& row : drops.rows) {
    if (row.group != group) {
      group = row.group;
      out += fmt::format("\n{:<38}{:>8}{:>8}{:>8}{:>7}\n", group, "ns", "Mpps", "spread", "A/A");
    }
    const double ns = row.cost.base_ns + row.cost.net_ns;
    const auto tool = row.name.substr(std::string("drop_v4_one_").size());
    out += fmt::format("  {:<36}{:>8.1f}{:>8.2f}{:>8.1f}{:>7.1f}  {}\n", tool, ns, 1e3 / ns,
                       row.cost.spread_ns, row.cost.aa_ns, against(row, tool, espial[group]));
  }
  for (const auto& remark : drops.remarks) out += remark + "\n";
  return out;
}

}  // namespace espial::bench
