// SPDX-License-Identifier: Apache-2.0
#include "model/traffic/verdict.h"

#include <algorithm>

namespace espial {

namespace {

std::string count(std::uint64_t packets) {
  return std::to_string(packets) + (packets == 1 ? " packet" : " packets");
}

struct Numbers {
  Traffic receive;
  Traffic transmit;
  std::array<std::uint64_t, kDirections> dropped;
  std::string span;  // "in 60 s"
};

std::string in_clear(const Numbers& n, const PeerWindow& window) {
  if (n.receive.unprotected + n.transmit.unprotected > 0)
    return count(n.receive.unprotected) + " received, " + std::to_string(n.transmit.unprotected) +
           " sent in clear";
  const auto& seen = window.unprotected_before;
  const bool received = seen[at(Direction::RECEIVE)].has_value();
  const auto age = received ? *seen[at(Direction::RECEIVE)] : *seen[at(Direction::TRANSMIT)];
  return std::string(received ? "received" : "sent") + " in clear " + seconds_text(age) +
         " ago, before this history";
}

Judgement judge_clear(const Numbers& n, const PeerWindow& window) {
  const std::string clear = in_clear(n, window);
  if (n.receive.encrypted + n.transmit.encrypted == 0)
    return {Verdict::kLeaking, clear + ", no ESP " + n.span};
  return {Verdict::kMixed, clear + "; " + std::to_string(n.receive.encrypted) + " received, " +
                               std::to_string(n.transmit.encrypted) + " sent encrypted " + n.span};
}

Judgement judge_protected(const Numbers& n) {
  const bool received = n.receive.encrypted > 0;
  const bool sent = n.transmit.encrypted > 0;
  if (received && sent)
    return {Verdict::kEncrypted, count(n.receive.encrypted) + " received, " +
                                     std::to_string(n.transmit.encrypted) +
                                     " sent, all encrypted " + n.span};
  if (received)
    return {Verdict::kOneWay,
            count(n.receive.encrypted) + " received encrypted, none sent " + n.span};
  if (sent)
    return {Verdict::kOneWay,
            count(n.transmit.encrypted) + " sent encrypted, none received " + n.span};
  const bool dropped = n.dropped[at(Direction::TRANSMIT)] > 0;
  return {Verdict::kSilent, (dropped ? "no packets on the wire " : "no packet ") + n.span};
}

// What the programs saw and the verdict, which is about the wire, may not show.
std::string dropped_text(const Numbers& n) {
  const std::uint64_t received = n.dropped[at(Direction::RECEIVE)];
  const std::uint64_t sent = n.dropped[at(Direction::TRANSMIT)];
  if (received + sent == 0) return {};
  return "; dropped " + std::to_string(received) + " received, " + std::to_string(sent) +
         " about to be sent";
}

// Neither encrypted nor leaking can be said.
Judgement judge_offloaded(const Numbers& n, std::uint64_t sent) {
  return {Verdict::kUnknown, "offloaded: " + count(sent) +
                                 " sent that the device encrypts after tc, which sees them in "
                                 "clear; only a capture outside this node can prove it; " +
                                 std::to_string(n.receive.encrypted) + " received encrypted " +
                                 n.span};
}

Judgement judge_numbers(const Numbers& n, const PeerWindow& window, const Visibility& visibility) {
  const auto& before = window.unprotected_before;
  if (n.receive.unprotected + n.transmit.unprotected > 0 ||
      std::any_of(before.begin(), before.end(), [](const auto& age) { return age.has_value(); }))
    return judge_clear(n, window);
  if (const auto sent = window.growth.direction[at(Direction::TRANSMIT)].offloaded; sent > 0)
    return judge_offloaded(n, sent);
  if (!visibility.direction[at(Direction::RECEIVE)])
    return {Verdict::kUnknown, "no wire device is watched in receive direction"};
  if (!visibility.direction[at(Direction::TRANSMIT)])
    return {Verdict::kUnknown, "no wire device is watched in transmit direction"};
  if (window.covered.count() == 0) return {Verdict::kUnknown, "first snapshot, no history yet"};
  return judge_protected(n);
}

// What the policies would do, where the wire is silent.
void ask_policies(const PeerAudit& audit, Judgement& judgement) {
  const bool exposed = audit.verdict == PairVerdict::kExposed;
  if (!exposed &&
      (audit.verdict != PairVerdict::kFailClosed || judgement.verdict == Verdict::kUnknown))
    return;
  for (const PairAudit& pair : audit.pairs) {
    if (pair.verdict != audit.verdict || pair.findings.empty()) continue;
    judgement.verdict = exposed ? Verdict::kExposed : Verdict::kDown;
    judgement.reason = pair.own.text() + " > " + pair.theirs.text() + ": " +
                       pair.findings.front().evidence + "; " + judgement.reason;
    return;
  }
}

}  // namespace

Visibility visibility_of(const std::vector<DeviceSnapshot>& devices) {
  Visibility visibility;
  for (const DeviceSnapshot& device : devices) {
    if (device.role == DeviceRole::kReentry) continue;
    visibility.direction[at(Direction::RECEIVE)] |= device.receive_attached;
    visibility.direction[at(Direction::TRANSMIT)] |= device.transmit_attached;
  }
  return visibility;
}

std::string seconds_text(std::chrono::nanoseconds duration) {
  const auto seconds = std::chrono::round<std::chrono::seconds>(duration).count();
  return std::to_string(std::max<std::int64_t>(seconds, 1)) + " s";
}

std::string packets_text(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " packet" : " packets");
}

Judgement judge(const PeerWindow& window, const Visibility& visibility, const PeerAudit* audit) {
  if (!visibility.direction[at(Direction::RECEIVE)] &&
      !visibility.direction[at(Direction::TRANSMIT)])
    return {Verdict::kUnknown, "no wire device carries espial's programs"};
  Numbers n{.receive = traffic_of(window.growth, Direction::RECEIVE),
            .transmit = traffic_of(window.growth, Direction::TRANSMIT),
            .dropped = {},
            .span = "in " + seconds_text(window.covered)};
  for (std::size_t d = 0; d < kDirections; ++d)
    n.dropped[d] = enforced_of(window.growth, Action::kDrop, static_cast<Direction>(d));
  Judgement judgement = judge_numbers(n, window, visibility);
  judgement.reason += dropped_text(n);
  const bool wordless =
      judgement.verdict == Verdict::kSilent || judgement.verdict == Verdict::kUnknown;
  if (audit != nullptr && wordless) ask_policies(*audit, judgement);
  return judgement;
}

}  // namespace espial
