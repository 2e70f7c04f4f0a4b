// SPDX-License-Identifier: Apache-2.0
#include "bench/beside/drop_tools.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <cerrno>
#include <cstring>
#include <regex>
#include <utility>

#include "base/unique_fd.h"
#include "bench/beside/xdp_filter.h"
#include "bench/cases.h"
#include "bench/shell.h"
#include "kernel/attach/clsact.h"
#include "kernel/attach/tcx.h"
#include "kernel/counters/counters.h"
#include "kernel/peers/mode_map.h"
#include "kernel/programs.h"
// After bench/shared.bpf.h, whose types the skeleton uses.
#include "bench/shared.bpf.h"
//
#include "bench.skel.h"

namespace espial::bench {
namespace {

constexpr std::uint32_t kHandle = 7;  // of the clsact filters

int port() { return static_cast<int>(if_nametoindex(kPort)); }

// What is attached goes when its descriptor does.
using Attached = std::shared_ptr<UniqueFd>;

DropTool by_link(std::string name, std::string what, std::function<Result<UniqueFd>()> attach) {
  auto held = std::make_shared<UniqueFd>();
  DropTool tool{std::move(name), std::move(what), {}, {}, {}, 1, {}};
  tool.on = [held, attach = std::move(attach)]() -> Status {
    EP_ASSIGN(link, attach());
    *held = std::move(link);
    return Ok{};
  };
  tool.off = [held] {
    *held = UniqueFd();
    return Ok{};
  };
  return tool;
}

DropTool by_xdp(std::string name, std::string what, int program, __u32 mode) {
  return by_link(std::move(name), std::move(what), [program, mode]() -> Result<UniqueFd> {
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = mode);
    UniqueFd link(bpf_link_create(program, port(), BPF_XDP, &options));
    if (!link.valid()) return Error{fmt::format("{}: attach XDP: {}", kPort, std::strerror(errno))};
    return link;
  });
}

DropTool by_tcx(std::string name, std::string what, int program) {
  return by_link(std::move(name), std::move(what), [program]() -> Result<UniqueFd> {
    EP_ASSIGN(link, tcx_attach(program, port(), Direction::RECEIVE));
    return std::move(link.fd);
  });
}

DropTool by_clsact(std::string name, std::string what, int program) {
  DropTool tool{std::move(name), std::move(what), {}, {}, {}, 1, {}};
  tool.on = [program] {
    bool made = false;
    return clsact_attach(program, port(), Direction::RECEIVE, kHandle, made);
  };
  tool.off = []() -> Status {
    EP_TRY(clsact_detach(port(), Direction::RECEIVE, kHandle));
    return clsact_remove_unused(port());
  };
  return tool;
}

// As the daemon loads it for so many peers, all of them enforced.
Result<std::shared_ptr<Programs>> load_espial() {
  ProgramLimits limits;
  limits.max_peers = kDropPeers;
  limits.xdp = true;
  EP_ASSIGN(programs, Programs::load("", limits));
  if (auto set = programs.set_table(mesh(kDropPeers)); !set.ok()) return set.error();
  for (std::uint32_t peer = 1; peer <= kDropPeers; ++peer)
    EP_TRY(write_mode_entry(programs.map_fd(MapId::kPolicy), peer, {Mode::ENFORCE, {}}));
  return std::make_shared<Programs>(std::move(programs));
}

// Of all peers; counted by peer, as cleartext, and as dropped: one must be the other.
Result<std::uint64_t> espial_dropped(const Programs& programs) {
  EP_ASSIGN(maps, Maps::of(programs));
  CounterReader reader;
  std::uint64_t dropped = 0;
  std::uint64_t seen = 0;
  for (std::uint32_t index = 1; index <= kDropPeers; ++index) {
    EP_ASSIGN(peer, reader.peer(maps, index));
    dropped +=
        peer.enforced[at(Action::kDrop)][at(Direction::RECEIVE)][at(Reason::CLEARTEXT)].packets;
    for (const auto family : {Family::kIpv4, Family::kIpv6})
      seen += peer.cell(Direction::RECEIVE, family, Class::CLEARTEXT).packets;
  }
  if (seen != dropped)
    return Error{fmt::format("espial: {} cleartext packets, {} dropped", seen, dropped)};
  return dropped;
}

void add_espial(const std::shared_ptr<Programs>& programs, std::vector<DropTool>& tools) {
  const int tc = programs->program_fd(Direction::RECEIVE, DeviceRole::kWire, true);
  const auto count = [programs] { return espial_dropped(*programs); };
  for (auto tool :
       {by_xdp("espial_xdp", "espial, native XDP", programs->xdp_fd(), XDP_FLAGS_DRV_MODE),
        by_tcx("espial_tcx", "espial, tcx", tc),
        by_clsact("espial_clsact", "espial, clsact", tc)}) {
    tool.dropped = count;
    tools.push_back(std::move(tool));
  }
}

void add_empty(const bench_bpf& object, std::vector<DropTool>& tools) {
  const int xdp = bpf_program__fd(object.progs.bench_xdp_drop);
  const int tc = bpf_program__fd(object.progs.bench_shot);
  tools.push_back(by_xdp("empty_xdp", "empty native XDP", xdp, XDP_FLAGS_DRV_MODE));
  tools.push_back(by_xdp("empty_generic", "empty generic XDP", xdp, XDP_FLAGS_SKB_MODE));
  tools.push_back(by_tcx("empty_tcx", "empty tcx program", tc));
  tools.push_back(by_clsact("empty_clsact", "empty clsact program", tc));
}

Result<std::uint64_t> packets_in(const std::string& text) {
  static const std::regex kPackets(R"(packets (\d+))");
  std::uint64_t sum = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), kPackets), end; it != end; ++it)
    sum += std::stoull((*it)[1]);
  return sum;
}

