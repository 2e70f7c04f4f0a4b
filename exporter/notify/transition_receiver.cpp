// SPDX-License-Identifier: Apache-2.0
#include "exporter/notify/transition_receiver.h"

#include <algorithm>
#include <utility>

namespace espial {

using std::chrono::steady_clock;

TransitionReceiver::TransitionReceiver(Way way, std::unique_ptr<Attempts> attempts)
    : way_(std::move(way)), attempts_(std::move(attempts)), thread_([this] { run(); }) {}

TransitionReceiver::~TransitionReceiver() {
  stop();
  thread_.join();
}

void TransitionReceiver::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  way_.stop();
}

void TransitionReceiver::publish_queue() {
  attempts_->waiting(waiting_.size() + under_way_.size());
  attempts_->dropped(dropped_);
}

void TransitionReceiver::publish(const std::vector<Alert>& changes) {
  if (changes.empty()) return;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& alert : changes) {
      waiting_.push_back(alert);
      if (waiting_.size() <= kMaxWaiting) continue;
      waiting_.pop_front();
      ++dropped_;
    }
    publish_queue();
  }
  wake_.notify_one();
}

bool TransitionReceiver::fill() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [&] { return stop_ || !waiting_.empty() || !under_way_.empty(); });
  wake_.wait_until(lock, std::max(attempts_->not_before(), steady_clock::now()),
                   [&] { return stop_; });
  if (stop_) return false;
  while (!waiting_.empty() && under_way_.size() < way_.batch) {
    under_way_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return true;
}

bool TransitionReceiver::stopping() {
  const std::scoped_lock lock(mutex_);
  return stop_;
}

void TransitionReceiver::run() {
  if (const auto entered = way_.enter(); !entered.ok())
    return attempts_->note(entered, steady_clock::now());
  while (fill()) {
    std::uint64_t dropped = 0;
    {
      const std::scoped_lock lock(mutex_);
      dropped = dropped_;
    }
    const auto sent = way_.deliver(under_way_, dropped);
    if (stopping()) return;
    attempts_->note(sent, steady_clock::now());
    if (!sent.ok()) continue;
    const std::scoped_lock lock(mutex_);
    under_way_.clear();
    publish_queue();
  }
}

}  // namespace espial
