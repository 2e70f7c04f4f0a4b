// SPDX-License-Identifier: Apache-2.0
#include "sources/vici_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/printable.h"
#include "sources/vici_message.h"
#include "sources/vici_parse.h"

namespace espial {
namespace {

constexpr std::array<const char*, 2> kUsualPlaces{"/run/charon.vici", "/var/run/charon.vici"};
constexpr std::size_t kHeader = 4;
constexpr int kTurns = 16;  // pieces of one advance(): others want their turn, too

// What is asked, in this order. A command without an event answers at once.
struct Command {
  std::string_view name;
  std::string_view event;
  void (*add)(const ViciSection&, ViciFacts&);
};
constexpr std::array<Command, 4> kCommands{{
    {"version", "", nullptr},
    {"list-conns", "list-conn", add_vici_connections},
    {"list-sas", "list-sa", add_vici_sas},
    {"list-policies", "list-policy", add_vici_policies},
}};

ViciSection arguments_of(const Command& command) {
  if (command.name != "list-policies") return {};
  return {{{"trap", "yes"}, {"pass", "yes"}, {"drop", "yes"}}, {}, {}};
}

Error vici_error(const std::string& path, std::string_view what) {
  return Error{printable(path) + ": " + std::string(what)};
}

Error system_error(const std::string& path, std::string_view operation, int code) {
  std::string hint;
  if (code == ENOENT || code == ECONNREFUSED) hint = " (charon does not run, or listens elsewhere)";
  if (code == EACCES || code == EPERM) hint = " (run as root)";
  if (code == EAGAIN) hint = " (charon is busy)";
  return vici_error(path, std::string(operation) + ": " + std::strerror(code) + hint);
}

}  // namespace

std::optional<std::string> find_vici_socket(std::string_view choice) {
  if (choice == "off") return std::nullopt;
  if (choice != "auto") return std::string(choice);
  for (const char* place : kUsualPlaces)
    if (::access(place, F_OK) == 0) return place;
  return std::nullopt;
}

ViciClient::ViciClient(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {
  ask();
}

Result<ViciClient> ViciClient::open(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return system_error(path, "connect", ENAMETOOLONG);
  std::copy(path.begin(), path.end(), address.sun_path);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return system_error(path, "create a socket", errno);
  // A unix socket is connected at once or not at all.
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return system_error(path, "connect", errno);
  return ViciClient(path, std::move(fd));
}

Error ViciClient::failed(std::string_view what) const { return vici_error(path_, what); }

short ViciClient::events() const { return out_.empty() ? POLLIN : POLLIN | POLLOUT; }

// Writes the next thing to say: the registration of an event, or the command itself.
void ViciClient::ask() {
  const auto& command = kCommands[step_];
  registered_ = registered_ || command.event.empty();
  out_ += registered_ ? vici_packet(ViciPacketType::kRequest, command.name, arguments_of(command))
                      : vici_packet(ViciPacketType::kRegister, command.event, {});
}

Result<bool> ViciClient::advance() {
  bool more = true;
  for (int turn = 0; more && turn < kTurns; ++turn) {
    EP_TRY(send());
    EP_ASSIGN(received, receive());
    more = received;
    EP_TRY(parse());
    if (step_ == kCommands.size()) {
      facts_.readable = true;
      return true;
    }
  }
  EP_TRY(send());
  return false;
}

Status ViciClient::send() {
  while (!out_.empty()) {
    const auto sent = ::send(fd_.get(), out_.data(), out_.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      out_.erase(0, static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      return Ok{};
    } else if (errno != EINTR) {
      return system_error(path_, "send a request", errno);
    }
  }
  return Ok{};
}

// One piece. False: nothing is there now.
Result<bool> ViciClient::receive() {
  std::array<char, 65536> buffer{};
  for (;;) {
    const auto got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got == 0) return failed("read the answer: charon closed the connection");
    if (got > 0) {
      received_ += static_cast<std::size_t>(got);
      if (received_ > kMaxViciAnswer) return failed("read the answer: more than 32 MiB");
      in_.append(buffer.data(), static_cast<std::size_t>(got));
      return true;
    }
    if (errno == EAGAIN) return false;
    if (errno != EINTR) return system_error(path_, "read the answer", errno);
  }
}

// Every whole packet that is there.
Status ViciClient::parse() {
  std::size_t at = 0;
  while (step_ < kCommands.size() && in_.size() - at >= kHeader) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < kHeader; ++i)
      length = length << 8 | static_cast<std::uint8_t>(in_[at + i]);
    if (length > kMaxViciPacket)
      return failed("read the answer: a packet of " + std::to_string(length) +
                    " bytes (is this charon?)");
    if (in_.size() - at - kHeader < length) break;
    if (auto status = on_packet(std::string_view(in_).substr(at + kHeader, length)); !status.ok())
      return std::move(status).error().wrap(printable(path_));
    at += kHeader + length;
  }
  in_.erase(0, at);
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
      return Error{std::string(command.name) + ": charon does not know it (is it too old?)"};
    case ViciPacketType::kRequest:
    case ViciPacketType::kRegister:
    case ViciPacketType::kUnregister:
      break;
  }
  return Error{std::string(command.name) + ": an answer that was not asked for (is this charon?)"};
}

ViciFacts read_vici(const std::string& path, std::chrono::milliseconds deadline) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + deadline;
  const auto unreadable = [](Error error) {
    ViciFacts facts;
    facts.reason = std::move(error.message);
    return facts;
  };
  auto client = ViciClient::open(path);
  if (!client.ok()) return unreadable(std::move(client).error());
  for (;;) {
    const auto done = client->advance();
    if (!done.ok()) return unreadable(done.error());
    if (*done) return client->take();
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0)
      return unreadable(vici_error(path, "no answer in time (charon is busy or hangs)"));
    pollfd entry{client->fd(), client->events(), 0};
    if (::poll(&entry, 1, static_cast<int>(std::min<decltype(left)>(left, 60000))) < 0 &&
        errno != EINTR)
      return unreadable(system_error(path, "wait", errno));
  }
}

}  // namespace espial
