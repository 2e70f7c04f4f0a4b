// SPDX-License-Identifier: Apache-2.0
#include "sources/probe/echo.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <cerrno>

namespace espial {
namespace {

using Clock = std::chrono::steady_clock;

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
      send_echo(socket, targets_[index], {id_, static_cast<std::uint16_t>(index + 1)});
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
      const int socket = sockets_[family == Family::kIpv4 ? 0 : 1].get();
      if (socket < 0) continue;
      while (const auto reply = receive_echo(socket, family)) take(reply->id, family);
    }
  }

  void take(EchoId reply, Family family) {
    if (reply.id != id_ || reply.sequence == 0) return;
    const std::size_t index = reply.sequence - 1u;
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
    EP_ASSIGN(socket, open_echo_socket(family));
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
    if (plan.stop != nullptr && *plan.stop) break;
    // An identifier of its own: an answer that comes too late is none of the next round.
    Round round(sockets_, targets, answers, id_++);
    for (std::size_t i = 0; i < targets.size(); ++i)
      if (!plan.until_answered || answers[i].answered == 0) round.ask(i);
    round.listen(plan.wait);
  }
  return answers;
}

}  // namespace espial
