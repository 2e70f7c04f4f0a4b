// SPDX-License-Identifier: Apache-2.0
#include "exporter/http/http_server.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <exception>
#include <list>
#include <system_error>
#include <utility>
#include <vector>

#include "exporter/http/http_connection.h"
#include "exporter/http/listen_address.h"

namespace espial {

namespace {

using Clock = HttpConnection::Clock;

// Blocks every signal for the scope: a thread that starts in it leaves signals to the daemon's.
class NoSignals {
 public:
  NoSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;
  ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

// The server's thread: the listening socket and its clients, oldest first.
class Loop {
 public:
  Loop(UniqueFd listener, int stop, std::unique_ptr<Api> api, HttpLimits limits)
      : listener_(std::move(listener)), stop_(stop), api_(std::move(api)), limits_(limits) {}

  void run() {
    while (wait()) {
      advance_ready();
      drop_late();
      drop_heavy();
      if ((polled_[1].revents & POLLIN) != 0) accept_waiting();
    }
  }

 private:
  // False once the server is to stop.
  bool wait() {
    const short accepts = starved_ ? 0 : POLLIN;
    polled_ = {{stop_, POLLIN, 0}, {listener_.get(), accepts, 0}};
    for (const HttpConnection& client : clients_)
      polled_.push_back({client.fd(), client.wants(), 0});
    if (::poll(polled_.data(), polled_.size(), timeout_ms()) < 0)
      for (pollfd& p : polled_) p.revents = 0;
    starved_ = false;
    return polled_[0].revents == 0;
  }

  // Clients are in order of their deadlines.
  [[nodiscard]] int timeout_ms() const {
    if (starved_) return kStarvedMs;
    if (clients_.empty()) return -1;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(clients_.front().deadline() - Clock::now());
    return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
  }

  void advance_ready() {
    auto client = clients_.begin();
    for (std::size_t i = 2; i < polled_.size(); ++i) {
      const bool gone = polled_[i].revents != 0 && !advance(*client);
      client = gone ? clients_.erase(client) : std::next(client);
    }
  }

  // False if the client is done with. Out of memory costs one client, not the daemon.
  bool advance(HttpConnection& client) {
    try {
      client.advance(*api_);
      return !client.finished();
    } catch (const std::exception&) {
      return false;
    }
  }

  void drop_late() {
    const auto now = Clock::now();
    while (!clients_.empty() && clients_.front().deadline() <= now) clients_.pop_front();
  }

  // Readers that stall keep the bodies of reports that are gone.
  void drop_heavy() {
    std::size_t held = 0;
    for (const HttpConnection& client : clients_) held += client.held_bytes();
    while (held > limits_.bytes && clients_.size() > 1) {
      held -= std::min(held, clients_.front().held_bytes());
      clients_.pop_front();
    }
  }

  void accept_waiting() {
    for (std::size_t i = 0; i < limits_.clients; ++i) {
      UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd.valid()) return make_room(errno);
      if (clients_.size() >= limits_.clients) clients_.pop_front();
      clients_.emplace_back(std::move(fd), Clock::now() + limits_.exchange);
    }
  }

  // Without descriptors the waiting client keeps the listener readable: the oldest client gives up
  // its own, or else the loop looks away for a while rather than spin.
  void make_room(int cause) {
    if (cause != EMFILE && cause != ENFILE && cause != ENOBUFS && cause != ENOMEM) return;
    if (clients_.empty())
      starved_ = true;
    else
      clients_.pop_front();
  }

  static constexpr int kStarvedMs = 100;

  UniqueFd listener_;
  int stop_;
  std::unique_ptr<Api> api_;
  HttpLimits limits_;
  bool starved_ = false;
  std::list<HttpConnection> clients_;
  std::vector<pollfd> polled_;
};

}  // namespace

Result<HttpServer> HttpServer::open(const ListenAddress& listen, std::unique_ptr<Api> api,
                                    HttpLimits limits) {
  EP_ASSIGN(listener, listen_on(listen));
  EP_ASSIGN(address, bound_address(listener.get(), listen));
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop.valid()) return Error{.message = listen.text() + ": eventfd: no descriptors left"};
  auto loop = std::make_unique<Loop>(std::move(listener), stop.get(), std::move(api), limits);
  const NoSignals quiet;
  try {
    std::thread thread([loop = std::move(loop)] { loop->run(); });
    return HttpServer(address, std::move(stop), std::move(thread));
  } catch (const std::system_error& error) {
    return Error{.message = listen.text() + ": start a thread: " + error.what()};
  }
}

HttpServer::HttpServer(ListenAddress address, UniqueFd stop, std::thread thread)
    : address_(address), stop_(std::move(stop)), thread_(std::move(thread)) {}

HttpServer::~HttpServer() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  while (::write(stop_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
  thread_.join();
}

}  // namespace espial
