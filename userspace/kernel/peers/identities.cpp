// SPDX-License-Identifier: Apache-2.0
#include "kernel/peers/identities.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

namespace espial {
namespace {

template <typename Value>
Result<Value> read_entry(const Maps& maps, MapId id, std::uint32_t index) {
  Value value{};
  if (bpf_map_lookup_elem(maps.fd(id), &index, &value) != 0) return map_error(id, "read");
  return value;
}

// All entries of an array: at once where the kernel can (5.6), for there are thousands.
template <typename Value>
Result<std::vector<Value>> read_entries(const Maps& maps, MapId id, std::uint32_t entries) {
  std::vector<Value> values(entries);
  std::vector<std::uint32_t> keys(entries);
  std::uint32_t count = entries, cursor = 0;
  const int error = bpf_map_lookup_batch(maps.fd(id), nullptr, &cursor, keys.data(), values.data(),
                                         &count, nullptr);
  if ((error == 0 || errno == ENOENT) && count == entries) return values;
  for (std::uint32_t i = 0; i < entries; ++i) {
    EP_ASSIGN(value, read_entry<Value>(maps, id, i));
    values[i] = value;
  }
  return values;
}

template <typename Value>
Status write_entry(const Maps& maps, MapId id, std::uint32_t index, const Value& value) {
  if (bpf_map_update_elem(maps.fd(id), &index, &value, BPF_ANY) != 0) return map_error(id, "write");
  return Ok{};
}

// Counters of an index that changes hands begin at zero.
Status clear_counters(const Maps& maps, MapId id, MapId base, std::uint32_t index,
                      std::size_t value_size) {
  const std::vector<char> zeros(value_size * static_cast<std::size_t>(libbpf_num_possible_cpus()));
  if (bpf_map_update_elem(maps.fd(id), &index, zeros.data(), BPF_ANY) != 0)
    return map_error(id, "clear");
  if (bpf_map_update_elem(maps.fd(base), &index, zeros.data(), BPF_ANY) != 0)
    return map_error(base, "clear");
  return Ok{};
}

ep_peer_meta to_meta(const std::string& name) {
  ep_peer_meta meta{};
  name.copy(meta.name, sizeof(meta.name) - 1);
  return meta;
}

ep_net_meta to_meta(const SubnetKey& key) {
  ep_net_meta meta{};
  meta.peer = key.peer;
  meta.family = static_cast<std::uint8_t>(key.prefix.family());
  meta.plen = static_cast<std::uint8_t>(key.prefix.length());
  const auto& bytes = key.prefix.address().bytes();
  std::copy(bytes.begin(), bytes.end(), meta.addr);
  key.network.copy(meta.network, sizeof(meta.network) - 1);
  return meta;
}

// From a pinned map: lengths are checked, text is bounded.
SubnetKey from_meta(const ep_net_meta& meta) {
  const auto family = meta.family == EP_FAMILY_IPV6 ? Family::kIpv6 : Family::kIpv4;
  const IpAddress address(family, meta.addr);
  const auto length = std::min<unsigned>(meta.plen, address.bits());
  return {meta.peer, Prefix(address, length),
          std::string(meta.network, strnlen(meta.network, sizeof(meta.network)))};
}

std::uint32_t first_free(const std::vector<bool>& used) {
  const auto it = std::find(used.begin() + 1, used.end(), false);
  return it == used.end() ? 0 : static_cast<std::uint32_t>(it - used.begin());
}

}  // namespace

Result<Identities> Identities::load(const Maps& maps) {
  Identities identities;
  identities.peer_used_.resize(maps.max_peers() + 1);
  identities.subnet_used_.resize(maps.max_subnets() + 1);
  EP_ASSIGN(peers, read_entries<ep_peer_meta>(maps, MapId::kPeerMeta, maps.max_peers() + 1));
  for (std::uint32_t i = 1; i <= maps.max_peers(); ++i) {
    const auto& meta = peers[i];
    if (meta.name[0] == '\0') continue;
    identities.peers_.emplace(std::string(meta.name, strnlen(meta.name, sizeof(meta.name))), i);
    identities.peer_used_[i] = true;
  }
  EP_ASSIGN(subnets, read_entries<ep_net_meta>(maps, MapId::kNetMeta, maps.max_subnets() + 1));
  for (std::uint32_t i = 1; i <= maps.max_subnets(); ++i) {
    const auto& meta = subnets[i];
    if (meta.peer == 0) continue;
    identities.subnets_.emplace(from_meta(meta), i);
    identities.subnet_used_[i] = true;
  }
  return identities;
}

Result<std::vector<std::string>> Identities::assign(const Topology& topology, const Maps& maps) {
  std::vector<std::string> left_out;
  for (const auto& peer : topology.peers) {
    auto id = this->peer(peer.name);
    if (id == 0) {
      id = first_free(peer_used_);
      if (id == 0) {
        left_out.push_back(
            fmt::format("{}: not counted: {} peers is the capacity (raise max_peers)", peer.name,
                        maps.max_peers()));
        continue;
      }
      EP_TRY(clear_counters(maps, MapId::kPeerStat, MapId::kPeerBase, id, sizeof(ep_peer_stat)));
      EP_TRY(write_entry(maps, MapId::kPeerMeta, id, to_meta(peer.name)));
      peers_.emplace(peer.name, id);
      peer_used_[id] = true;
    }
    for (const auto& backend : peer.backends) {
      const SubnetKey key{id, backend.prefix, backend.network};
      if (subnets_.contains(key)) continue;
      const auto index = first_free(subnet_used_);
      if (index == 0) {
        left_out.push_back(fmt::format("{}: {} has no counter (raise max_peers)", peer.name,
                                       backend.prefix.text()));
        continue;
      }
      EP_TRY(clear_counters(maps, MapId::kNetStat, MapId::kNetBase, index, sizeof(ep_net_stat)));
      EP_TRY(write_entry(maps, MapId::kNetMeta, index, to_meta(key)));
      subnets_.emplace(key, index);
      subnet_used_[index] = true;
    }
  }
  return left_out;
}

Status Identities::release(const Topology& topology, const Maps& maps) {
  std::set<SubnetKey> kept;
  for (const auto& peer : topology.peers)
    for (const auto& backend : peer.backends)
      kept.insert({this->peer(peer.name), backend.prefix, backend.network});
  for (auto it = subnets_.begin(); it != subnets_.end();) {
    if (kept.contains(it->first)) {
      ++it;
      continue;
    }
    EP_TRY(write_entry(maps, MapId::kNetMeta, it->second, ep_net_meta{}));
    subnet_used_[it->second] = false;
    it = subnets_.erase(it);
  }
  for (auto it = peers_.begin(); it != peers_.end();) {
    if (topology.find(it->first) != nullptr) {
      ++it;
      continue;
    }
    EP_TRY(write_entry(maps, MapId::kPeerMeta, it->second, ep_peer_meta{}));
    peer_used_[it->second] = false;
    it = peers_.erase(it);
  }
  return Ok{};
}

std::uint32_t Identities::peer(const std::string& name) const {
  const auto it = peers_.find(name);
  return it == peers_.end() ? 0 : it->second;
}

std::uint32_t Identities::subnet(const SubnetKey& key) const {
  const auto it = subnets_.find(key);
  return it == subnets_.end() ? 0 : it->second;
}

}  // namespace espial
