// SPDX-License-Identifier: Apache-2.0
// HttpGet: one GET of HTTP/1.1 over a unix socket, a connection each. Never waits by itself;
// what is received goes through wiped memory only, and is bounded.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "base/private_buffer.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "base/wiped_string.h"
#include "sources/opensvc/http_answer.h"

namespace espial {

class HttpGet {
 public:
  // Connects. Nothing: no server listens there (the socket is missing or unused).
  // limit: bytes of the body, taken away or not. accept: a media type.
  static Result<std::optional<HttpGet>> open(const std::string& path, const std::string& target,
                                             std::size_t limit, const char* accept);

  [[nodiscard]] int fd() const { return fd_.get(); }
  // The poll events that advance() waits for.
  [[nodiscard]] short events() const;
  // Sends and receives without blocking. True: the answer is complete.
  Result<bool> advance();
  [[nodiscard]] int status() const { return answer_.status(); }  // 0: not known yet
  [[nodiscard]] WipedString take_body() { return answer_.take_body(); }

 private:
  HttpGet(UniqueFd fd, std::string request, std::size_t limit);
  Status send();

  UniqueFd fd_;
  std::string out_;  // not sent yet
  HttpAnswer answer_;
  PrivateBuffer buffer_;
};

struct HttpReply {
  int status = 0;
  WipedString body;
};

// When a wait ends without an answer: at a time, or when a descriptor is readable (-1: none).
struct HttpTimeouts {
  std::chrono::steady_clock::time_point until;
  int stop = -1;
};

// The whole answer. Nothing: no server listens there.
Result<std::optional<HttpReply>> http_get(const std::string& path, const std::string& target,
                                          std::size_t limit, const HttpTimeouts& patience);

}  // namespace espial
