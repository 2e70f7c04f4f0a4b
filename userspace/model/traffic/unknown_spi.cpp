// SPDX-License-Identifier: Apache-2.0
#include "model/traffic/unknown_spi.h"

#include <algorithm>

#include "model/traffic/coverage.h"

namespace espial {
namespace {

std::uint64_t refused_by_kernel(const std::vector<XfrmError>& errors) {
  const auto at = std::find_if(errors.begin(), errors.end(), [](const XfrmError& error) {
    return error.name == "XfrmInNoStates";
  });
  return at == errors.end() ? 0 : at->count;
}

std::uint64_t received_esp(const PeerCounters& counters) {
  std::uint64_t sum = 0;
  for (const Family f : {Family::kIpv4, Family::kIpv6})
    for (const Class c :
         {Class::ESP, Class::ESP_UDP, Class::ESP_TCP, Class::ESP_NULL, Class::ESP_FOREIGN})
      sum += counters.cell(Direction::RECEIVE, f, c).packets;
  return sum;
}

std::uint64_t growth(std::uint64_t now, std::uint64_t before) {
  return now > before ? now - before : 0;
}

}  // namespace

std::vector<std::uint64_t> UnknownSpiWatch::advance(const Snapshot& snapshot) {
  const std::uint64_t refused = refused_by_kernel(snapshot.xfrm_errors);
  std::uint64_t left = looks_ == 0 ? 0 : growth(refused, refused_) + unmatched_;
  unmatched_ = looks_ == 0 ? 0 : growth(refused, refused_);
  refused_ = refused;
  ++looks_;
  std::vector<std::uint64_t> totals;
  totals.reserve(snapshot.peers.size());
  for (const PeerSnapshot& peer : snapshot.peers) {
    Seen& seen = peers_[peer.peer.name];
    const std::uint64_t esp = received_esp(peer.counters);
    const std::uint64_t decrypted =
        peer.counters.decrypted[0].packets + peer.counters.decrypted[1].packets;
    std::uint64_t mine = 0;
    if (seen.look) {
      const std::uint64_t came = growth(esp, seen.esp);
      const std::uint64_t opened = growth(decrypted, seen.decrypted);
      const std::uint64_t closed = opened > came ? came : came - opened;
      mine = std::min(closed + seen.unmatched, left);
      seen.unmatched = closed - std::min(closed, mine);
      left -= mine;
    }
    seen.esp = esp;
    seen.decrypted = decrypted;
    seen.total += mine;
    seen.look = looks_;
    totals.push_back(seen.total);
  }
  unmatched_ = std::min(unmatched_, left);
  if (peers_.size() != snapshot.peers.size())
    std::erase_if(peers_, [&](const auto& entry) { return entry.second.look != looks_; });
  return totals;
}

}  // namespace espial
