// SPDX-License-Identifier: Apache-2.0
// The words of the product as C++ enums, built from the same lists as the BPF programs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/ip.h"
#include "labels.h"  // bpf/labels.h: lists only, no layout

namespace espial {

enum class Coverage : std::uint8_t { ENCRYPTED, UNPROTECTED, NEUTRAL };

#define EP_X_(name, ...) name,
enum class Class : std::uint8_t { EP_CLASS_LIST(EP_X_) };
enum class Outcome : std::uint8_t { EP_OUTCOME_LIST(EP_X_) };
enum class Lost : std::uint8_t { EP_LOST_LIST(EP_X_) };
enum class Direction : std::uint8_t { EP_DIRECTION_LIST(EP_X_) };
enum class Reason : std::uint8_t { EP_REASON_LIST(EP_X_) };        // of enforcement's rows
enum class Exemption : std::uint8_t { EP_EXEMPTION_LIST(EP_X_) };  // why one passes all the same
enum class Mode : std::uint8_t { EP_MODE_LIST(EP_X_) };            // by strength
enum class Hook : std::uint8_t { EP_HOOK_LIST(EP_X_) };            // of netfilter
#undef EP_X_

inline constexpr std::size_t kClasses = 0 EP_CLASS_LIST(EP_ENUM_COUNT_);
inline constexpr std::size_t kOutcomes = 0 EP_OUTCOME_LIST(EP_ENUM_COUNT_);
inline constexpr std::size_t kLosts = 0 EP_LOST_LIST(EP_ENUM_COUNT_);
inline constexpr std::size_t kDirections = 0 EP_DIRECTION_LIST(EP_ENUM_COUNT_);
inline constexpr std::size_t kReasons = 0 EP_REASON_LIST(EP_ENUM_COUNT_);
inline constexpr std::size_t kExemptions = 0 EP_EXEMPTION_LIST(EP_ENUM_COUNT_);
inline constexpr std::size_t kModes = 0 EP_MODE_LIST(EP_ENUM_COUNT_);
inline constexpr std::size_t kHooks = 0 EP_HOOK_LIST(EP_ENUM_COUNT_);
inline constexpr std::size_t kFamilies = 2;
inline constexpr std::array kFamilyList{Family::kIpv4, Family::kIpv6};  // by index

#define EP_X_(name, label, ...) label,
inline constexpr std::array<std::string_view, kClasses> kClassLabels { EP_CLASS_LIST(EP_X_) };
inline constexpr std::array<std::string_view, kOutcomes> kOutcomeLabels { EP_OUTCOME_LIST(EP_X_) };
inline constexpr std::array<std::string_view, kLosts> kLostLabels{EP_LOST_LIST(EP_X_)};
inline constexpr std::array<std::string_view, kDirections> kDirectionLabels{
    EP_DIRECTION_LIST(EP_X_)};
inline constexpr std::array<std::string_view, kReasons> kReasonLabels{EP_REASON_LIST(EP_X_)};
inline constexpr std::array<std::string_view, kExemptions> kExemptionLabels{
    EP_EXEMPTION_LIST(EP_X_)};
inline constexpr std::array<std::string_view, kModes> kModeLabels{EP_MODE_LIST(EP_X_)};
inline constexpr std::array<std::string_view, kHooks> kHookLabels{EP_HOOK_LIST(EP_X_)};
#undef EP_X_
#define EP_X_(name, label, kind) Coverage::kind,
inline constexpr std::array<Coverage, kClasses> kClassCoverage { EP_CLASS_LIST(EP_X_) };
#undef EP_X_

constexpr std::string_view to_string(Class c) { return kClassLabels[static_cast<std::size_t>(c)]; }
constexpr std::string_view to_string(Outcome o) {
  return kOutcomeLabels[static_cast<std::size_t>(o)];
}
constexpr std::string_view to_string(Lost l) { return kLostLabels[static_cast<std::size_t>(l)]; }
constexpr std::string_view to_string(Direction d) {
  return kDirectionLabels[static_cast<std::size_t>(d)];
}
constexpr std::string_view to_string(Reason r) {
  return kReasonLabels[static_cast<std::size_t>(r)];
}
constexpr std::string_view to_string(Exemption e) {
  return kExemptionLabels[static_cast<std::size_t>(e)];
}
constexpr std::string_view to_string(Mode m) { return kModeLabels[static_cast<std::size_t>(m)]; }
constexpr std::string_view to_string(Hook h) { return kHookLabels[static_cast<std::size_t>(h)]; }
constexpr Coverage coverage_of(Class c) { return kClassCoverage[static_cast<std::size_t>(c)]; }

// Which rows of enforcement there are (bpf/enforce.h): only what was received can be spoofed, only
// what is sent can be in transit, sent again or of no SA. An unknown node is no peer; what is
// spoofed or not readable may be of a peer or of nobody.
constexpr bool occurs(Reason reason, Direction direction, bool of_a_peer) {
  const bool of_either = reason == Reason::SPOOFED || reason == Reason::TOO_DEEP;
  if (!of_either && (reason == Reason::UNKNOWN_NODE) == of_a_peer) return false;
  if (reason == Reason::SPOOFED) return direction == Direction::RECEIVE;
  if (reason == Reason::CLEARTEXT_TRANSIT || reason == Reason::CLEARTEXT_RESENT ||
      reason == Reason::ESP_FOREIGN)
    return direction == Direction::TRANSMIT;
  return true;
}
// Which classes a direction has: only what arrives can be under another's address, only what leaves
// can have been decrypted here before.
constexpr bool occurs(Class klass, Direction direction) {
  if (klass == Class::CLEARTEXT_SPOOFED) return direction == Direction::RECEIVE;
  return klass != Class::CLEARTEXT_RESENT || direction == Direction::TRANSMIT;
}
// Path MTU messages are exempt on the rows of hosts and transit only: those have a peer.
constexpr bool occurs(Exemption exemption, bool of_a_peer) {
  return of_a_peer || exemption != Exemption::PMTU;
}

}  // namespace espial
