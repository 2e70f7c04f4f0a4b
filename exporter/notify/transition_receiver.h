// SPDX-License-Identifier: Apache-2.0
// TransitionReceiver: a webhook or a command, and the thread that hands it every beginning and end
// of an alert, in order, at least once. What waits is bounded, beside what is under way: the oldest
// go first and are counted.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "exporter/notify/alert.h"
#include "exporter/notify/attempts.h"

namespace espial {

class TransitionReceiver {
 public:
  static constexpr std::size_t kMaxWaiting = 256;

  struct Way {
    // Called on the thread. Ok: they have arrived. dropped: alerts that never will.
    std::function<Status(const std::vector<Alert>& alerts, std::uint64_t dropped)> deliver;
    std::function<void()> stop;     // any thread: deliver() returns soon, now and ever after
    std::function<Status()> enter;  // called first on the new thread; its error is the receiver's
    std::size_t batch = 1;          // alerts at a time
  };

  TransitionReceiver(Way way, std::unique_ptr<Attempts> attempts);
  TransitionReceiver(const TransitionReceiver&) = delete;
  TransitionReceiver& operator=(const TransitionReceiver&) = delete;
  ~TransitionReceiver();

  // Never waits for the receiver.
  void publish(const std::vector<Alert>& changes);
  void stop();
  [[nodiscard]] ReceiverStatus status() const { return attempts_->status(); }

 private:
  void run();
  // Fills under_way_ once something may be delivered; false: the end.
  bool fill();
  bool stopping();
  void publish_queue();  // with mutex_ held

  Way way_;
  std::unique_ptr<Attempts> attempts_;
  std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  std::deque<Alert> waiting_;
  std::vector<Alert> under_way_;  // taken from it, not arrived yet; only the thread changes it
  std::uint64_t dropped_ = 0;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace espial
