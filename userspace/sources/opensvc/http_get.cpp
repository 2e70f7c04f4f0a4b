// SPDX-License-Identifier: Apache-2.0
#include "sources/opensvc/http_get.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace espial {
namespace {

constexpr int kHttpTurns = 16;  // pieces of one advance(): others want their turn, too
constexpr std::size_t kPiece = 16 << 10;

Error http_error(const char* operation, int code) {
  std::string hint;
  if (code == EACCES || code == EPERM) hint = " (run as root)";
  if (code == EAGAIN) hint = " (its queue is full)";
  return Error{std::string(operation) + ": " + std::strerror(code) + hint};
}

// False: stopped, or no time is left.
Result<bool> wait_for(const HttpGet& get, const HttpTimeouts& patience) {
  using std::chrono::milliseconds;
  const auto left =
      std::chrono::duration_cast<milliseconds>(patience.until - std::chrono::steady_clock::now());
  if (left <= milliseconds(0)) return false;
  std::array<pollfd, 2> wait{{{get.fd(), get.events(), 0}, {patience.stop, POLLIN, 0}}};
  const auto most = std::min<milliseconds::rep>(left.count() + 1, 60'000);
  if (::poll(wait.data(), wait.size(), static_cast<int>(most)) < 0 && errno != EINTR)
    return http_error("wait", errno);
  return (wait[1].revents & POLLIN) == 0;
}

}  // namespace

HttpGet::HttpGet(UniqueFd fd, std::string request, std::size_t limit)
    : fd_(std::move(fd)), out_(std::move(request)), answer_(limit), buffer_(kPiece) {}

Result<std::optional<HttpGet>> HttpGet::open(const std::string& path, const std::string& target,
                                             std::size_t limit, const char* accept) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return http_error("connect", ENAMETOOLONG);
  std::copy(path.begin(), path.end(), address.sun_path);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return http_error("create a socket", errno);
  // A unix socket is connected at once or not at all.
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ENOENT || errno == ENOTDIR || errno == ECONNREFUSED)
      return std::optional<HttpGet>();
    return http_error("connect", errno);
  }
  return std::optional(HttpGet(std::move(fd),
                               "GET " + target + " HTTP/1.1\r\nHost: localhost\r\nAccept: " +
                                   accept + "\r\nConnection: close\r\n\r\n",
                               limit));
}

short HttpGet::events() const {
  return static_cast<short>(out_.empty() ? POLLIN : POLLIN | POLLOUT);
}

Status HttpGet::send() {
  while (!out_.empty()) {
    const auto sent = ::send(fd_.get(), out_.data(), out_.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      out_.erase(0, static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN || errno == EPIPE) {
      return Ok{};  // whoever closes early may have answered before
    } else if (errno != EINTR) {
      return http_error("send a request", errno);
    }
  }
  return Ok{};
}

Result<bool> HttpGet::advance() {
  EP_TRY(send());
  for (int turn = 0; turn < kHttpTurns; ++turn) {
    const auto got = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return false;
    if (got < 0) return http_error("read the answer", errno);
    if (got == 0) {
      EP_TRY(answer_.finish());
      return true;
    }
    EP_ASSIGN(done, answer_.feed(buffer_.text(static_cast<std::size_t>(got))));
    if (done) return true;
  }
  return false;
}

Result<std::optional<HttpReply>> http_get(const std::string& path, const std::string& target,
                                          std::size_t limit, const HttpTimeouts& patience) {
  EP_ASSIGN(get, HttpGet::open(path, target, limit, "application/json"));
  if (!get) return std::optional<HttpReply>();
  for (;;) {
    EP_ASSIGN(done, get->advance());
    if (done) return std::optional(HttpReply{get->status(), get->take_body()});
    EP_ASSIGN(more, wait_for(*get, patience));
    if (!more) return Error{"no answer in time (it is busy or hangs)"};
  }
}

}  // namespace espial
