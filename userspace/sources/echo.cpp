// SPDX-License-Identifier: Apache-2.0
#include "sources/echo.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace espial {
namespace {

using Clock = std::chrono::steady_clock;
using Header = std::array<std::uint8_t, 8>;  // of ICMP; zeros follow it

constexpr std::size_t kUsualData = 56;  // bytes after the header, as ping sends them
const std::array<std::uint8_t, 65536> kZeros{};
constexpr int kIcmpFilter = 1;           // ICMP_FILTER of linux/icmp.h, which suits no libc header
constexpr int kReceiveBuffer = 4 << 20;  // a thousand peers answer at once

// RFC 1071: the zeros behind the header change nothing. For ICMPv6 the kernel does it.
std::uint16_t checksum(const Header& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2)
    sum += static_cast<std::uint32_t>(bytes[i]) << 8 | bytes[i + 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

Header request(Family family, std::uint16_t id, std::uint16_t sequence) {
  Header echo{};
  echo[0] = family == Family::kIpv4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
  echo[4] = static_cast<std::uint8_t>(id >> 8);
  echo[5] = static_cast<std::uint8_t>(id);
  echo[6] = static_cast<std::uint8_t>(sequence >> 8);
  echo[7] = static_cast<std::uint8_t>(sequence);
  const auto sum = checksum(echo);
  echo[2] = static_cast<std::uint8_t>(sum >> 8);
  echo[3] = static_cast<std::uint8_t>(sum);
  return echo;
}

socklen_t to_sockaddr(const IpAddress& address, sockaddr_storage& out) {
  if (address.family() == Family::kIpv4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    std::memcpy(&in.sin_addr, address.bytes().data(), sizeof in.sin_addr);
    std::memcpy(&out, &in, sizeof in);
    return sizeof in;
  }
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  std::memcpy(&in.sin6_addr, address.bytes().data(), sizeof in.sin6_addr);
  std::memcpy(&out, &in, sizeof in);
  return sizeof in;
}

template <typename Info>
void control(msghdr& message, void* buffer, int level, int type, const Info& info) {
  message.msg_control = buffer;
  message.msg_controllen = CMSG_SPACE(sizeof info);
  auto* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = level;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(header), &info, sizeof info);
}

// From the source that the target asks for (ip(7), ipv6(7): IP_PKTINFO, IPV6_PKTINFO). What cannot
// be sent (no route, a firewall) is not answered either.
void send_request(int socket, const EchoTarget& target, Header header) {
  const std::size_t headers =
      header.size() +
      (target.destination.family() == Family::kIpv4 ? sizeof(iphdr) : sizeof(ip6_hdr));
  const std::size_t zeros = target.size > headers ? target.size - headers : kUsualData;
  sockaddr_storage to{};
  std::array<iovec, 2> data{
      {{header.data(), header.size()},
       {const_cast<std::uint8_t*>(kZeros.data()), std::min(zeros, kZeros.size())}}};
  msghdr message{};
  message.msg_name = &to;
  message.msg_namelen = to_sockaddr(target.destination, to);
  message.msg_iov = data.data();
  message.msg_iovlen = data.size();
  alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(in6_pktinfo))> buffer{};
  if (target.source && target.source->family() == Family::kIpv4) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, target.source->bytes().data(), sizeof info.ipi_spec_dst);
    control(message, buffer.data(), IPPROTO_IP, IP_PKTINFO, info);
  } else if (target.source) {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, target.source->bytes().data(), sizeof info.ipi6_addr);
    control(message, buffer.data(), IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
  (void)sendmsg(socket, &message, 0);
}

// Only echo replies wake us: a raw socket sees every ICMP message of its namespace.
Status only_replies(int socket, Family family) {
  int failed = 0;
  if (family == Family::kIpv4) {
    const std::uint32_t blocked = ~(1u << ICMP_ECHOREPLY);  // struct icmp_filter
    failed = setsockopt(socket, SOL_RAW, kIcmpFilter, &blocked, sizeof blocked);
  } else {
    icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
    failed = setsockopt(socket, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter);
  }
  if (failed != 0) return Error{std::string("echo: filter of a raw socket: ") + strerror(errno)};
  return Ok{};
}

Result<UniqueFd> raw_socket(Family family) {
  const bool v4 = family == Family::kIpv4;
  UniqueFd fd(::socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
                       v4 ? static_cast<int>(IPPROTO_ICMP) : static_cast<int>(IPPROTO_ICMPV6)));
  if (!fd.valid()) {
    if (errno == EPERM) return Error{"echo: open raw socket: needs CAP_NET_RAW", Failure::kUnable};
    if (errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT) return fd;
    return Error{std::string("echo: open raw socket: ") + strerror(errno), Failure::kUnable};
  }
  EP_TRY(only_replies(fd.get(), family));
  // Without it a smaller buffer does, for fewer peers.
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer);
  return fd;
}

