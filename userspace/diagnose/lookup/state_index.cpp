// SPDX-License-Identifier: Apache-2.0
#include "diagnose/lookup/state_index.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <tuple>

namespace espial {
namespace {

constexpr double kNumbers = 4294967296.0;  // of 32 bits

bool serves(const XfrmStateFact& state, const XfrmPolicyFact& policy) {
  return state.protocol == policy.template_protocol && state.tunnel_mode == policy.tunnel_mode &&
         state.if_id == policy.if_id && (policy.reqid == 0 || state.reqid == policy.reqid) &&
         (policy.template_source.unspecified() || state.source == policy.template_source);
}

// What makes two SAs each other's successors.
auto succession_key(const XfrmStateFact& state) {
  return std::make_tuple(state.source, state.destination, state.protocol, state.tunnel_mode,
                         state.reqid, state.if_id, state.mark.value, state.mark.mask, state.cpu);
}

// By value: g++ 14 sees a copy of one pointer out of bounds (array-bounds), a move it does not.
std::vector<const XfrmStateFact*> newest(std::vector<const XfrmStateFact*> installed) {
  if (installed.size() < 2) return installed;
  std::map<decltype(succession_key(*installed.front())), std::uint64_t> last;
  for (const auto* state : installed) {
    auto& added = last[succession_key(*state)];
    added = std::max(added, state->added);
  }
  std::vector<const XfrmStateFact*> found;
  for (const auto* state : installed)
    if (state->added == last[succession_key(*state)]) found.push_back(state);
  return found;
}

std::string hex(std::uint32_t spi) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%08x", spi);
  return text;
}

void add_sequence(const XfrmStateFact& state, PeerSas& sas) {
  const double share = sequence_share(state);
  if (share <= sas.sequence_used) return;
  sas.sequence_used = share;
  sas.sequence_evidence = "SA " + hex(state.spi) + ": " + std::to_string(state.sequence_sent) +
                          " of 2^32 sequence numbers used";
}

}  // namespace

double sequence_share(const XfrmStateFact& state) {
  return state.extended_sequence ? 0 : static_cast<double>(state.sequence_sent) / kNumbers;
}

std::optional<std::uint64_t> expiry_of(const XfrmStateFact& state) {
  std::optional<std::uint64_t> end;
  const auto at = [&](std::uint64_t from, std::uint64_t seconds) {
    if (seconds != 0 && from != 0) end = std::min(end.value_or(UINT64_MAX), from + seconds);
  };
  at(state.added, state.hard.seconds_added);
  at(state.used, state.hard.seconds_used);
  return end;
}

StateIndex::StateIndex(const std::vector<XfrmStateFact>& states) {
  for (const auto& state : states) {
    to_[state.destination].push_back(&state);
    from_[state.source].push_back(&state);
  }
}

MatchingStates StateIndex::of_template(const XfrmPolicyFact& policy) const {
  MatchingStates found;
  const auto take = [&](const XfrmStateFact* state) {
    if (!serves(*state, policy)) return;
    if (state->larval())
      found.larval = true;
    else
      found.installed.push_back(state);
  };
  if (policy.template_destination.unspecified()) {
    for (const auto& [address, states] : to_)
      for (const auto* state : states) take(state);
  } else if (const auto at = to_.find(policy.template_destination); at != to_.end()) {
    for (const auto* state : at->second) take(state);
  }
  found.in_use = newest(found.installed);
  return found;
}

PeerSas StateIndex::of_peer(const Peer& peer) const {
  PeerSas sas;
  const auto count = [&](const XfrmStateFact& state, std::uint32_t& installed) {
    if (state.larval()) {
      ++sas.larval;
      return false;
    }
    ++installed;
    sas.null_encryption += state.null_encryption ? 1 : 0;
    sas.offloaded += state.offload_packet ? 1 : 0;
    return true;
  };
  bool endless = false;
  std::vector<const XfrmStateFact*> sending;
  for (const auto& underlay : peer.underlays) {
    if (const auto at = to_.find(underlay.address); at != to_.end())
      for (const auto* state : at->second) {
        if (!count(*state, sas.installed_out)) continue;
        sending.push_back(state);
        const auto end = expiry_of(*state);
        endless = endless || !end;
        if (end) sas.expires = std::max(sas.expires.value_or(0), *end);
      }
    if (const auto at = from_.find(underlay.address); at != from_.end())
      for (const auto* state : at->second) (void)count(*state, sas.installed_in);
  }
  for (const auto* state : newest(sending)) add_sequence(*state, sas);
  if (endless) sas.expires.reset();
  return sas;
}

}  // namespace espial
