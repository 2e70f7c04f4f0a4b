// SPDX-License-Identifier: Apache-2.0
// Asks addresses for an echo (RFC 792, RFC 4443), all at once, round after round, and says who
// answered and how fast. Needs CAP_NET_RAW when opened. Blocks; any thread, one at a time.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "sources/probe/echo_socket.h"

namespace espial {

struct EchoAnswers {
  unsigned sent = 0;      // also what the kernel refused to send: it was not answered either
  unsigned answered = 0;  // no request counts twice
  std::optional<std::chrono::nanoseconds> fastest{};
};

struct EchoPlan {
  unsigned rounds = 2;                  // 1 to 255, of one request to each
  bool until_answered = true;           // who answered is not asked again
  std::chrono::milliseconds wait{500};  // of each round, for missing replies
  // Never in fragments, whatever path MTU was learnt; else as other traffic of this node goes.
  bool whole = false;
  const std::atomic<bool>* stop = nullptr;  // once true, what is not answered stays unanswered
};

// The sockets of one network namespace: the one in which the thread that opens them is.
class EchoSockets {
 public:
  static Result<EchoSockets> open();

  // Parallel to targets, of which there are at most 65,535.
  std::vector<EchoAnswers> ask(const std::vector<EchoTarget>& targets, const EchoPlan& plan);

 private:
  void send_whole(bool whole);

  std::array<UniqueFd, 2> sockets_;  // by Family; invalid where the kernel has not that family
  std::uint16_t id_ = 0;             // of the next round's requests
};

}  // namespace espial
