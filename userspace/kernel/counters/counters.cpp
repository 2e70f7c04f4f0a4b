// SPDX-License-Identifier: Apache-2.0
#include "kernel/counters/counters.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <map>

#include "kernel/counters/flow_record.h"

namespace espial {
namespace {

static_assert(kActions == EP_ACTION_COUNT && at(Action::kDrop) == EP_ACTION_DROP);

void add_cell(Cell& sum, const ep_cell& cell) {
  sum.packets += cell.packets;
  sum.bytes += cell.bytes;
}

void merge_flow(FlowRecord& sum, const FlowRecord& part) {
  if (sum.packets == 0) {
    sum = part;
    return;
  }
  sum.packets += part.packets;
  sum.bytes += part.bytes;
  for (std::size_t a = 0; a < kActions; ++a) sum.enforced[a] += part.enforced[a];
  sum.first = std::min(sum.first, part.first);
  sum.last = std::max(sum.last, part.last);
}

}  // namespace

CounterReader::CounterReader() : cpus_(static_cast<std::size_t>(libbpf_num_possible_cpus())) {}

template <typename Value>
Result<const Value*> CounterReader::read(const Maps& maps, MapId id, std::uint32_t index,
                                         std::optional<MapId> base) {
  static_assert(sizeof(Value) % sizeof(std::uint64_t) == 0);  // no padding between CPUs
  buffer_.assign((cpus_ + 1) * sizeof(Value) / sizeof(std::uint64_t), 0);
  if (bpf_map_lookup_elem(maps.fd(id), &index, buffer_.data()) != 0)
    return Error{fmt::format("map {}: read: {}", map_name(id), std::strerror(errno))};
  auto* values = reinterpret_cast<Value*>(buffer_.data());
  if (base && maps.carried() && bpf_map_lookup_elem(maps.fd(*base), &index, values + cpus_) != 0)
    return Error{fmt::format("map {}: read: {}", map_name(*base), std::strerror(errno))};
  return values;
}

Result<PeerCounters> CounterReader::peer(const Maps& maps, std::uint32_t index) {
  EP_ASSIGN(values, read<ep_peer_stat>(maps, MapId::kPeerStat, index, MapId::kPeerBase));
  PeerCounters counters;
  std::array<std::uint64_t, kDirections> last{};
  std::array<std::uint64_t, kActions> last_enforced{};
  for (std::size_t cpu = 0; cpu <= cpus_; ++cpu) {
    const auto& value = values[cpu];
    for (std::size_t d = 0; d < kDirections; ++d) {
      for (std::size_t f = 0; f < kFamilies; ++f)
        for (std::size_t c = 0; c < kClasses; ++c)
          add_cell(counters.cells[d][f][c], value.cell[d][f][c]);
      last[d] = std::max<std::uint64_t>(last[d], value.last_unprotected_ns[d]);
      for (std::size_t e = 0; e < kExemptions; ++e) counters.exempted[d][e] += value.exempted[d][e];
    }
    for (std::size_t a = 0; a < kActions; ++a) {
      for (std::size_t d = 0; d < kDirections; ++d)
        for (std::size_t r = 0; r < kReasons; ++r)
          add_cell(counters.enforced[a][d][r], value.enforced[a][d][r]);
      last_enforced[a] = std::max<std::uint64_t>(last_enforced[a], value.last_enforced_ns[a]);
    }
    for (std::size_t f = 0; f < kFamilies; ++f) add_cell(counters.decrypted[f], value.decrypted[f]);
    counters.spoofed += value.spoofed;
    counters.unattributed += value.unattributed;
  }
  for (std::size_t d = 0; d < kDirections; ++d) counters.last_unprotected[d] = wall_time(last[d]);
  for (std::size_t a = 0; a < kActions; ++a)
    counters.last_enforced[a] = wall_time(last_enforced[a]);
  return counters;
}

Result<std::vector<NetworkCounters>> CounterReader::networks(const Maps& maps,
                                                             const Identities& identities) {
  std::map<std::uint32_t, std::string> names;
  for (const auto& [name, id] : identities.peers()) names[id] = name;
  std::map<std::pair<std::string, std::string>, NetworkCounters> sums;
  for (const auto& [key, index] : identities.subnets()) {
    EP_ASSIGN(values, read<ep_net_stat>(maps, MapId::kNetStat, index, MapId::kNetBase));
    auto& sum = sums[{names[key.peer], key.network}];
    sum.peer = names[key.peer];
    sum.network = key.network;
    for (std::size_t cpu = 0; cpu <= cpus_; ++cpu)
      for (std::size_t d = 0; d < kDirections; ++d)
        sum.cleartext_packets[d] += values[cpu].cleartext[d];
  }
  std::vector<NetworkCounters> networks;
  for (auto& [key, sum] : sums) networks.push_back(std::move(sum));
  return networks;
}

Status CounterReader::node(const Maps& maps, Snapshot& snapshot) {
  EP_ASSIGN(values, read<ep_node_stat>(maps, MapId::kNodeStat, 0, MapId::kNodeBase));
  for (std::size_t cpu = 0; cpu <= cpus_; ++cpu) {
    for (std::size_t i = 0; i < kOutcomes; ++i) snapshot.outcomes[i] += values[cpu].outcome[i];
    for (std::size_t i = 0; i < kLosts; ++i) snapshot.lost[i] += values[cpu].lost[i];
  }
  return Ok{};
}

Result<std::vector<FlowRecord>> CounterReader::flows(const Maps& maps,
                                                     const Identities& identities) {
  const auto names = peer_names(identities);
  std::map<std::vector<std::uint8_t>, FlowRecord> sums;
  for (std::uint32_t slot = 0; slot < EP_FLOW_SLOTS; ++slot) {
    EP_ASSIGN(values, read<ep_flow>(maps, MapId::kFlows, slot));
    for (std::size_t cpu = 0; cpu < cpus_; ++cpu) {
      const auto record = flow_record(values[cpu], names);
      if (!record) continue;
      const auto& key = values[cpu].key;
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(&key);
      merge_flow(sums[{bytes, bytes + sizeof(key)}], *record);
    }
  }
  std::vector<FlowRecord> flows;
  for (auto& [key, record] : sums) flows.push_back(std::move(record));
  std::sort(flows.begin(), flows.end(),
            [](const auto& a, const auto& b) { return a.last > b.last; });
  return flows;
}

std::vector<MapUsage> CounterReader::usage(const Maps& maps, const Identities& identities,
                                           std::size_t table_entries, std::size_t table_slots) {
  return {
      {"ep_net_stat", identities.subnets().size(), maps.max_subnets()},
      {"ep_peer_stat", identities.peers().size(), maps.max_peers()},
      {"ep_tables", table_entries, table_slots},
  };
}

}  // namespace espial
