// SPDX-License-Identifier: Apache-2.0
// AlertmanagerReceiver: one Alertmanager and the thread that keeps it informed. What it has to know
// is an AlertBoard's; the event loop only leaves the newest list.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "exporter/notify/alert_board.h"
#include "exporter/notify/alert_json.h"
#include "exporter/notify/attempts.h"
#include "exporter/notify/http_post.h"

namespace espial {

class AlertmanagerReceiver {
 public:
  using Enter = std::function<Status()>;
  static constexpr std::size_t kBatch = 256;  // alerts in a request
  // What fires ends by itself after so many times `resend` of silence.
  static constexpr int kKeep = 4;

  // enter: called first on the new thread; its error is the receiver's.
  AlertmanagerReceiver(HttpPost post, AlertOrigin origin, std::chrono::seconds resend,
                       std::unique_ptr<Attempts> attempts, Enter enter);
  AlertmanagerReceiver(const AlertmanagerReceiver&) = delete;
  AlertmanagerReceiver& operator=(const AlertmanagerReceiver&) = delete;
  // Ends the request that is under way.
  ~AlertmanagerReceiver();

  // Never waits for the receiver. changed: something began or ended since the last list.
  void publish(std::shared_ptr<const AlertList> list, bool changed);
  // The thread ends soon; the destructor waits for it.
  void stop();
  [[nodiscard]] ReceiverStatus status() const { return attempts_->status(); }

 private:
  void run(const Enter& enter);
  // Waits for news or for what is due; false: the end.
  bool wait();
  void send();
  bool stopping();

  HttpPost post_;
  AlertOrigin origin_;
  std::chrono::seconds keep_;
  std::unique_ptr<Attempts> attempts_;
  AlertBoard board_;  // the thread's

  std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  std::shared_ptr<const AlertList> latest_;
  bool changed_ = false;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace espial
