// SPDX-License-Identifier: Apache-2.0
#include "sources/opensvc/http_answer.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace espial {
namespace {

constexpr std::size_t kMaxLine = 1024;  // of a chunk's size or a trailer

// All of text as a number, nothing else.
bool http_number(std::string_view text, int base, std::size_t& out) {
  const auto* end = text.data() + text.size();
  const auto got = std::from_chars(text.data(), end, out, base);
  return got.ec == std::errc() && got.ptr == end;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

}  // namespace

Result<bool> HttpAnswer::feed(std::string_view bytes) {
  in_.append(bytes);
  bool more = true;
  while (more && !complete()) {
    more = false;
    if (const auto status = step(more); !status.ok()) return status.error();
  }
  return complete();
}

Status HttpAnswer::finish() {
  if (stage_ == Stage::kUntilEnd) stage_ = Stage::kDone;
  if (complete()) return Ok{};
  return Error{stage_ == Stage::kHead ? "the connection ended before the answer"
                                      : "the connection ended in the middle of the answer"};
}

// Does what the bytes at hand allow; more: it may be called again at once.
Status HttpAnswer::step(bool& more) {
  std::string text;
  switch (stage_) {
    case Stage::kHead: {
      const auto end = in_.find("\r\n\r\n");
      if (std::min(end, in_.size()) > kMaxHttpHead)
        return Error{"the answer's headers are too long"};
      if (end == std::string::npos) return Ok{};
      const auto head = in_.substr(0, end);
      in_.erase(0, end + 4);
      more = true;
      return on_head(head);
    }
    case Stage::kUntilEnd:
      return take(in_.size());
    case Stage::kLength:
    case Stage::kChunk: {
      const auto status = take(std::min(left_, in_.size()));
      if (status.ok() && left_ == 0) {
        stage_ = stage_ == Stage::kChunk ? Stage::kAfter : Stage::kDone;
        more = true;
      }
      return status;
    }
    case Stage::kSize:
    case Stage::kAfter:
    case Stage::kTrailer: {
      const auto got = line(text);
      if (!got.ok()) return got.error();
      more = *got;
      if (!*got) return Ok{};
      if (stage_ == Stage::kSize) return on_size(text);
      if (stage_ == Stage::kAfter) {
        if (!text.empty()) return Error{"a chunk of the answer is longer than it said"};
        stage_ = Stage::kSize;
      } else if (text.empty()) {
        stage_ = Stage::kDone;
      } else if ((trailer_ += text.size()) > kMaxHttpHead) {
        return Error{"the answer's trailers are too long"};
      }
      return Ok{};
    }
    case Stage::kDone:
      return Ok{};
  }
  return Ok{};
}

Status HttpAnswer::on_head(std::string_view head) {
  auto end = std::min(head.find("\r\n"), head.size());
  const auto first = head.substr(0, end);
  std::size_t code = 0;
  if (first.substr(0, 7) != "HTTP/1." || first.size() < 12 || first[8] != ' ' ||
      !http_number(first.substr(9, 3), 10, code) || code < 100 || code > 599)
    return Error{"the server does not speak HTTP/1.1"};
  has_length_ = chunked_ = false;
  while (end < head.size()) {
    head.remove_prefix(end + 2);
    end = std::min(head.find("\r\n"), head.size());
    if (const auto status = on_header(head.substr(0, end)); !status.ok()) return status;
  }
  if (code < 200) return Ok{};  // the answer proper follows
  status_ = static_cast<int>(code);
  if (chunked_ && has_length_) return Error{"the answer's length is given in two ways"};
  stage_ = chunked_ ? Stage::kSize : has_length_ ? Stage::kLength : Stage::kUntilEnd;
  if (code == 204 || code == 304) stage_ = Stage::kDone;
  if (has_length_ && left_ > limit_)
    return Error{"the answer is larger than " + std::to_string(limit_) + " bytes"};
  return Ok{};
}

Status HttpAnswer::on_header(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return Error{"a header of the answer has no colon"};
  const auto name = lower(line.substr(0, colon));
  const auto value = trimmed(line.substr(colon + 1));
  if (name == "content-length") {
    std::size_t length = 0;
    if (!http_number(value, 10, length) || (has_length_ && length != left_))
      return Error{"the answer's Content-Length is not a number"};
    left_ = length;
    has_length_ = true;
  } else if (name == "transfer-encoding") {
    if (lower(value) != "chunked") return Error{"the answer has an unknown Transfer-Encoding"};
    chunked_ = true;
  }
  return Ok{};
}

Status HttpAnswer::on_size(std::string_view line) {
  const auto size = trimmed(line.substr(0, line.find(';')));  // extensions mean nothing
  if (!http_number(size, 16, left_))
    return Error{"the size of a chunk of the answer is not a number"};
  stage_ = left_ == 0 ? Stage::kTrailer : Stage::kChunk;
  return Ok{};
}

Status HttpAnswer::take(std::size_t count) {
  if (count > limit_ - taken_)
    return Error{"the answer is larger than " + std::to_string(limit_) + " bytes"};
  taken_ += count;
  body_.append(in_, 0, count);
  in_.erase(0, count);
  if (stage_ != Stage::kUntilEnd) left_ -= count;
  return Ok{};
}

Result<bool> HttpAnswer::line(std::string& out) {
  const auto end = in_.find("\r\n");
  if (std::min(end, in_.size()) > kMaxLine) return Error{"a line of the answer is too long"};
  if (end == std::string::npos) return false;
  out.assign(in_.data(), end);
  in_.erase(0, end + 2);
  return true;
}

}  // namespace espial
