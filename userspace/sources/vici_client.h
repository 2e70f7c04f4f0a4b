// SPDX-License-Identifier: Apache-2.0
// ViciClient: asks charon for its version, connections, SAs and installed policies over its VICI
// socket, without ever waiting: advance() does what can be done now. Secrets are never asked for.
// One look per connection; what is received is bounded.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "model/vici.h"

namespace espial {

inline constexpr std::size_t kMaxViciAnswer = std::size_t{32} << 20;  // of one look
inline constexpr std::chrono::milliseconds kViciDeadline{3000};

// Where charon listens, by the configuration's `vici`: "off", a path, or "auto": the first of the
// usual places that exists. Nothing: off, or no such place.
std::optional<std::string> find_vici_socket(std::string_view choice);

class ViciClient {
 public:
  static Result<ViciClient> open(const std::string& path);

  [[nodiscard]] int fd() const { return fd_.get(); }
  // The poll events that advance() waits for.
  [[nodiscard]] short events() const;
  // Sends and receives without blocking. True: all is there, take() it.
  Result<bool> advance();
  [[nodiscard]] ViciFacts take() { return std::move(facts_); }

 private:
  ViciClient(std::string path, UniqueFd fd);

  void ask();
  Status send();
  Result<bool> receive();
  Status parse();
  Status on_packet(std::string_view bytes);
  [[nodiscard]] Error failed(std::string_view what) const;

  std::string path_;
  UniqueFd fd_;
  ViciFacts facts_;
  std::size_t step_ = 0;      // which command is asked
  bool registered_ = false;   // its event is, so its answers may come
  std::string out_;           // not sent yet
  std::string in_;            // received, not understood yet
  std::size_t received_ = 0;  // in all
};

// A look of its own, for commands: waits until the deadline. Never fails: `reason` says why not.
ViciFacts read_vici(const std::string& path, std::chrono::milliseconds deadline = kViciDeadline);

}  // namespace espial
