// SPDX-License-Identifier: Apache-2.0
#include "model/traffic/coverage.h"

#include <algorithm>
#include <cassert>

namespace espial {

namespace {

void add(Cell& sum, const Cell& cell) {
  sum.packets += cell.packets;
  sum.bytes += cell.bytes;
}

void add_unprotected(DirectionTally& tally, Class klass, const Cell& cell) {
  if (klass == Class::CLEARTEXT_HOST)
    tally.host += cell.packets;
  else if (klass == Class::CLEARTEXT_TRANSIT)
    tally.transit += cell.packets;
  else if (klass == Class::ESP_FOREIGN)
    tally.foreign += cell.packets;
  else
    tally.direct += cell.packets;
  if (klass == Class::CLEARTEXT_RESENT || klass == Class::CLEARTEXT_SPOOFED)
    tally.misplaced += cell.packets;
  if (klass == Class::TOO_DEEP) tally.unreadable += cell.packets;
  tally.clear_bytes += cell.bytes;
}

void add_class(DirectionTally& tally, Class klass, const Cell& cell) {
  switch (coverage_of(klass)) {
    case Coverage::ENCRYPTED:
      add(tally.esp, cell);
      return;
    case Coverage::UNPROTECTED:
      add_unprotected(tally, klass, cell);
      return;
    case Coverage::NEUTRAL:
      if (klass == Class::UNKNOWN_NODE) tally.unknown_node += cell.packets;
      return;
  }
}

// Calls visit(a, b) for every pair of counters of two tallies.
template <typename A, typename B, typename Visit>
void for_each_pair(A& a, B& b, Visit visit) {
  for (std::size_t d = 0; d < kDirections; ++d) {
    auto& x = a.direction[d];
    auto& y = b.direction[d];
    visit(x.esp.packets, y.esp.packets);
    visit(x.esp.bytes, y.esp.bytes);
    visit(x.decrypted.packets, y.decrypted.packets);
    visit(x.decrypted.bytes, y.decrypted.bytes);
    visit(x.direct, y.direct);
    visit(x.misplaced, y.misplaced);
    visit(x.unreadable, y.unreadable);
    visit(x.offloaded, y.offloaded);
    visit(x.host, y.host);
    visit(x.transit, y.transit);
    visit(x.foreign, y.foreign);
    visit(x.clear_bytes, y.clear_bytes);
    visit(x.unknown_node, y.unknown_node);
  }
  visit(a.spoofed, b.spoofed);
  for (std::size_t action = 0; action < kActions; ++action)
    for (std::size_t d = 0; d < kDirections; ++d)
      for (std::size_t r = 0; r < kReasons; ++r)
        visit(a.enforced[action][d][r], b.enforced[action][d][r]);
  for (std::size_t h = 0; h < kForwardHooks.size(); ++h)
    for (std::size_t f = 0; f < kFamilies; ++f) visit(a.forward_drops[h][f], b.forward_drops[h][f]);
}

}  // namespace

std::optional<double> Traffic::coverage() const {
  const double all = static_cast<double>(encrypted) + static_cast<double>(unprotected);
  if (all == 0) return std::nullopt;
  return static_cast<double>(encrypted) / all;
}

std::uint64_t enforced_of(const Tally& tally, Action action, Direction direction) {
  std::uint64_t sum = 0;
  for (const std::uint64_t packets : tally.enforced[at(action)][at(direction)]) sum += packets;
  return sum;
}

Tally tally_of(const PeerCounters& counters, const Cell& offloaded) {
  Tally tally;
  for (std::size_t d = 0; d < kDirections; ++d) {
    for (std::size_t f = 0; f < kFamilies; ++f)
      for (std::size_t c = 0; c < kClasses; ++c)
        add_class(tally.direction[d], static_cast<Class>(c), counters.cells[d][f][c]);
  }
  auto& sent = tally.direction[at(Direction::TRANSMIT)];
  sent.offloaded = std::min(offloaded.packets, sent.direct);
  sent.direct -= sent.offloaded;
  sent.clear_bytes -= std::min(offloaded.bytes, sent.clear_bytes);
  for (const Cell& cell : counters.decrypted)
    add(tally.direction[at(Direction::RECEIVE)].decrypted, cell);
  tally.spoofed = counters.spoofed;
  for (std::size_t action = 0; action < kActions; ++action)
    for (std::size_t d = 0; d < kDirections; ++d)
      for (std::size_t r = 0; r < kReasons; ++r)
        tally.enforced[action][d][r] = counters.enforced[action][d][r].packets;
  for (std::size_t h = 0; h < kForwardHooks.size(); ++h)
    tally.forward_drops[h] = counters.kernel.netfilter[at(kForwardHooks[h])];
  return tally;
}

bool grew_or_stayed(const Tally& earlier, const Tally& later) {
  bool grew = true;
  for_each_pair(earlier, later, [&](std::uint64_t a, std::uint64_t b) { grew = grew && a <= b; });
  return grew;
}

Tally difference(const Tally& earlier, const Tally& later) {
  assert(grew_or_stayed(earlier, later));
  Tally out = later;
  for_each_pair(out, earlier, [](std::uint64_t& a, std::uint64_t b) { a -= b; });
  return out;
}

Traffic traffic_of(const Tally& tally, Direction direction) {
  const DirectionTally& t = tally.direction[at(direction)];
  return {.encrypted = std::max(t.esp.packets, t.decrypted.packets),
          .unprotected = t.unprotected(),
          .encrypted_bytes = std::max(t.esp.bytes, t.decrypted.bytes),
          .unprotected_bytes = t.clear_bytes};
}

}  // namespace espial
