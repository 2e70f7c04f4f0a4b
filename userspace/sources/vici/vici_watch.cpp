// SPDX-License-Identifier: Apache-2.0
#include "sources/vici/vici_watch.h"

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace espial {
namespace {

CharonFacts unreadable_vici(std::string reason) {
  CharonFacts facts;
  facts.reason = std::move(reason);
  return facts;
}

}  // namespace

ViciWatch::ViciWatch(std::string choice, UniqueFd epoll)
    : choice_(std::move(choice)),
      epoll_(std::move(epoll)),
      facts_(unreadable_vici("not asked yet")) {}

Result<ViciWatch> ViciWatch::open(std::string choice) {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return Error{std::string("vici: make epoll set: ") + std::strerror(errno)};
  return ViciWatch(std::move(choice), std::move(epoll));
}

void ViciWatch::choose(std::string choice) {
  if (choice == choice_) return;
  choice_ = std::move(choice);
  client_.reset();  // closing takes it out of the epoll set
  log_.reset();
  troubles_ = {};
  due_.reset();
  facts_ = unreadable_vici("not asked yet");
}

void ViciWatch::tick(Time now) {
  if (client_ && now >= deadline_)
    end(unreadable_vici("charon did not answer within " + std::to_string(kViciDeadline.count()) +
                        " ms (it is busy or hangs)"),
        now);
  if (!client_ && !off() && (!due_ || now >= *due_)) begin(now);
}

// Where charon answers; again when it has gone and come back.
void ViciWatch::listen() {
  if (log_ || !facts_.readable) return;
  const auto path = find_vici_socket(choice_);
  if (!path) return;
  auto log = ViciLog::open(*path);
  if (!log.ok()) return;
  epoll_event event{};
  event.events = EPOLLIN;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, log->fd(), &event) == 0)
    log_ = std::move(log).value();
}

void ViciWatch::read_log() {
  if (!log_) return;
  const auto now = std::chrono::system_clock::now();
  const auto status = log_->advance([&](const CharonLine& line) { troubles_.take(line, now); });
  if (!status.ok()) log_.reset();  // tick() listens again
}

void ViciWatch::begin(Time now) {
  const auto path = find_vici_socket(choice_);
  if (!path)
    return end(unreadable_vici(
                   "no VICI socket of charon in the usual places (set vici: PATH, or vici: off)"),
               now);
  auto client = ViciClient::open(*path);
  if (!client.ok()) return end(unreadable_vici(client.error().message), now);
  client_ = std::move(client).value();
  events_ = 0;
  deadline_ = now + kViciDeadline;
  (void)advance(now);
}

bool ViciWatch::advance(Time now) {
  read_log();
  if (!client_) return false;
  const auto done = client_->advance();
  if (!done.ok())
    end(unreadable_vici(done.error().message), now);
  else if (*done)
    end(client_->take(), now);
  else if (!watch_client())
    end(unreadable_vici(std::string("vici: watch the socket: ") + std::strerror(errno)), now);
  return !client_;
}

void ViciWatch::end(CharonFacts facts, Time now) {
  client_.reset();
  due_ = now + kViciInterval;
  facts_ = std::move(facts);
  for (const auto& sa : facts_.ike_sas)
    if (std::any_of(sa.children.begin(), sa.children.end(),
                    [](const CharonChildSa& child) { return child.state == "INSTALLED"; }))
      troubles_.forget(sa.name);
  facts_.troubles = troubles_.all();
  listen();
}

bool ViciWatch::watch_client() {
  const auto wanted = client_->events();
  if (wanted == events_) return true;
  epoll_event event{};
  event.events = (wanted & POLLOUT) != 0 ? EPOLLIN | EPOLLOUT : EPOLLIN;
  const int operation = events_ == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  events_ = wanted;
  return ::epoll_ctl(epoll_.get(), operation, client_->fd(), &event) == 0;
}

}  // namespace espial
