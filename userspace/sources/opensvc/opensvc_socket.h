// SPDX-License-Identifier: Apache-2.0
// OpensvcSocket: what OpenSVC says, asked from om3's API over its unix socket: for nodes whose
// cluster.conf cannot be read.
//
// Only keywords that say nodes and networks are asked for. An agent that answers more, the
// cluster's secret for one, is not listened to, and not asked again for ten minutes.
//
// All or nothing: a node that could not be asked about would look like one without a
// subnet, and be taken away.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/facts/opensvc.h"
#include "sources/opensvc/http_get.h"

namespace espial {

inline constexpr std::chrono::milliseconds kOpensvcAnswerTime{2'000};  // of one answer
inline constexpr std::chrono::milliseconds kOpensvcLookTime{20'000};   // of all
inline constexpr std::size_t kOpensvcAtOnce = 8;                       // nodes

class OpensvcSocket {
 public:
  explicit OpensvcSocket(std::string path) : path_(std::move(path)) {}  // empty: there is none

  // Blocks until all is answered, time is over or `stop` is readable (-1: never). Members are not
  // resolved. State kAbsent: no agent listens; kUnreadable: the reason says why.
  OpensvcFacts read(int stop = -1);

 private:
  using Clock = std::chrono::steady_clock;
  using Values = std::map<std::string, std::string>;

  // Some keywords as one node (empty: the agent's own) sees them.
  struct Question {
    std::vector<std::string> keywords;
    std::string node;
  };

  // Nothing: no agent listens.
  Result<std::optional<HttpReply>> get(const std::string& target);
  Result<std::optional<OpensvcFacts>> ask();
  // What the agent answers, which it must have listened for just before.
  Result<std::vector<HttpReply>> answers(const std::vector<std::string>& targets);
  // Rejects an answer that must not be used; the error says so, and that the agent is left alone.
  Status check(const HttpReply& reply);
  // The values of those keywords that have one.
  Result<Values> values(const Question& question);
  Result<Values> values(const Question& question, const HttpReply& reply);
  Status fill(OpensvcNetworkText& network, const std::vector<std::string>& nodes);

  std::string path_;
  int stop_ = -1;
  Clock::time_point until_;
  std::optional<Clock::time_point> silent_until_;  // it was refused
  std::string refusal_;
};

}  // namespace espial
