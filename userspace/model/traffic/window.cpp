// SPDX-License-Identifier: Apache-2.0
#include "model/traffic/window.h"

#include <algorithm>
#include <cassert>
#include <iterator>

namespace espial {

namespace {

// An unprotected packet that the history cannot show as growth, because it was counted before.
std::optional<std::chrono::nanoseconds> age_before(const std::optional<WallTime>& seen,
                                                   WallTime now, std::chrono::nanoseconds observed,
                                                   std::chrono::nanoseconds length) {
  if (!seen) return std::nullopt;
  const auto age = std::max(std::chrono::nanoseconds{now - *seen}, std::chrono::nanoseconds{0});
  if (age > length || age < observed) return std::nullopt;
  return age;
}

}  // namespace

Window::Window(std::chrono::nanoseconds length) : length_(length) {}

NodeWindow Window::advance(const Snapshot& snapshot, const std::vector<Cell>& offloaded) {
  assert(offloaded.empty() || offloaded.size() == snapshot.peers.size());
  ++looks_;
  const bool marked = take_mark(snapshot.monotonic);
  NodeWindow out;
  out.peers.reserve(snapshot.peers.size());
  for (std::size_t i = 0; i < snapshot.peers.size(); ++i) {
    const PeerSnapshot& peer = snapshot.peers[i];
    out.peers.push_back(look_at(peers_[peer.peer.name], peer.counters,
                                offloaded.empty() ? Cell{} : offloaded[i], snapshot, marked));
  }
  if (peers_.size() != snapshot.peers.size())
    std::erase_if(peers_, [&](const auto& entry) { return entry.second.look != looks_; });
  out.no_peer = look_at(no_peer_, snapshot.no_peer, {}, snapshot, marked);
  out.lost = look_at_lost(snapshot, marked);
  out.covered = out.no_peer.covered;
  return out;
}

// Marks a little early rather than a whole look late: looks come once a second, with jitter.
bool Window::take_mark(MonoTime now) {
  const auto spacing = length_ / kMarksPerWindow;
  const auto tolerance = spacing / 10;
  if (newest_mark_ != 0 && now - mark_times_[newest_mark_ % kMarks] < spacing - tolerance)
    return false;
  ++newest_mark_;
  mark_times_[newest_mark_ % kMarks] = now;
  return true;
}

void Window::History::mark(std::uint64_t number, std::uint64_t oldest_kept, const Tally& now) {
  // The one that the oldest kept mark goes back to stays, those before it go.
  const auto newer =
      std::upper_bound(marks.begin(), marks.end(), oldest_kept,
                       [](std::uint64_t kept, const Mark& mark) { return kept < mark.number; });
  if (newer - marks.begin() > 1) marks.erase(marks.begin(), newer - 1);
  if (marks.empty() || marks.back().tally != now) marks.push_back({number, now});
}

const Tally& Window::History::at_mark(std::uint64_t number) const {
  const auto newer =
      std::upper_bound(marks.begin(), marks.end(), number,
                       [](std::uint64_t wanted, const Mark& mark) { return wanted < mark.number; });
  assert(newer != marks.begin());
  return std::prev(newer)->tally;
}

std::uint64_t Window::oldest_kept() const {
  return newest_mark_ >= kMarks ? newest_mark_ - kMarks + 1 : 1;
}

void Window::restart(History& history, const Tally& now, MonoTime time) const {
  history.marks.assign(1, {newest_mark_, now});
  history.first_mark = newest_mark_;
  history.since = time;
}

// The oldest mark within the length; the one before this look's if all are older.
std::uint64_t Window::baseline(std::uint64_t first_mark, MonoTime now) const {
  std::uint64_t mark = std::max(first_mark, oldest_kept());
  while (mark < newest_mark_ && now - mark_times_[mark % kMarks] > length_ &&
         mark_times_[(mark + 1) % kMarks] < now)
    ++mark;
  return mark;
}

PeerWindow Window::look_at(History& history, const PeerCounters& counters, const Cell& offloaded,
                           const Snapshot& snapshot, bool marked) {
  const Tally now = tally_of(counters, offloaded);
  if (!history.look || !grew_or_stayed(history.last, now))
    restart(history, now, snapshot.monotonic);
  else if (marked)
    history.mark(newest_mark_, oldest_kept(), now);
  history.last = now;
  history.look = looks_;

  const std::uint64_t mark = baseline(history.first_mark, snapshot.monotonic);
  const auto observed = snapshot.monotonic - history.since;
  PeerWindow out;
  out.growth = difference(history.at_mark(mark), now);
  out.covered =
      std::min<std::chrono::nanoseconds>(snapshot.monotonic - mark_times_[mark % kMarks], observed);
  for (std::size_t d = 0; d < kDirections; ++d)
    out.unprotected_before[d] =
        age_before(counters.last_unprotected[d], snapshot.time, observed, length_);
  return out;
}

std::array<std::uint64_t, kLosts> Window::look_at_lost(const Snapshot& snapshot, bool marked) {
  const auto& now = snapshot.lost;
  bool restarted = lost_.first_mark == 0;
  for (std::size_t i = 0; i < kLosts; ++i) restarted = restarted || now[i] < lost_.last[i];
  if (restarted) lost_.first_mark = newest_mark_;
  if (restarted || marked) lost_.marks[newest_mark_ % kMarks] = now;
  lost_.last = now;
  const auto& then = lost_.marks[baseline(lost_.first_mark, snapshot.monotonic) % kMarks];
  std::array<std::uint64_t, kLosts> growth{};
  for (std::size_t i = 0; i < kLosts; ++i) growth[i] = now[i] - then[i];
  return growth;
}

}  // namespace espial
