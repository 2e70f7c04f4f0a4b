// SPDX-License-Identifier: Apache-2.0
#include "sources/netlink/netlink_socket.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/system_error.h"

namespace espial {
namespace {

constexpr std::size_t kBufferSize = 128 * 1024;  // dumps use 32 KiB, an event fits a page
constexpr std::size_t kMaxFixed = 64;

Error netlink_error(const char* socket, const char* operation, int code) {
  std::string_view hint;
  if (code == EPERM) hint = " (needs CAP_NET_ADMIN)";
  if (code == EPROTONOSUPPORT) hint = " (the kernel does not offer it)";
  return system_error(socket, operation, code, hint);
}

}  // namespace

void consume(std::span<std::uint8_t> datagram, const NetlinkSocket::Visit& visit) {
  for_each_message(datagram, visit);
  explicit_bzero(datagram.data(), datagram.size());
}

NetlinkSocket::NetlinkSocket(mnl_socket* socket, const char* name)
    : socket_(socket), name_(name), buffer_(kBufferSize) {}

Result<NetlinkSocket> NetlinkSocket::open(int protocol, const char* name) {
  auto* raw = mnl_socket_open2(protocol, SOCK_CLOEXEC);
  if (raw == nullptr) return netlink_error(name, "open netlink socket", errno);
  NetlinkSocket socket(raw, name);
  if (mnl_socket_bind(raw, 0, MNL_SOCKET_AUTOPID) < 0)
    return netlink_error(name, "bind netlink socket", errno);
  const timeval timeout{kTimeoutSeconds, 0};
  if (setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0)
    return netlink_error(name, "set receive timeout", errno);
  // Before 4.20 the kernel does not check requests strictly; the same requests work there.
  int on = 1;
  (void)mnl_socket_setsockopt(raw, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  return socket;
}

int NetlinkSocket::fd() const { return mnl_socket_get_fd(socket_.get()); }

Status NetlinkSocket::join(unsigned group) {
  auto number = static_cast<int>(group);
  if (mnl_socket_setsockopt(socket_.get(), NETLINK_ADD_MEMBERSHIP, &number, sizeof number) < 0)
    return netlink_error(name_, "join event group", errno);
  return Ok{};
}

void NetlinkSocket::want_receive_buffer(int bytes) {
  // The forced variant passes the system's limit and needs CAP_NET_ADMIN.
  if (setsockopt(fd(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
    (void)setsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

// One datagram from the kernel into buffer_.
NetlinkSocket::Datagram NetlinkSocket::receive(int flags) {
  for (;;) {
    sockaddr_nl sender{};
    iovec space{buffer_.data(), buffer_.size()};
    msghdr header{};
    header.msg_name = &sender;
    header.msg_namelen = sizeof sender;
    header.msg_iov = &space;
    header.msg_iovlen = 1;
    const auto length = recvmsg(fd(), &header, flags);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return {0, errno, false};
    if (sender.nl_pid != 0) return {};
    return {static_cast<std::size_t>(length), 0, (header.msg_flags & MSG_TRUNC) != 0};
  }
}

Status NetlinkSocket::send_dump(std::uint16_t type, Bytes fixed) {
  alignas(nlmsghdr) std::array<std::uint8_t, NLMSG_HDRLEN + kMaxFixed> request{};
  assert(fixed.size() <= kMaxFixed);
  auto* head = mnl_nlmsg_put_header(request.data());
  head->nlmsg_type = type;
  head->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  head->nlmsg_seq = ++sequence_;
  if (!fixed.empty())
    std::memcpy(mnl_nlmsg_put_extra_header(head, fixed.size()), fixed.data(), fixed.size());
  if (mnl_socket_sendto(socket_.get(), head, head->nlmsg_len) < 0)
    return netlink_error(name_, "request dump", errno);
  return Ok{};
}

// One datagram of the answer.
Result<NetlinkSocket::DumpState> NetlinkSocket::read_dump(const Visit& visit) {
  const auto datagram = receive(0);
  if (datagram.error != 0) return netlink_error(name_, "dump", datagram.error);
  DumpState state;
  int code = datagram.truncated ? EMSGSIZE : 0;
  consume(buffer_.first(datagram.length), [&](const nlmsghdr& head, Bytes message) {
    if (head.nlmsg_seq != sequence_) return;  // the rest of an answer that was given up
    state.interrupted = state.interrupted || (head.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    if (head.nlmsg_type == NLMSG_ERROR || head.nlmsg_type == NLMSG_DONE) {
      state.done = true;
      if (code == 0) code = -read_as<int>(message.subspan(sizeof(nlmsghdr))).value_or(0);
    } else if (head.nlmsg_type >= NLMSG_MIN_TYPE) {
      visit(head, message);
    }
  });
  if (code != 0) return netlink_error(name_, "dump", code);
  return state;
}

Status NetlinkSocket::dump(std::uint16_t type, Bytes fixed, const std::function<void()>& on_restart,
                           const Visit& visit) {
  for (int attempt = 1;; ++attempt) {
    EP_TRY(send_dump(type, fixed));
    bool interrupted = false;
    for (;;) {
      EP_ASSIGN(state, read_dump(visit));
      interrupted = interrupted || state.interrupted;
      if (state.done) break;
    }
    if (!interrupted || attempt == kDumpAttempts) return Ok{};
    on_restart();
  }
}

Result<int> NetlinkSocket::request(std::uint16_t type, Bytes payload, const Visit& visit) {
  std::vector<std::uint8_t> bytes(NLMSG_HDRLEN + NLMSG_ALIGN(payload.size()));
  auto* head = mnl_nlmsg_put_header(bytes.data());
  head->nlmsg_type = type;
  head->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  head->nlmsg_seq = ++sequence_;
  std::memcpy(mnl_nlmsg_put_extra_header(head, payload.size()), payload.data(), payload.size());
  if (mnl_socket_sendto(socket_.get(), head, head->nlmsg_len) < 0)
    return netlink_error(name_, "send request", errno);
  for (;;) {
    const auto datagram = receive(0);
    if (datagram.error != 0) return netlink_error(name_, "request", datagram.error);
    std::optional<int> answer;
    consume(buffer_.first(datagram.length), [&](const nlmsghdr& got, Bytes message) {
      if (got.nlmsg_seq != sequence_) return;
      if (got.nlmsg_type == NLMSG_ERROR)
        answer = -read_as<int>(message.subspan(sizeof(nlmsghdr))).value_or(0);
      else if (visit)
        visit(got, message);
    });
    if (answer) return *answer;
  }
}

Result<bool> NetlinkSocket::receive_events(const Visit& visit) {
  bool complete = true;
  for (int count = 0; count < kMaxDatagrams; ++count) {
    const auto datagram = receive(MSG_DONTWAIT);
    if (datagram.error == EAGAIN || datagram.error == EWOULDBLOCK) return complete;
    if (datagram.error != 0 && datagram.error != ENOBUFS)
      return netlink_error(name_, "receive events", datagram.error);
    complete = complete && datagram.error == 0 && !datagram.truncated;
    consume(buffer_.first(datagram.length), visit);
  }
  return complete;
}

}  // namespace espial
