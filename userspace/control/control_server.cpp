// SPDX-License-Identifier: Apache-2.0
#include "control/control_server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>

#include "base/printable.h"
#include "base/system_error.h"

namespace espial {
namespace {

constexpr std::string_view kBusy = "{\"error\":\"too many connections, try again\"}\n";
constexpr std::string_view kTooManyStreams =
    "{\"error\":\"8 commands follow already (end one of them)\"}\n";
static_assert(kMaxControlStreams == 8);
constexpr std::string_view kTooLong = "{\"error\":\"request too long\"}\n";

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Error{printable(path) + ": bind the control socket: the path is longer than " +
                     std::to_string(sizeof address.sun_path - 1) + " bytes (shorten state_dir)",
                 Failure::kUsage};
  std::copy(path.begin(), path.end(), address.sun_path);
  return address;
}

// Removes a socket file that nobody serves any more.
Status remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat info = {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return Ok{};
    return system_error(path, "look at the control socket", errno);
  }
  if (!S_ISSOCK(info.st_mode))
    return Error{
        printable(path) +
        ": bind the control socket: a file that is not a socket is in the way (remove it)"};
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.valid()) return system_error(path, "create a socket", errno);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
      errno == EAGAIN)
    return Error{printable(path) +
                 ": bind the control socket: another daemon answers there (stop it, or give this "
                 "one its own instance)"};
  if (errno != ECONNREFUSED) return system_error(path, "probe the control socket", errno);
  if (::unlink(path.c_str()) != 0)
    return system_error(path, "remove the stale control socket", errno);
  return Ok{};
}

std::string error_answer(const std::exception& e) {
  std::string what = printable(e.what());
  // Quotes and backslashes would end the JSON text early; what is left needs no escape.
  std::replace(what.begin(), what.end(), '"', '\'');
  std::replace(what.begin(), what.end(), '\\', '/');
  return "{\"error\":\"" + what + "\"}\n";
}

bool watch(int epoll, int fd, std::uint32_t events, int operation) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  return ::epoll_ctl(epoll, operation, fd, &event) == 0;
}

}  // namespace

Result<ControlServer> ControlServer::open(const std::string& path, ControlHandler handler,
                                          std::chrono::milliseconds deadline) {
  ControlServer server(path, std::move(handler), deadline);
  EP_TRY(server.start());
  return server;
}

Status ControlServer::start() {
  EP_ASSIGN(address, address_of(path_));
  EP_TRY(remove_stale(path_, address));
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!epoll_.valid() || !timer_.valid() || !listener_.valid())
    return system_error(path_, "create the control socket", errno);
  // Linux gives the file the mode of the unbound socket (net/unix/af_unix.c, unix_bind_bsd), so
  // there is no moment at which others could connect.
  if (::fchmod(listener_.get(), 0600) != 0 ||
      ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return system_error(path_, "bind the control socket", errno);
  struct stat info = {};
  if (::lstat(path_.c_str(), &info) == 0) inode_ = info.st_ino;
  if (::listen(listener_.get(), static_cast<int>(kMaxControlConnections)) != 0)
    return system_error(path_, "listen on the control socket", errno);
  if (!watch(epoll_.get(), listener_.get(), EPOLLIN, EPOLL_CTL_ADD) ||
      !watch(epoll_.get(), timer_.get(), EPOLLIN, EPOLL_CTL_ADD))
    return system_error(path_, "watch the control socket", errno);
  return Ok{};
}

ControlServer::ControlServer(ControlServer&& other) noexcept = default;

ControlServer& ControlServer::operator=(ControlServer&& other) noexcept {
  if (this != &other) {
    remove_file();
    path_ = std::move(other.path_);
    handler_ = std::move(other.handler_);
    deadline_ = other.deadline_;
    inode_ = other.inode_;
    epoll_ = std::move(other.epoll_);
    timer_ = std::move(other.timer_);
    listener_ = std::move(other.listener_);
    connections_ = std::move(other.connections_);
    streams_ = std::move(other.streams_);
    last_stream_ = other.last_stream_;
    open_streams_ = std::move(other.open_streams_);
  }
  return *this;
}

ControlServer::~ControlServer() { remove_file(); }

void ControlServer::remove_file() noexcept {
  struct stat info = {};
  // A server that was moved from has no listener and owns no file.
  if (listener_.valid() && inode_ != 0 && ::lstat(path_.c_str(), &info) == 0 &&
      info.st_ino == inode_)
    ::unlink(path_.c_str());
}

void ControlServer::serve() {
  std::array<epoll_event, kMaxControlConnections + kMaxControlStreams + 2> events{};
  const int ready = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  bool accepting = false;
  for (int i = 0; i < ready; ++i) {
    const int fd = events[static_cast<std::size_t>(i)].data.fd;
    if (fd == listener_.get()) accepting = true;
    const auto it = connections_.find(fd);
    if (it != connections_.end() && !advance(it->second)) erase(fd);
  }
  // Late ones go first, then new ones come: a descriptor number is never two things in one round.
  close_late();
  if (accepting) accept_all();
  arm_timer();
}

