// SPDX-License-Identifier: Apache-2.0
// HttpGet: one GET of HTTP/1.1 over a unix socket, a connection each. Never waits by itself;
// what is received goes through wiped memory only, and is bounded.
//
// libcurl 7.88 was tried: it speaks over unix sockets and streams events, but left a copy of the
// body in freed memory when its handle was gone. Only curl_global_init_mem() with functions that
// wipe what they free prevented that: they are those of the whole process, exporter/notify's
// requests among it.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/private_buffer.h"
#include "base/result.h"
#include "base/unique_fd.h"
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

// Many GETs of one server, some at a time: a cluster of a hundred nodes is asked in the time of a
// few answers, and the server never has more than so many of ours to think about.
struct HttpParallel {
  std::size_t at_once = 1;         // connections
  std::size_t limit = 0;           // bytes of each body
  std::chrono::milliseconds each;  // how long one answer may take
};

// The answers in the order of the targets, whatever their status. The first that cannot be had is
// an error of all. Blocks, as patience says.
Result<std::vector<HttpReply>> http_get_all(const std::string& path,
                                            const std::vector<std::string>& targets,
                                            const HttpParallel& crowd,
                                            const HttpTimeouts& patience);

}  // namespace espial
