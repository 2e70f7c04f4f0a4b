// SPDX-License-Identifier: Apache-2.0
#include "bench/beside/xdp_filter.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "bench/cases.h"
#include "bench/shell.h"

namespace espial::bench {
namespace {

constexpr const char* kPins = "/sys/fs/bpf/xdp-filter";

struct Traffic {
  __u64 packets;
  __u64 bytes;
};

using Key = std::array<std::uint8_t, 16>;

Result<Key> key_of(Family family, std::uint32_t peer) {
  Key key{};
  const auto host = backend_host(family, peer);
  if (inet_pton(family == Family::kIpv4 ? AF_INET : AF_INET6, host.c_str(), key.data()) != 1)
    return Error{fmt::format("xdp-filter: {}: no address", host)};
  return key;
}

// The tool enters the first host; the others get the very value that it wrote. It would take a
// process for each of them.
Status fill(Family family, std::uint32_t peers) {
  EP_ASSIGN(said, output_of("xdp-filter ip -m src " + backend_host(family, 1) + " 2>&1"));
  const auto path = fmt::format("{}/filter_ipv{}", kPins, family == Family::kIpv4 ? 4 : 6);
  const UniqueFd map(bpf_obj_get(path.c_str()));
  std::vector<__u64> value(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  EP_ASSIGN(first, key_of(family, 1));
  if (!map.valid() || bpf_map_lookup_elem(map.get(), first.data(), value.data()) != 0)
    return Error{fmt::format("xdp-filter: {}: {} {}", path, std::strerror(errno), said)};
  for (std::uint32_t peer = 2; peer <= peers; ++peer) {
    EP_ASSIGN(key, key_of(family, peer));
    if (bpf_map_update_elem(map.get(), key.data(), value.data(), BPF_NOEXIST) != 0)
      return Error{fmt::format("xdp-filter: {}: {}", path, std::strerror(errno))};
  }
  return Ok{};
}

}  // namespace

Result<XdpFilter> XdpFilter::load(const char* device, std::uint32_t peers) {
  const std::string command = "xdp-filter load -m native -f ipv4,ipv6 -p allow ";
  EP_ASSIGN(said, output_of(command + device + " 2>&1"));
  for (const auto family : {Family::kIpv4, Family::kIpv6}) EP_TRY(fill(family, peers));
  const auto ifindex = static_cast<int>(if_nametoindex(device));
  __u32 id = 0;
  XdpFilter filter;
  if (bpf_xdp_query_id(ifindex, XDP_FLAGS_DRV_MODE, &id) == 0)
    filter.program_ = UniqueFd(bpf_prog_get_fd_by_id(id));
  if (!filter.program_.valid())
    return Error{fmt::format("xdp-filter: no program on {}: {}", device, said)};
  filter.stats_ = UniqueFd(bpf_obj_get(fmt::format("{}/xdp_stats_map", kPins).c_str()));
  if (!filter.stats_.valid()) return Error{"xdp-filter: its counters are not where 1.3 has them"};
  if (bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE, nullptr) != 0)
    return Error{fmt::format("xdp-filter: cannot be taken off {}", device)};
  return filter;
}

Result<std::uint64_t> XdpFilter::dropped() const {
  std::vector<Traffic> cpus(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  const __u32 action = XDP_DROP;
  if (bpf_map_lookup_elem(stats_.get(), &action, cpus.data()) != 0)
    return Error{fmt::format("xdp-filter: read its counters: {}", std::strerror(errno))};
  std::uint64_t sum = 0;
  for (const auto& cpu : cpus) sum += cpu.packets;
  return sum;
}

}  // namespace espial::bench
