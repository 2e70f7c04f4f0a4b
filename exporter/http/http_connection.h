// SPDX-License-Identifier: Apache-2.0
// HttpConnection: one client of the HTTP server, from its first byte to the close. Never blocks.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "exporter/http/api.h"
#include "exporter/http/http_request.h"

namespace espial {

// Reads one request, writes one answer, then waits for the client to close, so that the answer is
// not lost to a reset (RFC 9112 section 9.6). The owner polls the descriptor for wants() and calls
// advance(). All of it must be over by `deadline`, however slowly the client reads or writes.
class HttpConnection {
 public:
  static constexpr std::size_t kMaxHeadBytes = 8192;
  using Clock = std::chrono::steady_clock;

  // fd: a connected, non-blocking stream socket.
  HttpConnection(UniqueFd fd, Clock::time_point deadline);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] short wants() const;  // POLLIN or POLLOUT
  [[nodiscard]] Clock::time_point deadline() const { return deadline_; }
  [[nodiscard]] bool finished() const { return state_ == State::kFinished; }

  // Its share of a body that several clients may be reading.
  [[nodiscard]] std::size_t held_bytes() const {
    return body_ ? body_->size() / static_cast<std::size_t>(body_.use_count()) : 0;
  }

  // Does what the socket lets it do now.
  void advance(Api& api);

 private:
  enum class State { kReading, kWriting, kDraining, kFinished };

  void read_head(Api& api);
  void answer(const Response& response, bool with_body);
  void write_answer();
  void drain();
  // True if all of `text` from `done` on was written; else the state says why not.
  bool write_from(std::string_view text, std::size_t& done);

  UniqueFd fd_;
  Clock::time_point deadline_;
  State state_ = State::kReading;
  std::string head_;  // received, then to be sent
  std::shared_ptr<const std::string> body_;
  std::size_t head_sent_ = 0;
  std::size_t body_sent_ = 0;
  std::size_t drained_ = 0;
};

}  // namespace espial
