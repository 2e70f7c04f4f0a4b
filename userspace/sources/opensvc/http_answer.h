// SPDX-License-Identifier: Apache-2.0
// One answer of an HTTP/1.1 server, read piece by piece as it arrives: status, Content-Length,
// chunked or until the connection ends. Bounded; nothing of the body is ever in an error, and what
// it was held in is wiped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/private_buffer.h"
#include "base/result.h"

namespace espial {

inline constexpr std::size_t kMaxHttpHead = 16 << 10;  // status line and headers

class HttpAnswer {
 public:
  // limit: bytes that the body may have in all, taken away or not.
  explicit HttpAnswer(std::size_t limit) : limit_(limit) {}

  // True: the answer is complete; what follows is not looked at.
  Result<bool> feed(std::string_view bytes);
  // The connection has ended. An error unless the answer is complete by then.
  Status finish();

  [[nodiscard]] int status() const { return status_; }  // 0: not known yet
  [[nodiscard]] bool complete() const { return stage_ == Stage::kDone; }
  // What came of the body since the last call: a stream is read while it lasts.
  [[nodiscard]] WipedString take_body() { return std::exchange(body_, {}); }

 private:
  enum class Stage : std::uint8_t {
    kHead,
    kLength,
    kUntilEnd,
    kSize,
    kChunk,
    kAfter,
    kTrailer,
    kDone
  };
  Status step(bool& more);
  Status on_head(std::string_view head);
  Status on_header(std::string_view line);
  Status on_size(std::string_view line);
  Status take(std::size_t count);
  Result<bool> line(std::string& out);

  std::size_t limit_;
  std::size_t taken_ = 0;  // of the body, in all
  Stage stage_ = Stage::kHead;
  int status_ = 0;
  bool chunked_ = false;
  bool has_length_ = false;
  std::size_t left_ = 0;  // of the body or of the chunk
  std::size_t trailer_ = 0;
  WipedString in_;  // received, not understood yet
  WipedString body_;
};

}  // namespace espial