// Subnets of one length as a hash of masked addresses: what nft looks up fastest.
std::string nft_set(Family family) {
  const bool v4 = family == Family::kIpv4;
  std::string elements;
  for (std::uint32_t peer = 1; peer <= kDropPeers; ++peer) {
    const auto prefix = backend_prefix(family, peer);
    elements += prefix.substr(0, prefix.find('/')) + ", ";
  }
  return fmt::format("set clear{} {{ type {}; elements = {{ {} }} }}\n", v4 ? 4 : 6,
                     v4 ? "ipv4_addr" : "ipv6_addr", elements);
}

DropTool by_nft(std::string name, std::string what, const std::string& table, std::string hook) {
  const auto rules = fmt::format(
      "table {} bench {{\n{}{}chain drops {{ {}\n"
      "ip saddr & 255.255.255.0 @clear4 counter drop\n"
      "ip6 saddr & ffff:ffff:ffff:ffff:: @clear6 counter drop\n}}\n}}\n",
      table, nft_set(Family::kIpv4), nft_set(Family::kIpv6), std::move(hook));
  DropTool tool{std::move(name), std::move(what), {}, {}, {}, 1, {}};
  tool.on = [rules] { return shell("nft -f -", rules); };
  tool.off = [table] { return shell(("nft delete table " + table + " bench").c_str()); };
  tool.dropped = [table]() -> Result<std::uint64_t> {
    EP_ASSIGN(text, output_of("nft list chain " + table + " bench drops"));
    return packets_in(text);
  };
  return tool;
}

// One rule for each subnet, tried in turn.
DropTool by_iptables(Family family) {
  const std::string six = family == Family::kIpv4 ? "" : "6";
  std::string rules = "*raw\n:PREROUTING ACCEPT\n";
  for (std::uint32_t peer = 1; peer <= kDropPeers; ++peer)
    rules +=
        fmt::format("-A PREROUTING -i {} -s {} -j DROP\n", kPort, backend_prefix(family, peer));
  rules += "COMMIT\n";
  DropTool tool{
      "iptables" + six, "ip" + six + "tables, raw PREROUTING, 1,024 rules", {}, {}, {}, 20, {}};
  tool.on = [six, rules] { return shell(("ip" + six + "tables-restore").c_str(), rules); };
  tool.off = [six] { return shell(("ip" + six + "tables -t raw -F").c_str()); };
  tool.dropped = [six]() -> Result<std::uint64_t> {
    EP_ASSIGN(text, output_of("ip" + six + "tables -t raw -vxnL PREROUTING"));
    static const std::regex kCount(R"(\n\s*(\d+)\s+\d+\s+DROP)");
    std::uint64_t sum = 0;
    for (std::sregex_iterator it(text.begin(), text.end(), kCount), end; it != end; ++it)
      sum += std::stoull((*it)[1]);
    return sum;
  };
  return tool;
}

DropTool by_xdp_filter() {
  auto loaded = XdpFilter::load(kPort, kDropPeers);
  if (!loaded.ok())
    return {"xdp_filter", "xdp-filter", {}, {}, {}, 1, std::move(loaded).error().message};
  const auto filter = std::make_shared<XdpFilter>(std::move(*loaded));
  auto tool =
      by_xdp("xdp_filter", "xdp-filter, 1,024 addresses", filter->program_fd(), XDP_FLAGS_DRV_MODE);
  tool.dropped = [filter] { return filter->dropped(); };
  return tool;
}

}  // namespace

Result<std::vector<DropTool>> drop_tools(bench_bpf& object) {
  std::vector<DropTool> tools;
  add_empty(object, tools);
  EP_ASSIGN(espial, load_espial());
  add_espial(espial, tools);
  tools.push_back(by_xdp_filter());
  tools.push_back(by_nft("nft_ingress", "nft, netdev ingress, set of 1,024", "netdev",
                         fmt::format("type filter hook ingress device \"{}\" priority 0;", kPort)));
  tools.push_back(by_nft("nft_raw", "nft, raw prerouting, set of 1,024", "inet",
                         "type filter hook prerouting priority raw;"));
  tools.push_back(by_iptables(Family::kIpv4));
  tools.push_back(by_iptables(Family::kIpv6));
  return tools;
}

}  // namespace espial::bench
