// SPDX-License-Identifier: Apache-2.0
// The IKE probe: what it sends, what counts as its answer, and what sockets on loopback tell it.
#include "sources/probe/ike_probe.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

#include <cstdlib>
#include <thread>

#include "base/unique_fd.h"

namespace espial {
namespace {

constexpr IkeSpi kSpi{1, 2, 3, 4, 5, 6, 7, 8};

TEST(IkeProbe, AsksWithAHeaderOfAVersionThatDoesNotExist) {
  const auto plain = ike_question(kSpi, 500);
  ASSERT_EQ(plain.size(), 28u);
  EXPECT_EQ(std::vector<std::uint8_t>(plain.begin(), plain.begin() + 8),
            std::vector<std::uint8_t>(kSpi.begin(), kSpi.end()));
  EXPECT_EQ(plain[17], 0x30);
  EXPECT_EQ(plain[18], 34);
  EXPECT_EQ(plain[19], 0x08);
  EXPECT_EQ(plain[27], 28);
  const auto marked = ike_question(kSpi, 4500);
  ASSERT_EQ(marked.size(), 32u);
  EXPECT_EQ(std::vector<std::uint8_t>(marked.begin(), marked.begin() + 4),
            std::vector<std::uint8_t>(4, 0));
}

TEST(IkeProbe, KnowsItsAnswerByItsSpi) {
  const auto answer = ike_question(kSpi, 500);
  EXPECT_TRUE(is_ike_answer(answer, kSpi, 500));
  EXPECT_FALSE(is_ike_answer(answer, kSpi, 4500)) << "there the marker goes first";
  EXPECT_TRUE(is_ike_answer(ike_question(kSpi, 4500), kSpi, 4500));
  auto other = kSpi;
  other[7] = 9;
  EXPECT_FALSE(is_ike_answer(answer, other, 500));
  EXPECT_FALSE(is_ike_answer(std::span(answer).first(27), kSpi, 500));
  EXPECT_FALSE(is_ike_answer({}, kSpi, 500));
}

UniqueFd bound_to(std::uint16_t port) {
  UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at)), 0);
  return fd;
}

// In a network namespace of its own: 500 answers (with what it was sent, which carries the SPI);
// then somebody listens at 4500, too, and says nothing.
TEST(IkeProbe, TellsAnAnswerFromSilenceAndFromNobody) {
  ASSERT_EQ(unshare(CLONE_NEWNET), 0) << "needs root";
  ASSERT_EQ(std::system("ip link set lo up"), 0);
  const auto here = IpAddress::parse("127.0.0.1").value();
  auto none = probe_ike({here});
  ASSERT_EQ(none.size(), 2u);
  EXPECT_EQ(none[0].answer, IkeAnswer::kRefused);
  EXPECT_EQ(none[1].answer, IkeAnswer::kRefused);
  EXPECT_EQ(none[1].port, 4500);

  const auto daemon = bound_to(500);
  std::thread responder([&] {
    std::uint8_t buffer[100];
    sockaddr_in from{};
    socklen_t size = sizeof(from);
    const ssize_t got = recvfrom(daemon.get(), buffer, sizeof(buffer), 0,
                                 reinterpret_cast<sockaddr*>(&from), &size);
    if (got > 0)
      sendto(daemon.get(), buffer, static_cast<std::size_t>(got), 0,
             reinterpret_cast<const sockaddr*>(&from), size);
  });
  // It ends with the answer; who is silent is waited for to the end.
  EXPECT_EQ(probe_ike({here}, std::chrono::minutes{1})[0].answer, IkeAnswer::kAnswered);
  responder.join();
  const auto mute = bound_to(4500);
  EXPECT_EQ(probe_ike({here}, std::chrono::milliseconds{300})[1].answer, IkeAnswer::kSilent);
  EXPECT_EQ(probe_ike({IpAddress::parse("192.0.2.1").value()})[0].answer, IkeAnswer::kNotSent)
      << "there is no route";
}

}  // namespace
}  // namespace espial
