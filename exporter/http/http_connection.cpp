// SPDX-License-Identifier: Apache-2.0
#include "exporter/http/http_connection.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/ip.h"

namespace espial {

namespace {

// More than this after the request is not a client that we wait for.
constexpr std::size_t kMaxDrainBytes = 65536;

constexpr std::string_view kFixedHeaders =
    "Connection: close\r\n"
    "Vary: Accept-Encoding\r\n"
    "Cache-Control: no-store\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
    "\r\n";

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 421:
      return "Misdirected Request";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

// Does the client talk to an address of this machine alone?
bool is_loopback(int fd) {
  sockaddr_storage local{};
  socklen_t size = sizeof local;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) != 0) return false;
  if (local.ss_family == AF_INET) {
    const auto& address = reinterpret_cast<const sockaddr_in&>(local).sin_addr;
    return IpAddress(Family::kIpv4, &address).loopback();
  }
  const IpAddress address(Family::kIpv6, &reinterpret_cast<const sockaddr_in6&>(local).sin6_addr);
  return address.mapped_ipv4().value_or(address).loopback();
}

const std::string& own_name() {
  static const std::string name = [] {
    std::array<char, 256> buffer{};
    return ::gethostname(buffer.data(), buffer.size() - 1) == 0 ? std::string(buffer.data())
                                                                : std::string();
  }();
  return name;
}

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK; }

}  // namespace

HttpConnection::HttpConnection(UniqueFd fd, Clock::time_point deadline)
    : fd_(std::move(fd)), deadline_(deadline) {}

short HttpConnection::wants() const { return state_ == State::kWriting ? POLLOUT : POLLIN; }

void HttpConnection::advance(Api& api) {
  if (state_ == State::kReading) read_head(api);
  if (state_ == State::kWriting) write_answer();
  if (state_ == State::kDraining) drain();
}

void HttpConnection::read_head(Api& api) {
  std::array<char, 4096> buffer;
  const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
  if (n < 0 && (would_block() || errno == EINTR)) return;
  if (n <= 0) {
    state_ = State::kFinished;
    return;
  }
  head_.append(buffer.data(), static_cast<std::size_t>(n));
  const auto end = head_end(head_);
  if (end.value_or(head_.size()) > kMaxHeadBytes)
    return answer(plain_response(431, "the request is too large"), true);
  if (!end) return;
  const auto request = parse_request(std::string_view(head_).substr(0, *end));
  if (!request) return answer(plain_response(400, "not an HTTP request"), true);
  const bool head = request->method == "HEAD";
  if (request->method != "GET" && !head) return answer(plain_response(405, "only GET"), true);
  if (request->host && is_loopback(fd_.get()) && !is_loopback_host(*request->host, own_name()))
    return answer(plain_response(421,
                                 "this Host is not served on a loopback address (use its IP "
                                 "address or localhost)"),
                  !head);
  answer(api.get(request->path, request->accepts_gzip), !head);
}

void HttpConnection::answer(const Response& response, bool with_body) {
  head_ = "HTTP/1.1 " + std::to_string(response.status) + " " +
          std::string(reason_phrase(response.status)) + "\r\n";
  head_ += "Content-Type: " + response.content_type + "\r\n";
  head_ += "Content-Length: " + std::to_string(response.body->size()) + "\r\n";
  if (response.gzipped) head_ += "Content-Encoding: gzip\r\n";
  if (response.status == 405) head_ += "Allow: GET, HEAD\r\n";
  head_ += kFixedHeaders;
  if (with_body) body_ = response.body;
  state_ = State::kWriting;
}

bool HttpConnection::write_from(std::string_view text, std::size_t& done) {
  while (done < text.size()) {
    const ssize_t n = ::send(fd_.get(), text.data() + done, text.size() - done, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      if (!would_block()) state_ = State::kFinished;
      return false;
    }
    done += static_cast<std::size_t>(n);
  }
  return true;
}

void HttpConnection::write_answer() {
  if (!write_from(head_, head_sent_)) return;
  if (body_ && !write_from(*body_, body_sent_)) return;
  body_.reset();
  ::shutdown(fd_.get(), SHUT_WR);
  state_ = State::kDraining;
}

void HttpConnection::drain() {
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && would_block()) return;
    drained_ += n > 0 ? static_cast<std::size_t>(n) : 0;
    if (n > 0 && drained_ <= kMaxDrainBytes) continue;
    state_ = State::kFinished;
    return;
  }
}

}  // namespace espial
