// SPDX-License-Identifier: Apache-2.0
// ViciClient: asks charon for its version, connections, SAs and installed policies over its VICI
// socket, without ever blocking: advance() does what can be done now. Secrets are never asked for.
// One look per connection; what is received is bounded.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/facts/charon.h"
#include "sources/vici/vici_socket.h"

namespace espial {

inline constexpr std::size_t kMaxViciAnswer = std::size_t{32} << 20;  // of one look
inline constexpr std::chrono::milliseconds kViciDeadline{3000};

// Where charon listens, by the configuration's `vici`: "off", a path, or "auto": the first of the
// usual places that exists. Nothing: off, or no such place.
std::optional<std::string> find_vici_socket(std::string_view choice);

class ViciClient {
 public:
  static Result<ViciClient> open(const std::string& path);

  [[nodiscard]] int fd() const { return socket_.fd(); }
  // The poll events that advance() waits for.
  [[nodiscard]] short events() const { return socket_.events(); }
  // Sends and receives without blocking. True: all is there, take() it.
  Result<bool> advance();
  [[nodiscard]] CharonFacts take() { return std::move(facts_); }

 private:
  explicit ViciClient(ViciSocket socket);

  void ask();
  Status parse();
  Status on_packet(std::string_view bytes);

  ViciSocket socket_;
  CharonFacts facts_;
  std::size_t step_ = 0;     // which command is asked
  bool registered_ = false;  // its event is, so its answers may come
};

// A look of its own, for commands: waits until the deadline. Never fails: `reason` says why not.
CharonFacts read_charon(const std::string& path,
                        std::chrono::milliseconds deadline = kViciDeadline);

}  // namespace espial
