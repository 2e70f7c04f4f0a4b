// SPDX-License-Identifier: Apache-2.0
// TopFeed: asks for documents in a thread of its own, so that keys never wait for a daemon.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/result.h"
#include "base/unique_fd.h"
#include "cli/top/top_screen.h"

namespace espial {

// Both may block for seconds.
struct TopSources {
  std::function<Result<nlohmann::json>()> status;
  std::function<Result<nlohmann::json>()> flows;
};

class TopFeed {
 public:
  // Has `status` to begin with, and asks again `interval` after each answer.
  TopFeed(TopSources sources, nlohmann::json status, std::chrono::milliseconds interval);
  TopFeed(const TopFeed&) = delete;
  TopFeed& operator=(const TopFeed&) = delete;
  // Waits for an answer that is under way.
  ~TopFeed();

  // Readable (poll) when there is something new for take().
  [[nodiscard]] int descriptor() const noexcept { return news_.get(); }
  // What was learnt last; a status that could not be had leaves the one before, and the problem.
  std::shared_ptr<const TopData> take();

  // Whether flows are wanted, too; newly wanted flows are requested at once. While paused nothing
  // is requested.
  void want(bool flows, bool paused);

 private:
  void run();
  TopData ask(bool flows);

  const TopSources sources_;
  const std::chrono::milliseconds interval_;
  UniqueFd news_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::shared_ptr<const TopData> data_;
  bool flows_ = false;
  bool paused_ = false;
  bool now_ = false;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace espial
