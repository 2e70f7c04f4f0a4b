// SPDX-License-Identifier: Apache-2.0
// ViciWatch: keeps CharonFacts current for an event loop: a look every few seconds, which never
// waits for charon, and between the looks what charon's log says of SAs that it could not make. One
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
  // Once a second or so: begins a look when one is due, ends one that takes too long.
  void tick(Time now);
  // Takes what charon has said. True: a look has ended, facts() are new.
  bool advance(Time now);
  // Another choice, after a reload. What the former socket said is forgotten.
  void choose(std::string choice);

  [[nodiscard]] bool off() const { return choice_ == "off"; }
  // Has a look ended since the choice was made?
  [[nodiscard]] bool asked() const { return due_.has_value(); }
  [[nodiscard]] const CharonFacts& facts() const { return facts_; }
  // As of now; those of facts() are of its look.
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
