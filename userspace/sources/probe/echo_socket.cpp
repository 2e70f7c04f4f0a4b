// SPDX-License-Identifier: Apache-2.0
#include "sources/probe/echo_socket.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

namespace espial {
namespace {

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

Header request(Family family, EchoId id) {
  Header echo{};
  echo[0] = family == Family::kIpv4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
  echo[4] = static_cast<std::uint8_t>(id.id >> 8);
  echo[5] = static_cast<std::uint8_t>(id.id);
  echo[6] = static_cast<std::uint8_t>(id.sequence >> 8);
  echo[7] = static_cast<std::uint8_t>(id.sequence);
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

}  // namespace

Result<UniqueFd> open_echo_socket(Family family) {
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
  const int on = 1;
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  return fd;
}

// From the source that the target asks for (ip(7), ipv6(7): IP_PKTINFO, IPV6_PKTINFO).
void send_echo(int socket, const EchoTarget& target, EchoId id) {
  Header header = request(target.destination.family(), id);
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

namespace {

// A raw IPv4 socket shows the IP header, one of IPv6 does not (raw(7)).
std::optional<EchoId> parse_reply(std::basic_string_view<std::uint8_t> packet, Family family) {
  const bool v4 = family == Family::kIpv4;
  const std::size_t at = v4 && !packet.empty() ? (packet[0] & 0x0fu) * 4u : 0;
  if (packet.size() < at + 8) return std::nullopt;
  packet.remove_prefix(at);
  if (packet[0] != (v4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY)) return std::nullopt;
  return EchoId{static_cast<std::uint16_t>(packet[4] << 8 | packet[5]),
                static_cast<std::uint16_t>(packet[6] << 8 | packet[7])};
}

IpAddress echo_sender(const sockaddr_storage& from, Family family) {
  if (family == Family::kIpv4) {
    sockaddr_in in{};
    std::memcpy(&in, &from, sizeof in);
    return {family, reinterpret_cast<const std::uint8_t*>(&in.sin_addr)};
  }
  sockaddr_in6 in{};
  std::memcpy(&in, &from, sizeof in);
  return {family, reinterpret_cast<const std::uint8_t*>(&in.sin6_addr)};
}

std::optional<std::chrono::nanoseconds> arrival(msghdr& message) {
  for (auto* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
    if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec time{};
    std::memcpy(&time, CMSG_DATA(one), sizeof time);
    return std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
  }
  return std::nullopt;
}

}  // namespace

std::optional<EchoReply> receive_echo(int socket, Family family) {
  for (;;) {
    std::array<std::uint8_t, 256> packet;
    sockaddr_storage from{};
    iovec data{packet.data(), packet.size()};
    alignas(cmsghdr) std::array<std::uint8_t, 128> buffer{};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = buffer.data();
    message.msg_controllen = buffer.size();
    const auto got = recvmsg(socket, &message, 0);
    if (got < 0) return std::nullopt;
    if (const auto id = parse_reply({packet.data(), static_cast<std::size_t>(got)}, family))
      return EchoReply{*id, echo_sender(from, family), arrival(message)};
  }
}

}  // namespace espial
