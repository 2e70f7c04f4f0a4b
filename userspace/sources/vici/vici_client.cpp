// SPDX-License-Identifier: Apache-2.0
#include "sources/vici/vici_client.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/printable.h"
#include "sources/vici/vici_message.h"
#include "sources/vici/vici_parse.h"

namespace espial {
namespace {

constexpr std::array<const char*, 2> kUsualPlaces{"/run/charon.vici", "/var/run/charon.vici"};
constexpr int kViciTurns = 16;  // pieces of one advance(): others want their turn, too

// What is asked, in this order. A command without an event answers at once.
struct Command {
  std::string_view name;
  std::string_view event;
  void (*add)(const ViciSection&, CharonFacts&);
};
constexpr std::array<Command, 4> kCommands{{
    {"version", "", nullptr},
    {"list-conns", "list-conn", add_vici_connections},
    {"list-sas", "list-sa", add_vici_sas},
    {"list-policies", "list-policy", add_charon_policies},
}};

ViciSection arguments_of(const Command& command) {
  if (command.name != "list-policies") return {};
  return {{{"trap", "yes"}, {"pass", "yes"}, {"drop", "yes"}}, {}, {}};
}

}  // namespace

std::optional<std::string> find_vici_socket(std::string_view choice) {
  if (choice == "off") return std::nullopt;
  if (choice != "auto") return std::string(choice);
  for (const char* place : kUsualPlaces)
    if (::access(place, F_OK) == 0) return place;
  return std::nullopt;
}

ViciClient::ViciClient(ViciSocket socket) : socket_(std::move(socket)) { ask(); }

Result<ViciClient> ViciClient::open(const std::string& path) {
  EP_ASSIGN(socket, ViciSocket::open(path));
  return ViciClient(std::move(socket));
}

// Writes the next thing to say: the registration of an event, or the command itself.
void ViciClient::ask() {
  const auto& command = kCommands[step_];
  registered_ = registered_ || command.event.empty();
  socket_.say(registered_
                  ? vici_packet(ViciPacketType::kRequest, command.name, arguments_of(command))
                  : vici_packet(ViciPacketType::kRegister, command.event, {}));
}

Result<bool> ViciClient::advance() {
  bool more = true;
  for (int turn = 0; more && turn < kViciTurns; ++turn) {
    EP_TRY(socket_.send());
    EP_ASSIGN(received, socket_.receive());
    if (socket_.received() > kMaxViciAnswer)
      return socket_.failed("read the answer: more than 32 MiB");
    more = received;
    EP_TRY(parse());
    if (step_ == kCommands.size()) {
      facts_.readable = true;
      return true;
    }
  }
  EP_TRY(socket_.send());
  return false;
}

// Every whole packet that is there.
Status ViciClient::parse() {
  while (step_ < kCommands.size()) {
    EP_ASSIGN(packet, socket_.packet());
    if (!packet) break;
    if (auto status = on_packet(*packet); !status.ok())
      return socket_.failed(status.error().message);
  }
  return Ok{};
}

Status ViciClient::on_packet(std::string_view bytes) {
  EP_ASSIGN(packet, parse_vici_packet(bytes));
  const auto& command = kCommands[step_];
  switch (packet.type) {
    case ViciPacketType::kConfirm:
      if (registered_) break;
      registered_ = true;
      ask();
      return Ok{};
    case ViciPacketType::kEvent: {
      if (!registered_ || packet.name != command.event) break;
      EP_ASSIGN(event, decode_vici(packet.message));
      command.add(event, facts_);
      return Ok{};
    }
    case ViciPacketType::kResponse: {
      if (!registered_) break;
      EP_ASSIGN(answer, decode_vici(packet.message));
      if (command.event.empty()) facts_.version = answer.value("version");
      registered_ = false;
      if (++step_ < kCommands.size()) ask();
      return Ok{};
    }
    case ViciPacketType::kUnknownCommand:
    case ViciPacketType::kUnknownEvent:
      return Error{std::string(command.name) +
                   ": charon does not know this command (is it too old?)"};
    case ViciPacketType::kRequest:
    case ViciPacketType::kRegister:
    case ViciPacketType::kUnregister:
      break;
  }
  return Error{std::string(command.name) + ": an unexpected answer (is this charon?)"};
}

CharonFacts read_charon(const std::string& path, std::chrono::milliseconds deadline) {
  const auto until = std::chrono::steady_clock::now() + deadline;
  const auto unreadable = [](Error error) {
    CharonFacts facts;
    facts.reason = std::move(error.message);
    return facts;
  };
  auto client = ViciClient::open(path);
  if (!client.ok()) return unreadable(std::move(client).error());
  for (;;) {
    const auto done = client->advance();
    if (!done.ok()) return unreadable(done.error());
    if (*done) return client->take();
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                          until - std::chrono::steady_clock::now())
                          .count();
    if (left <= 0)
      return unreadable(Error{printable(path) + ": no answer in time (charon is busy or hangs)"});
    pollfd entry{client->fd(), client->events(), 0};
    if (::poll(&entry, 1, static_cast<int>(std::min<decltype(left)>(left, 60000))) < 0 &&
        errno != EINTR)
      return unreadable(Error{printable(path) + ": wait: " + std::strerror(errno)});
  }
}

}  // namespace espial
