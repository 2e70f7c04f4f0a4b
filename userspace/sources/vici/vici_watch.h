// SPDX-License-Identifier: Apache-2.0
// ViciWatch: keeps CharonFacts current for an event loop: it queries charon every few seconds
// without blocking, and between the queries reads from charon's log why SAs could not be made. One
// descriptor for its whole life, whatever becomes of charon and its socket.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "sources/vici/vici_client.h"
#include "sources/vici/vici_log.h"

namespace espial {

inline constexpr std::chrono::seconds kViciInterval{5};  // from the end of a look to the next

class ViciWatch {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // choice: "auto", "off" or a path; see find_vici_socket().
  static Result<ViciWatch> open(std::string choice);

  // Readable when advance() should be called.
  [[nodiscard]] int fd() const { return epoll_.get(); }
  // About once a second: begins a query when one is due, ends one that takes too long.
  void tick(Time now);
  // Reads charon's answers. True: a query has ended, facts() are new.
  bool advance(Time now);
  // Another choice, after a reload. Facts from the former socket are discarded.
  void choose(std::string choice);

  [[nodiscard]] bool off() const { return choice_ == "off"; }
  // Has a query ended since the choice was made?
  [[nodiscard]] bool asked() const { return due_.has_value(); }
  [[nodiscard]] const CharonFacts& facts() const { return facts_; }
  // Current; those of facts() are from the last query.
  [[nodiscard]] std::vector<IkeTrouble> troubles() const { return troubles_.all(); }

 private:
  ViciWatch(std::string choice, UniqueFd epoll);
  void begin(Time now);
  void end(CharonFacts facts, Time now);
  bool watch_client();
  void listen();
  void read_log();

  std::string choice_;
  UniqueFd epoll_;
  std::optional<ViciClient> client_;
  std::optional<ViciLog> log_;
  IkeTroubles troubles_;
  short events_ = 0;         // that the client was last watched for
  Time deadline_;            // of the look
  std::optional<Time> due_;  // of the next; nothing: at once
  CharonFacts facts_;
};

}  // namespace espial
