// SPDX-License-Identifier: Apache-2.0
#include "exporter/http/listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace espial {

namespace {

constexpr int kBacklog = 512;  // what connects at once; net.core.somaxconn may allow less

// Of each client. The kernel's own choice grows to megabytes, for every reader that stalls.
constexpr int kSendBuffer = 128 * 1024;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

SocketAddress socket_address(const ListenAddress& listen) {
  SocketAddress out;
  const auto& bytes = listen.address.bytes();
  if (listen.address.family() == Family::kIpv4) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(listen.port);
    std::memcpy(&a.sin_addr, bytes.data(), sizeof a.sin_addr);
    std::memcpy(&out.storage, &a, sizeof a);
    out.length = sizeof a;
  } else {
    sockaddr_in6 a{};
    a.sin6_family = AF_INET6;
    a.sin6_port = htons(listen.port);
    std::memcpy(&a.sin6_addr, bytes.data(), sizeof a.sin6_addr);
    std::memcpy(&out.storage, &a, sizeof a);
    out.length = sizeof a;
  }
  return out;
}

bool set_option(int fd, int level, int option, int value) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

bool configure(int fd, const ListenAddress& listen) {
  if (!set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1)) return false;
  if (!set_option(fd, SOL_SOCKET, SO_SNDBUF, kSendBuffer)) return false;
  if (listen.address.family() == Family::kIpv4) return true;
  return set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, listen.address.unspecified() ? 0 : 1);
}

Error failed(const ListenAddress& listen, int cause) {
  std::string message = listen.text() + ": listen: " + std::strerror(cause);
  if (cause == EADDRINUSE)
    message += " (stop what listens there, or set another listen address or off)";
  if (cause == EADDRNOTAVAIL) message += " (no device of this node has that address)";
  if (cause == EACCES) message += " (ports below 1024 need CAP_NET_BIND_SERVICE)";
  return {.message = std::move(message)};
}

}  // namespace

Result<UniqueFd> listen_on(const ListenAddress& listen) {
  const SocketAddress address = socket_address(listen);
  UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid() || !configure(fd.get(), listen) ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0 ||
      ::listen(fd.get(), kBacklog) != 0)
    return failed(listen, errno);
  return fd;
}

Result<ListenAddress> bound_address(int fd, const ListenAddress& listen) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0)
    return failed(listen, errno);
  ListenAddress out = listen;
  in_port_t port = 0;
  static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
  std::memcpy(&port, reinterpret_cast<const char*>(&storage) + offsetof(sockaddr_in, sin_port),
              sizeof port);
  out.port = ntohs(port);
  return out;
}

}  // namespace espial
