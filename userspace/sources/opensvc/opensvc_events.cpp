// SPDX-License-Identifier: Apache-2.0
#include "sources/opensvc/opensvc_events.h"

#include <poll.h>

#include <algorithm>
#include <limits>

namespace espial {
namespace {

using std::chrono::milliseconds;

// Of the events about cluster.conf these contain the least of it.
constexpr const char* kTarget =
    "/api/node/name/localhost/daemon/event?filter=ConfigFileUpdated,path=cluster"
    "&filter=InstanceConfigUpdated,path=cluster";
constexpr milliseconds kFirstPause{250};
constexpr milliseconds kLongestPause{30'000};
constexpr milliseconds kAnswerTime{5'000};  // until the stream begins
constexpr milliseconds kGood{5'000};        // a stream that lasted so long was one

}  // namespace

short OpensvcEvents::events() const { return get_ ? get_->events() : short{0}; }

OpensvcEvents::Clock::time_point OpensvcEvents::next() const {
  if (path_.empty() || (get_ && begun_)) return Clock::time_point::max();
  return get_ ? since_ + kAnswerTime : try_again_;
}

void OpensvcEvents::lose(Clock::time_point now) {
  const bool good = proved_ || (begun_ && now - since_ >= kGood);
  pause_ = good ? kFirstPause : std::clamp(pause_ * 2, kFirstPause, kLongestPause);
  try_again_ = now + pause_;
  get_.reset();
}

bool OpensvcEvents::advance(Clock::time_point now) {
  if (path_.empty()) return false;
  if (!get_) {
    if (now < try_again_) return false;
    auto opened =
        HttpGet::open(path_, kTarget, std::numeric_limits<std::size_t>::max(), "text/event-stream");
    begun_ = proved_ = false;
    since_ = now;
    stream_ = EventStream();
    if (opened.ok()) get_ = std::move(*opened);
    if (!get_) {
      lose(now);
      return false;
    }
  }
  return receive(now);
}

bool OpensvcEvents::receive(Clock::time_point now) {
  const auto done = get_->advance();
  bool news = false;
  if (get_->status() == 200) {
    news = !begun_;
    begun_ = true;
    if (stream_.feed(get_->take_body()) > 0) news = proved_ = true;
  }
  const bool refused = get_->status() != 0 && get_->status() != 200;
  const bool late = !begun_ && now - since_ >= kAnswerTime;
  if (!done.ok() || *done || refused || late) lose(now);
  return news;
}

}  // namespace espial
