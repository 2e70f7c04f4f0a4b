// SPDX-License-Identifier: Apache-2.0
#include "control/control_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/printable.h"
#include "base/system_error.h"
#include "base/unique_fd.h"

namespace espial {
namespace {

using Clock = std::chrono::steady_clock;

Error no_answer(const std::string& path, std::string_view operation, int error) {
  std::string_view hint;
  if (error == ENOENT || error == ECONNREFUSED) hint = " (no daemon is running)";
  if (error == EACCES || error == EPERM) hint = " (run as root)";
  if (error == ETIMEDOUT) hint = " (the daemon hangs or is overloaded)";
  return system_error(path, operation, error, hint);
}

// 0 when fd is ready for events before the deadline, else an errno.
int wait_for(int fd, short events, Clock::time_point deadline) {
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return ETIMEDOUT;
    pollfd entry{fd, events, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(std::min<decltype(left)>(left, 60000)));
    if (ready > 0) return 0;
    if (ready < 0 && errno != EINTR) return errno;
  }
}

// 0 when connected. A full backlog of a unix socket is EAGAIN, and poll() does not wait for it.
int connect_to(int fd, const sockaddr_un& address, Clock::time_point deadline) {
  for (;;) {
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return 0;
    if (errno != EAGAIN && errno != EINTR) return errno;
    if (Clock::now() >= deadline) return ETIMEDOUT;
    ::poll(nullptr, 0, 10);
  }
}

int send_all(int fd, std::string_view text, Clock::time_point deadline) {
  while (!text.empty()) {
    const auto sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      text.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (const int error = wait_for(fd, POLLOUT, deadline)) return error;
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

int receive_all(int fd, std::string& answer, Clock::time_point deadline) {
  std::array<char, 65536> buffer{};
  for (;;) {
    if (const int error = wait_for(fd, POLLIN, deadline)) return error;
    const auto got = ::recv(fd, buffer.data(), buffer.size(), 0);
    // A server that closes with a part of the request unread resets; its words came before that.
    if (got == 0 || (got < 0 && errno == ECONNRESET)) return 0;
    if (got < 0 && errno != EAGAIN && errno != EINTR) return errno;
    if (got > 0) answer.append(buffer.data(), static_cast<std::size_t>(got));
    if (answer.size() > kMaxControlAnswer) return EMSGSIZE;
  }
}

// A connection that has been asked.
Result<UniqueFd> ask(const std::string& path, std::string_view request, Clock::time_point until) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return no_answer(path, "connect", ENAMETOOLONG);
  std::copy(path.begin(), path.end(), address.sun_path);

  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return no_answer(path, "create a socket", errno);
  if (const int error = connect_to(fd.get(), address, until))
    return no_answer(path, "connect", error);
  // A server that refuses at once closes before it reads; its words still arrive.
  const int sent = send_all(fd.get(), std::string(request) + "\n", until);
  if (sent != 0 && sent != EPIPE) return no_answer(path, "send a request", sent);
  return fd;
}

}  // namespace

Result<std::string> control_request(const std::string& path, std::string_view request,
                                    std::chrono::milliseconds deadline) {
  const auto until = Clock::now() + deadline;
  EP_ASSIGN(fd, ask(path, request, until));
  std::string answer;
  if (const int error = receive_all(fd.get(), answer, until))
    return no_answer(path, "read the answer", error);
  if (answer.empty())
    return Error{printable(path) + ": read the answer: the daemon closed the connection"};
  return answer;
}

Result<ControlStream> ControlStream::open(const std::string& path, std::string_view request,
                                          std::chrono::milliseconds deadline) {
  EP_ASSIGN(fd, ask(path, request, Clock::now() + deadline));
  return ControlStream(std::move(fd));
}

bool ControlStream::read(std::string& to) const {
  std::array<char, 65536> buffer{};
  for (;;) {
    const auto got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got > 0) {
      to.append(buffer.data(), static_cast<std::size_t>(got));
      if (static_cast<std::size_t>(got) < buffer.size()) return true;
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      return false;
    } else if (errno == EAGAIN) {
      return true;
    }
  }
}

}  // namespace espial
