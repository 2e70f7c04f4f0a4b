// SPDX-License-Identifier: Apache-2.0
#include "sources/vici/vici_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

#include "base/printable.h"
#include "base/system_error.h"
#include "sources/vici/vici_message.h"

namespace espial {
namespace {

constexpr std::size_t kLengthField = 4;

Error vici_error(const std::string& path, std::string_view operation, int code) {
  std::string_view hint;
  if (code == ENOENT || code == ECONNREFUSED)
    hint = " (charon is not running, or listens elsewhere)";
  if (code == EACCES || code == EPERM) hint = " (run as root)";
  if (code == EAGAIN) hint = " (charon is busy)";
  return system_error(path, operation, code, hint);
}

}  // namespace

Result<ViciSocket> ViciSocket::open(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return vici_error(path, "connect", ENAMETOOLONG);
  std::copy(path.begin(), path.end(), address.sun_path);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return vici_error(path, "create a socket", errno);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return vici_error(path, "connect", errno);
  return ViciSocket(path, std::move(fd));
}

Error ViciSocket::failed(std::string_view what) const {
  return Error{printable(path_) + ": " + std::string(what)};
}

short ViciSocket::events() const { return out_.empty() ? POLLIN : POLLIN | POLLOUT; }

Status ViciSocket::send() {
  while (!out_.empty()) {
    const auto sent = ::send(fd_.get(), out_.data(), out_.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      out_.erase(0, static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      return Ok{};
    } else if (errno != EINTR) {
      return vici_error(path_, "send a request", errno);
    }
  }
  return Ok{};
}

Result<bool> ViciSocket::receive() {
  std::array<char, 65536> buffer{};
  for (;;) {
    const auto got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got == 0) return failed("read the answer: charon closed the connection");
    if (got > 0) {
      received_ += static_cast<std::size_t>(got);
      in_.append(buffer.data(), static_cast<std::size_t>(got));
      return true;
    }
    if (errno == EAGAIN) return false;
    if (errno != EINTR) return vici_error(path_, "read the answer", errno);
  }
}

Result<std::optional<std::string>> ViciSocket::packet() {
  const std::string_view rest = std::string_view(in_).substr(taken_);
  std::size_t length = 0;
  for (std::size_t i = 0; i < kLengthField && i < rest.size(); ++i)
    length = length << 8 | static_cast<std::uint8_t>(rest[i]);
  if (rest.size() >= kLengthField && length > kMaxViciPacket)
    return failed("read the answer: a packet of " + std::to_string(length) +
                  " bytes (is this charon?)");
  if (rest.size() < kLengthField || rest.size() - kLengthField < length) {
    in_.erase(0, taken_);
    taken_ = 0;
    return std::optional<std::string>();
  }
  taken_ += kLengthField + length;
  return std::optional(std::string(rest.substr(kLengthField, length)));
}

}  // namespace espial
