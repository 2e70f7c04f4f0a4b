// SPDX-License-Identifier: Apache-2.0
// ViciSocket: packets to and from charon's VICI socket, without ever blocking. What is received and
// not yet taken is bounded by one packet and one piece.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace espial {

class ViciSocket {
 public:
  // A unix socket is connected at once or not at all.
  static Result<ViciSocket> open(const std::string& path);

  [[nodiscard]] int fd() const { return fd_.get(); }
  // The poll events that something is waited for.
  [[nodiscard]] short events() const;
  // Puts a packet (with its length header) behind what is not sent yet.
  void say(std::string_view packet) { out_ += packet; }
  // As much as goes now.
  Status send();
  // One piece. False: nothing is there now.
  Result<bool> receive();
  // The next whole packet, without its header, out of what was received.
  Result<std::optional<std::string>> packet();
  [[nodiscard]] std::size_t received() const { return received_; }  // bytes, in all
  [[nodiscard]] Error failed(std::string_view what) const;

 private:
  ViciSocket(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  std::string path_;
  UniqueFd fd_;
  std::string out_;           // not sent yet
  std::string in_;            // received, not taken yet
  std::size_t taken_ = 0;     // of in_
  std::size_t received_ = 0;  // in all
};

}  // namespace espial
