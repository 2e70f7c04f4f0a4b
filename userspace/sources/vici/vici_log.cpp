// SPDX-License-Identifier: Apache-2.0
#include "sources/vici/vici_log.h"

#include <poll.h>

#include "sources/vici/vici_message.h"

namespace espial {
namespace {

constexpr int kPieces = 4;  // of one advance(): others want their turn, too

Status take(const std::string& bytes, const ViciLog::Sink& sink) {
  EP_ASSIGN(packet, parse_vici_packet(bytes));
  if (packet.type == ViciPacketType::kConfirm) return Ok{};
  if (packet.type != ViciPacketType::kEvent || packet.name != "log")
    return Error{"log: an unexpected answer (is this charon?)"};
  EP_ASSIGN(event, decode_vici(packet.message));
  sink({std::string(event.value("ikesa-name")), std::string(event.value("ikesa-uniqueid")),
        std::string(event.value("msg"))});
  return Ok{};
}

}  // namespace

Result<ViciLog> ViciLog::open(const std::string& path) {
  EP_ASSIGN(socket, ViciSocket::open(path));
  socket.say(vici_packet(ViciPacketType::kRegister, "log", {}));
  EP_TRY(socket.send());
  // Twenty bytes into a fresh socket.
  if ((socket.events() & POLLOUT) != 0) return socket.failed("send a request: charon is busy");
  return ViciLog(std::move(socket));
}

Status ViciLog::advance(const Sink& sink) {
  for (int piece = 0; piece < kPieces; ++piece) {
    EP_ASSIGN(more, socket_.receive());
    for (;;) {
      EP_ASSIGN(packet, socket_.packet());
      if (!packet) break;
      if (auto status = take(*packet, sink); !status.ok())
        return socket_.failed(status.error().message);
    }
    if (!more) break;
  }
  return Ok{};
}

}  // namespace espial
