// SPDX-License-Identifier: Apache-2.0
// OpensvcEvents: om3's event stream, only to know when to read again: what the events say is not
// looked at. Never waits and never complains: without an agent there are no events, and it is tried
// again after a pause that doubles up to half a minute.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "sources/opensvc/http_get.h"
#include "sources/opensvc/opensvc_api.h"

namespace espial {

class OpensvcEvents {
 public:
  using Clock = std::chrono::steady_clock;

  explicit OpensvcEvents(std::string path) : path_(std::move(path)) {}  // empty: there is none

  [[nodiscard]] int fd() const { return get_ ? get_->fd() : -1; }
  // The poll events that advance() waits for.
  [[nodiscard]] short events() const;
  // When it wants to be called although nothing happened.
  [[nodiscard]] Clock::time_point next() const;
  // True: time to read: events came, or the stream began and what came before it is not known.
  bool advance(Clock::time_point now);

 private:
  bool receive(Clock::time_point now);
  void lose(Clock::time_point now);

  std::string path_;
  std::optional<HttpGet> get_;
  EventStream stream_;
  bool begun_ = false;           // it was answered
  bool proved_ = false;          // it gave an event
  Clock::time_point since_;      // of the connection
  Clock::time_point try_again_;  // without one
  std::chrono::milliseconds pause_{0};
};

}  // namespace espial