void ControlServer::accept_all() {
  for (std::size_t i = 0; i < 2 * kMaxControlConnections; ++i) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.valid()) return;
    if (connections_.size() - open_streams_.size() >= kMaxControlConnections) {
      // To tell why is a courtesy; the refusal is the close.
      (void)::send(fd.get(), kBusy.data(), kBusy.size(), MSG_NOSIGNAL);
      continue;
    }
    const int number = fd.get();
    if (!watch(epoll_.get(), number, EPOLLIN, EPOLL_CTL_ADD)) continue;
    connections_[number] = Connection{std::move(fd), Clock::now() + deadline_, {}, {}, 0, false, 0};
  }
}

bool ControlServer::advance(Connection& connection) {
  if (connection.stream != 0) return advance_stream(connection);
  if (!connection.answering && !read_request(connection)) return false;
  return !connection.answering || write_answer(connection);
}

bool ControlServer::read_request(Connection& connection) {
  std::array<char, kMaxControlRequest> buffer{};
  const auto room = kMaxControlRequest - connection.request.size();
  const auto got = ::recv(connection.fd.get(), buffer.data(), room, 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;  // an unfinished line is no request
  connection.request.append(buffer.data(), static_cast<std::size_t>(got));
  const auto end = connection.request.find('\n');
  if (end == std::string::npos && connection.request.size() < kMaxControlRequest) return true;
  const auto request = std::string_view(connection.request).substr(0, end);
  if (end == std::string::npos) {
    connection.answer = kTooLong;
  } else if (wants_stream(request)) {
    if (open_stream(connection, request)) return true;
  } else {
    connection.answer = answer_to(request);
  }
  connection.answering = true;
  return watch(epoll_.get(), connection.fd.get(), EPOLLOUT, EPOLL_CTL_MOD);
}

std::string ControlServer::answer_to(std::string_view request) {
  try {
    return handler_(request);
  } catch (const std::exception& e) {
    return error_answer(e);
  }
}

bool ControlServer::write_answer(Connection& connection) {
  while (connection.sent < connection.answer.size()) {
    const auto sent = ::send(connection.fd.get(), connection.answer.data() + connection.sent,
                             connection.answer.size() - connection.sent, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    connection.sent += static_cast<std::size_t>(sent);
  }
  return false;
}

bool ControlServer::wants_stream(std::string_view request) const {
  return streams_.open && request.substr(0, request.find(' ')) == streams_.word;
}

// False: it was refused, and the answer says why.
bool ControlServer::open_stream(Connection& connection, std::string_view request) {
  if (open_streams_.size() >= kMaxControlStreams) {
    connection.answer = kTooManyStreams;
    return false;
  }
  const auto id = ++last_stream_;
  open_streams_[id] = connection.fd.get();
  try {
    streams_.open(request, id);
  } catch (const std::exception& e) {
    open_streams_.erase(id);
    connection.answer = error_answer(e);
    return false;
  }
  connection.stream = id;
  connection.deadline = Clock::time_point::max();
  return watch(epoll_.get(), connection.fd.get(), EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
}

// Reads only to learn that the reader has gone.
bool ControlServer::advance_stream(Connection& connection) {
  std::array<char, kMaxControlRequest> ignored{};
  const auto got = ::recv(connection.fd.get(), ignored.data(), ignored.size(), 0);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return false;
  auto& waiting = connection.answer;
  while (!waiting.empty()) {
    const auto sent = ::send(connection.fd.get(), waiting.data(), waiting.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    waiting.erase(0, static_cast<std::size_t>(sent));
  }
  return watch(epoll_.get(), connection.fd.get(), EPOLLIN, EPOLL_CTL_MOD);
}

bool ControlServer::send(ControlStreams::Id id, std::string_view text) {
  const auto stream = open_streams_.find(id);
  if (stream == open_streams_.end()) return false;
  Connection& connection = connections_.at(stream->second);
  if (connection.answer.size() + text.size() > kMaxStreamBacklog) return false;
  connection.answer += text;
  // It is sent when the loop comes round: one system call for all that is told at once.
  return watch(epoll_.get(), connection.fd.get(), EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
}

void ControlServer::erase(int fd) {
  const auto it = connections_.find(fd);
  const auto id = it->second.stream;
  connections_.erase(it);
  if (id == 0) return;
  open_streams_.erase(id);
  streams_.closed(id);
}

void ControlServer::close_late() {
  const auto now = Clock::now();
  std::erase_if(connections_, [&](const auto& item) { return item.second.deadline <= now; });
}

void ControlServer::arm_timer() {
  auto earliest = Clock::time_point::max();
  for (const auto& [fd, connection] : connections_)
    earliest = std::min(earliest, connection.deadline);
  itimerspec when{};  // all zero: disarmed
  if (earliest != Clock::time_point::max()) {
    const auto left = std::chrono::ceil<std::chrono::nanoseconds>(earliest - Clock::now()).count();
    const auto positive = std::max<decltype(left)>(left, 1);
    when.it_value.tv_sec = positive / 1'000'000'000;
    when.it_value.tv_nsec = positive % 1'000'000'000;
  }
  // Setting the timer also clears its expirations, so it is never read.
  ::timerfd_settime(timer_.get(), 0, &when, nullptr);
}

}  // namespace espial
