// SPDX-License-Identifier: Apache-2.0
// A client that does what it is told, also what a good one would not: one TCP connection.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <cstring>
#include <string>

#include "base/unique_fd.h"
#include "exporter/http/listen_address.h"

namespace espial::testing {

inline UniqueFd connect_to(const ListenAddress& listen, int receive_buffer = 0) {
  const bool v4 = listen.address.family() == Family::kIpv4;
  UniqueFd fd(::socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval deadline{20, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
  if (receive_buffer > 0)
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  sockaddr_in a4{};
  sockaddr_in6 a6{};
  a4.sin_family = AF_INET;
  a4.sin_port = htons(listen.port);
  std::memcpy(&a4.sin_addr, listen.address.bytes().data(), sizeof a4.sin_addr);
  a6.sin6_family = AF_INET6;
  a6.sin6_port = htons(listen.port);
  std::memcpy(&a6.sin6_addr, listen.address.bytes().data(), sizeof a6.sin6_addr);
  const int result = v4 ? ::connect(fd.get(), reinterpret_cast<sockaddr*>(&a4), sizeof a4)
                        : ::connect(fd.get(), reinterpret_cast<sockaddr*>(&a6), sizeof a6);
  if (result != 0) fd.reset();
  return fd;
}

inline bool write_all(const UniqueFd& fd, const std::string& text) {
  return ::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(text.size());
}

// Everything until the server closes.
inline std::string read_all(const UniqueFd& fd) {
  std::string out;
  char buffer[65536];
  for (;;) {
    const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (n <= 0) return out;
    out.append(buffer, static_cast<std::size_t>(n));
  }
}

struct Reply {
  int status = 0;  // 0: no HTTP answer
  std::string head;
  std::string body;
};

inline Reply parse_reply(const std::string& text) {
  Reply out;
  const auto end = text.find("\r\n\r\n");
  if (text.compare(0, 9, "HTTP/1.1 ") != 0 || end == std::string::npos) return out;
  out.status = std::stoi(text.substr(9, 3));
  out.head = text.substr(0, end + 2);
  out.body = text.substr(end + 4);
  return out;
}

inline Reply request(const ListenAddress& listen, const std::string& method,
                     const std::string& path, const std::string& headers = "") {
  const UniqueFd fd = connect_to(listen);
  if (!fd.valid()) return {};
  const std::string host = headers.find("Host:") == std::string::npos ? "Host: localhost\r\n" : "";
  write_all(fd, method + " " + path + " HTTP/1.1\r\n" + host + headers + "\r\n");
  return parse_reply(read_all(fd));
}

}  // namespace espial::testing
