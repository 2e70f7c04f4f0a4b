// SPDX-License-Identifier: Apache-2.0
#include "sources/probe/ike_probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/unique_fd.h"

namespace espial {
namespace {

constexpr std::uint16_t kPorts[] = {500, 4500};
constexpr std::uint16_t kNatTPort = 4500;
constexpr std::size_t kMarker = 4;
constexpr std::size_t kIkeHeader = 28;
constexpr std::uint8_t kNoVersion = 0x30;     // 3.0; there are 1 and 2
constexpr std::uint8_t kIkeSaInit = 34;       // exchange type
constexpr std::uint8_t kInitiator = 0x08;     // flag
constexpr std::size_t kAtOnce = 256;          // sockets
constexpr std::size_t kLargestAnswer = 1500;  // what is longer is cut and still an answer

struct Question {
  IkeReach* reach;
  UniqueFd socket;
  IkeSpi spi{};
  bool open = false;
};

IkeAnswer answer_of(int error) {
  if (error == ECONNREFUSED) return IkeAnswer::kRefused;
  const bool rejected = error == EHOSTUNREACH || error == ENETUNREACH || error == EACCES ||
                        error == ENOPROTOOPT || error == EPROTO;
  return rejected ? IkeAnswer::kRejected : IkeAnswer::kSilent;
}

bool connect_to(int socket, const IpAddress& address, std::uint16_t port) {
  if (address.family() == Family::kIpv4) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    std::memcpy(&to.sin_addr, address.bytes().data(), sizeof(to.sin_addr));
    return connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0;
  }
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  to.sin6_port = htons(port);
  std::memcpy(&to.sin6_addr, address.bytes().data(), sizeof(to.sin6_addr));
  return connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0;
}

// A connected socket receives ICMP errors.
Question ask(IkeReach& reach) {
  Question question{&reach, {}, {}, false};
  reach.answer = IkeAnswer::kNotSent;
  const int family = reach.address.family() == Family::kIpv4 ? AF_INET : AF_INET6;
  question.socket.reset(socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!question.socket.valid() || !connect_to(question.socket.get(), reach.address, reach.port) ||
      getrandom(question.spi.data(), question.spi.size(), 0) !=
          static_cast<ssize_t>(question.spi.size()))
    return question;
  question.spi[0] |= 1;  // zero is no SPI
  const auto datagram = ike_question(question.spi, reach.port);
  if (send(question.socket.get(), datagram.data(), datagram.size(), 0) !=
      static_cast<ssize_t>(datagram.size()))
    return question;
  reach.answer = IkeAnswer::kSilent;
  question.open = true;
  return question;
}

void receive_reply(Question& question) {
  std::array<std::uint8_t, kLargestAnswer> buffer{};
  const ssize_t got = recv(question.socket.get(), buffer.data(), buffer.size(), 0);
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return;
    question.reach->answer = answer_of(errno);
    question.open = false;
    return;
  }
  const std::span<const std::uint8_t> datagram(buffer.data(), static_cast<std::size_t>(got));
  if (!is_ike_answer(datagram, question.spi, question.reach->port)) return;
  question.reach->answer = IkeAnswer::kAnswered;
  question.open = false;
}

void listen(std::vector<Question>& questions, std::chrono::milliseconds wait) {
  const auto until = std::chrono::steady_clock::now() + wait;
  for (;;) {
    std::vector<pollfd> waiting;
    std::vector<Question*> who;
    for (auto& question : questions)
      if (question.open) {
        waiting.push_back({question.socket.get(), POLLIN, 0});
        who.push_back(&question);
      }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                          until - std::chrono::steady_clock::now())
                          .count();
    if (waiting.empty() || left <= 0) return;
    if (poll(waiting.data(), waiting.size(), static_cast<int>(left)) < 0 && errno != EINTR) return;
    for (std::size_t i = 0; i < waiting.size(); ++i)
      if (waiting[i].revents != 0) receive_reply(*who[i]);
  }
}

}  // namespace

std::vector<std::uint8_t> ike_question(const IkeSpi& spi, std::uint16_t port) {
  std::vector<std::uint8_t> datagram(port == kNatTPort ? kMarker : 0, 0);
  const std::size_t at = datagram.size();
  datagram.resize(at + kIkeHeader, 0);
  std::copy(spi.begin(), spi.end(), datagram.begin() + static_cast<std::ptrdiff_t>(at));
  datagram[at + 17] = kNoVersion;
  datagram[at + 18] = kIkeSaInit;
  datagram[at + 19] = kInitiator;
  datagram[at + 27] = kIkeHeader;
  return datagram;
}

bool is_ike_answer(std::span<const std::uint8_t> datagram, const IkeSpi& spi, std::uint16_t port) {
  const std::size_t at = port == kNatTPort ? kMarker : 0;
  if (datagram.size() < at + kIkeHeader) return false;
  for (std::size_t i = 0; i < at; ++i)
    if (datagram[i] != 0) return false;
  return std::equal(spi.begin(), spi.end(), datagram.begin() + static_cast<std::ptrdiff_t>(at));
}

std::vector<IkeReach> probe_ike(const std::vector<IpAddress>& addresses,
                                std::chrono::milliseconds wait) {
  std::vector<IkeReach> all;
  all.reserve(addresses.size() * std::size(kPorts));
  for (const auto& address : addresses)
    for (const auto port : kPorts) all.push_back({address, port, IkeAnswer::kNotSent});
  for (std::size_t first = 0; first < all.size(); first += kAtOnce) {
    std::vector<Question> questions;
    for (std::size_t i = first; i < std::min(first + kAtOnce, all.size()); ++i)
      questions.push_back(ask(all[i]));
    listen(questions, wait);
  }
  return all;
}

}  // namespace espial