struct Reply {
  std::uint16_t id = 0;
  std::uint16_t sequence = 0;
};

// A raw IPv4 socket shows the IP header, one of IPv6 does not.
std::optional<Reply> parse_reply(std::basic_string_view<std::uint8_t> packet, Family family) {
  const bool v4 = family == Family::kIpv4;
  const std::size_t at = v4 && !packet.empty() ? (packet[0] & 0x0fu) * 4u : 0;
  if (packet.size() < at + 8) return std::nullopt;
  packet.remove_prefix(at);
  if (packet[0] != (v4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY)) return std::nullopt;
  return Reply{static_cast<std::uint16_t>(packet[4] << 8 | packet[5]),
               static_cast<std::uint16_t>(packet[6] << 8 | packet[7])};
}

// One round: a request to each target that is wanted.
class Round {
 public:
  Round(const std::array<UniqueFd, 2>& sockets, const std::vector<EchoTarget>& targets,
        std::vector<EchoAnswers>& answers, std::uint16_t id)
      : sockets_(sockets), targets_(targets), answers_(answers), id_(id), asked_(targets.size()) {}

  void ask(std::size_t index) {
    const auto family = targets_[index].destination.family();
    ++answers_[index].sent;
    ++waiting_;
    asked_[index] = Clock::now();
    const int socket = sockets_[family == Family::kIpv4 ? 0 : 1].get();
    if (socket >= 0)
      send_request(socket, targets_[index],
                   request(family, id_, static_cast<std::uint16_t>(index + 1)));
    receive();  // so that the answers of many wait in no buffer
  }

  void listen(std::chrono::milliseconds wait) {
    const auto until = Clock::now() + wait;
    while (waiting_ > 0) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
      if (left <= 0) return;
      std::array<pollfd, 2> ready{{{sockets_[0].get(), POLLIN, 0}, {sockets_[1].get(), POLLIN, 0}}};
      if (poll(ready.data(), ready.size(), static_cast<int>(left)) < 0 && errno != EINTR) return;
      receive();
    }
  }

 private:
  void receive() {
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
      std::array<std::uint8_t, 256> packet;
      const int socket = sockets_[family == Family::kIpv4 ? 0 : 1].get();
      if (socket < 0) continue;
      for (;;) {
        const auto got = recv(socket, packet.data(), packet.size(), 0);
        if (got < 0) break;
        take(parse_reply({packet.data(), static_cast<std::size_t>(got)}, family), family);
      }
    }
  }

  void take(const std::optional<Reply>& reply, Family family) {
    if (!reply || reply->id != id_ || reply->sequence == 0) return;
    const std::size_t index = reply->sequence - 1u;
    if (index >= asked_.size() || !asked_[index] || targets_[index].destination.family() != family)
      return;
    auto& answer = answers_[index];
    const auto took = Clock::now() - *asked_[index];
    asked_[index].reset();
    ++answer.answered;
    --waiting_;
    if (!answer.fastest || took < *answer.fastest) answer.fastest = took;
  }

  const std::array<UniqueFd, 2>& sockets_;
  const std::vector<EchoTarget>& targets_;
  std::vector<EchoAnswers>& answers_;
  std::uint16_t id_;
  std::vector<std::optional<Clock::time_point>> asked_;  // and not answered yet
  std::size_t waiting_ = 0;
};

}  // namespace

Result<EchoSockets> EchoSockets::open() {
  EchoSockets out;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    EP_ASSIGN(socket, raw_socket(family));
    out.sockets_[family == Family::kIpv4 ? 0 : 1] = std::move(socket);
  }
  if (getrandom(&out.id_, sizeof out.id_, 0) != sizeof out.id_) out.id_ = 0x4550;
  return out;
}

// ip(7), ipv6(7): PROBE sets DF and looks at the device's MTU only, WANT is the usual way.
void EchoSockets::send_whole(bool whole) {
  const int v4 = whole ? IP_PMTUDISC_PROBE : IP_PMTUDISC_WANT;
  const int v6 = whole ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_WANT;
  (void)setsockopt(sockets_[0].get(), IPPROTO_IP, IP_MTU_DISCOVER, &v4, sizeof v4);
  (void)setsockopt(sockets_[1].get(), IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6, sizeof v6);
}

std::vector<EchoAnswers> EchoSockets::ask(const std::vector<EchoTarget>& targets,
                                          const EchoPlan& plan) {
  std::vector<EchoAnswers> answers(targets.size());
  send_whole(plan.whole);
  for (unsigned number = 0; number < plan.rounds; ++number) {
    // An identifier of its own: an answer that comes too late is none of the next round.
    Round round(sockets_, targets, answers, id_++);
    for (std::size_t i = 0; i < targets.size(); ++i)
      if (!plan.until_answered || answers[i].answered == 0) round.ask(i);
    round.listen(plan.wait);
  }
  return answers;
}

}  // namespace espial
