// SPDX-License-Identifier: Apache-2.0
#include "exporter/notify/alert_board.h"

#include <algorithm>

namespace espial {

void AlertBoard::take(const AlertList& list) {
  for (auto& [key, entry] : entries_)
    if (!entry.alert.ended &&
        !std::binary_search(list.firing.begin(), list.firing.end(), entry.alert,
                            [](const Alert& a, const Alert& b) { return a.key < b.key; }))
      entry.alert.ended = list.time;
  for (const auto& alert : list.firing) {
    Entry& entry = entries_[alert.key];
    // The resolution has not been sent: the Alertmanager still has the alert as firing.
    entry.alert = alert;
  }
  drop_oldest_ended();
}

void AlertBoard::drop_oldest_ended() {
  auto ended = static_cast<std::size_t>(std::count_if(
      entries_.begin(), entries_.end(), [](const auto& one) { return one.second.alert.ended; }));
  for (; ended > kMaxEnded; --ended) {
    const auto oldest =
        std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
          const auto rank = [](const Alert& alert) {
            return alert.ended.value_or(WallTime::max());
          };
          return rank(a.second.alert) < rank(b.second.alert);
        });
    entries_.erase(oldest);
    ++dropped_;
  }
}

std::vector<Alert> AlertBoard::due(MonoTime now, std::size_t most) const {
  std::vector<Alert> out;
  for (const bool news : {true, false})
    for (const auto& [key, entry] : entries_) {
      if (out.size() == most) return out;
      if (entry.news() != news || (!news && now - *entry.accepted < resend_)) continue;
      out.push_back(entry.alert);
      if (!entry.accepted) out.back().ended.reset();
    }
  return out;
}

void AlertBoard::delivered(const std::vector<Alert>& sent, MonoTime now) {
  for (const auto& alert : sent) {
    const auto it = entries_.find(alert.key);
    if (it == entries_.end()) continue;
    if (alert.ended)
      entries_.erase(it);
    else
      it->second.accepted = now;
  }
}

std::optional<MonoTime> AlertBoard::next() const {
  std::optional<MonoTime> out;
  for (const auto& [key, entry] : entries_) {
    const auto when = entry.news() ? MonoTime::min() : *entry.accepted + resend_;
    out = out ? std::min(*out, when) : when;
  }
  return out;
}

std::size_t AlertBoard::waiting() const {
  return static_cast<std::size_t>(std::count_if(entries_.begin(), entries_.end(),
                                                [](const auto& one) { return one.second.news(); }));
}

}  // namespace espial
