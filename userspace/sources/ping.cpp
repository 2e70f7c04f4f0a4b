// SPDX-License-Identifier: Apache-2.0
#include "sources/ping.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/unique_fd.h"

namespace espial {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRounds = 2;
constexpr std::size_t kMaxAddresses = 65'535;  // the sequence number tells which one answered

// RFC 1071, over the eight bytes of an echo request; for ICMPv6 the kernel does it.
std::uint16_t checksum(const std::array<std::uint8_t, 8>& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2)
    sum += static_cast<std::uint32_t>(bytes[i]) << 8 | bytes[i + 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

class Pinger {
 public:
  explicit Pinger(const std::vector<IpAddress>& addresses)
      : addresses_(addresses), answered_(addresses.size(), false) {}

  Status open() {
    if (getrandom(&id_, sizeof id_, 0) != sizeof id_) id_ = 0x4550;
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
      const bool v4 = family == Family::kIpv4;
      auto& socket = sockets_[v4 ? 0 : 1];
      socket = UniqueFd(
          ::socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
                   v4 ? static_cast<int>(IPPROTO_ICMP) : static_cast<int>(IPPROTO_ICMPV6)));
      if (!socket.valid() && errno == EPERM)
        return Error{"ping: open raw socket: needs CAP_NET_RAW", Failure::kUnable};
    }
    return Ok{};
  }

  std::vector<bool> ask(std::chrono::milliseconds wait) {
    for (int round = 0; round < kRounds && !all(); ++round) {
      const auto until = Clock::now() + wait;
      for (std::size_t i = 0; i < addresses_.size(); ++i)
        if (!answered_[i]) send(i);
      while (!all()) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
        if (left <= 0) break;
        pollfd waiting[2] = {{sockets_[0].get(), POLLIN, 0}, {sockets_[1].get(), POLLIN, 0}};
        if (poll(waiting, 2, static_cast<int>(left)) < 0 && errno != EINTR) break;
        receive();
      }
    }
    return answered_;
  }

 private:
  bool all() const {
    for (const bool one : answered_)
      if (!one) return false;
    return true;
  }

  void send(std::size_t index) {
    const auto& address = addresses_[index];
    const bool v4 = address.family() == Family::kIpv4;
    const auto sequence = static_cast<std::uint16_t>(index + 1);
    std::array<std::uint8_t, 8> echo{static_cast<std::uint8_t>(v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST),
                                     0,
                                     0,
                                     0,
                                     static_cast<std::uint8_t>(id_ >> 8),
                                     static_cast<std::uint8_t>(id_),
                                     static_cast<std::uint8_t>(sequence >> 8),
                                     static_cast<std::uint8_t>(sequence)};
    const auto sum = checksum(echo);
    echo[2] = static_cast<std::uint8_t>(sum >> 8);
    echo[3] = static_cast<std::uint8_t>(sum);
    sockaddr_storage to{};
    socklen_t length = 0;
    if (v4) {
      auto* in = reinterpret_cast<sockaddr_in*>(&to);
      in->sin_family = AF_INET;
      std::memcpy(&in->sin_addr, address.bytes().data(), sizeof in->sin_addr);
      length = sizeof *in;
    } else {
      auto* in = reinterpret_cast<sockaddr_in6*>(&to);
      in->sin6_family = AF_INET6;
      std::memcpy(&in->sin6_addr, address.bytes().data(), sizeof in->sin6_addr);
      length = sizeof *in;
    }
    // What cannot be sent (no route, a firewall) is not answered either.
    (void)sendto(sockets_[v4 ? 0 : 1].get(), echo.data(), echo.size(), 0,
                 reinterpret_cast<const sockaddr*>(&to), length);
  }

  void receive() {
    for (const bool v4 : {true, false}) {
      std::array<std::uint8_t, 256> packet;
      for (;;) {
        const auto got = recv(sockets_[v4 ? 0 : 1].get(), packet.data(), packet.size(), 0);
        if (got < 0) break;
        take({packet.data(), static_cast<std::size_t>(got)}, v4);
      }
    }
  }

  // A raw IPv4 socket shows the IP header, one of IPv6 does not.
  void take(std::basic_string_view<std::uint8_t> packet, bool v4) {
    const std::size_t at = v4 && !packet.empty() ? (packet[0] & 0x0fu) * 4u : 0;
    if (packet.size() < at + 8) return;
    packet.remove_prefix(at);
    if (packet[0] != (v4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY)) return;
    if ((packet[4] << 8 | packet[5]) != id_) return;
    const std::size_t index = static_cast<std::size_t>(packet[6] << 8 | packet[7]) - 1;
    if (index < addresses_.size() && (addresses_[index].family() == Family::kIpv4) == v4)
      answered_[index] = true;
  }

  const std::vector<IpAddress>& addresses_;
  std::vector<bool> answered_;
  std::array<UniqueFd, 2> sockets_;
  std::uint16_t id_ = 0;
};

}  // namespace

Result<std::vector<bool>> ping(const std::vector<IpAddress>& addresses,
                               std::chrono::milliseconds wait) {
  if (addresses.size() > kMaxAddresses) return Error{"ping: more than 65535 addresses"};
  Pinger pinger(addresses);
  EP_TRY(pinger.open());
  return pinger.ask(wait);
}

}  // namespace espial
