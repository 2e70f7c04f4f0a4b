// SPDX-License-Identifier: Apache-2.0
// A receiver of alerts that behaves as it is told, badly too.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace espial::testing {

enum class Manner { kOk, kError, kHuge, kNever, kGarbage, kRedirect, kHangUp };

class AlertStandIn {
 public:
  // port 0: any.
  explicit AlertStandIn(Manner manner, std::uint16_t port = 0) : manner_(manner) {
    listen_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(listen_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    works_ = ::bind(listen_.get(), any, length) == 0 && ::listen(listen_.get(), 16) == 0;
    ::getsockname(listen_.get(), any, &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~AlertStandIn() {
    stop_ = true;
    thread_.join();
  }

  [[nodiscard]] bool works() const { return works_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  void behave(Manner manner) { manner_ = manner; }
  // Requests that were taken (answered with 200), whole, heads included, and when.
  struct Taken {
    std::string request;
    std::chrono::system_clock::time_point when;
  };
  [[nodiscard]] std::vector<Taken> taken() const {
    const std::scoped_lock lock(mutex_);
    return taken_;
  }
  [[nodiscard]] int asked() const { return asked_; }

 private:
  bool readable(int fd) const {
    while (!stop_) {
      pollfd poll{fd, POLLIN, 0};
      if (::poll(&poll, 1, 10) > 0) return true;
    }
    return false;
  }

  std::string read_request(int fd) const {
    std::string text;
    char buffer[65536];
    while (readable(fd)) {
      const auto got = ::recv(fd, buffer, sizeof buffer, 0);
      if (got <= 0) break;
      text.append(buffer, static_cast<std::size_t>(got));
      const auto head = text.find("\r\n\r\n");
      const auto length = text.find("Content-Length: ");
      if (head != std::string::npos && length != std::string::npos &&
          text.size() >= head + 4 + std::stoul(text.substr(length + 16)))
        break;
    }
    return text;
  }

  void answer(int fd, const std::string& request) {
    const auto send = [&](const std::string& text) {
      return ::send(fd, text.data(), text.size(), MSG_NOSIGNAL) > 0;
    };
    switch (manner_.load()) {
      case Manner::kOk: {
        const std::scoped_lock lock(mutex_);
        taken_.push_back({request, std::chrono::system_clock::now()});
        send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
        return;
      }
      case Manner::kError:
        send("HTTP/1.1 500 Oh\r\nContent-Length: 6\r\nConnection: close\r\n\r\n\x1b[31mno");
        return;
      case Manner::kHuge:
        send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        while (!stop_ && send(std::string(65536, 'x'))) {
        }
        return;
      case Manner::kNever:
        // Until the other side gives up.
        if (char byte; readable(fd)) (void)::recv(fd, &byte, 1, 0);
        return;
      case Manner::kGarbage:
        send("\x01\x02 this is no HTTP\n\n");
        return;
      case Manner::kRedirect:
        send("HTTP/1.1 302 Found\r\nLocation: " + redirect_ +
             "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return;
      case Manner::kHangUp:
        return;
    }
  }

  void serve() {
    while (readable(listen_.get())) {
      const UniqueFd fd(::accept4(listen_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd.valid()) continue;
      const auto request = read_request(fd.get());
      ++asked_;
      answer(fd.get(), request);
    }
  }

  UniqueFd listen_;
  bool works_ = false;
  std::uint16_t port_ = 0;
  std::atomic<Manner> manner_;
  std::atomic<bool> stop_{false};
  std::atomic<int> asked_{0};
  mutable std::mutex mutex_;
  std::vector<Taken> taken_;
  std::thread thread_;

 public:
  std::string redirect_;  // set before anybody asks
};

}  // namespace espial::testing
