// SPDX-License-Identifier: Apache-2.0
// ViciLog: charon's log as it writes it (VICI's "log" event), on a connection of its own, without
// ever waiting. charon's own configuration stays as it is: any client may listen.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "model/facts/ike_troubles.h"
#include "sources/vici/vici_socket.h"

namespace espial {

class ViciLog {
 public:
  using Sink = std::function<void(const CharonLine&)>;

  static Result<ViciLog> open(const std::string& path);

  [[nodiscard]] int fd() const { return socket_.fd(); }  // readable when advance() should be called
  // What is there now, a few hundred lines at a time. An error ends this connection.
  Status advance(const Sink& sink);

 private:
  explicit ViciLog(ViciSocket socket) : socket_(std::move(socket)) {}

  ViciSocket socket_;
};

}  // namespace espial
