// SPDX-License-Identifier: Apache-2.0
#include "cli/top/top_feed.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <exception>

#include "base/printable.h"

namespace espial {
namespace {

// The first line of an error, without what the terminal should not see.
std::string one_line(const Error& error) {
  return printable(std::string_view(error.message).substr(0, error.message.find('\n')));
}

Result<nlohmann::json> asked(const std::function<Result<nlohmann::json>()>& source) {
  try {
    return source();
  } catch (const std::exception& e) {
    return Error{e.what()};
  }
}

}  // namespace

TopFeed::TopFeed(TopSources sources, nlohmann::json status, std::chrono::milliseconds interval)
    : sources_(std::move(sources)),
      interval_(interval),
      news_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      data_(std::make_shared<const TopData>(TopData{std::move(status), {}, {}})) {
  // Signals are for the thread that owns the terminal.
  sigset_t all{};
  sigset_t before{};
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TopFeed::~TopFeed() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

std::shared_ptr<const TopData> TopFeed::take() {
  std::uint64_t count = 0;
  (void)!::read(news_.get(), &count, sizeof count);
  const std::scoped_lock lock(mutex_);
  return data_;
}

void TopFeed::want(bool flows, bool paused) {
  const std::scoped_lock lock(mutex_);
  const bool sooner = (flows && !flows_) || (paused_ && !paused);
  flows_ = flows;
  paused_ = paused;
  if (!sooner) return;
  now_ = true;
  wake_.notify_one();
}

TopData TopFeed::ask(bool flows) {
  TopData data;
  auto status = asked(sources_.status);
  if (!status.ok()) {
    data.problem = one_line(status.error());
    return data;
  }
  data.status = std::move(status).value();
  if (!flows) return data;
  if (auto answer = asked(sources_.flows); answer.ok()) data.flows = std::move(answer).value();
  return data;
}

void TopFeed::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait_for(lock, interval_, [this] { return stop_ || now_; });
    wake_.wait(lock, [this] { return stop_ || now_ || !paused_; });
    if (stop_) return;
    now_ = false;
    const bool flows = flows_;
    lock.unlock();
    auto data = ask(flows);
    lock.lock();
    if (data.status.is_null()) {
      data.status = data_->status;
      data.flows = data_->flows;
    }
    if (paused_) continue;
    data_ = std::make_shared<const TopData>(std::move(data));
    const std::uint64_t one = 1;
    (void)!::write(news_.get(), &one, sizeof one);
  }
}

}  // namespace espial
