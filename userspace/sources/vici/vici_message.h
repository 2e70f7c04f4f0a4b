// SPDX-License-Identifier: Apache-2.0
// Messages and packets of strongSwan's VICI protocol (src/libcharon/plugins/vici/README.md there):
// bytes of a peer that may be anything become values or an error, never more than the limits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace espial {

inline constexpr std::size_t kMaxViciPacket = std::size_t{512} << 10;  // the protocol's own limit
inline constexpr std::size_t kMaxViciDepth = 16;                       // sections in sections
inline constexpr std::size_t kMaxViciElements = 65536;                 // of one message

struct ViciNamedSection;

// A section, the root included. Values are blobs; their order is kept. Names may come twice.
struct ViciSection {
  std::vector<std::pair<std::string, std::string>> values;
  std::vector<std::pair<std::string, std::vector<std::string>>> lists;
  std::vector<ViciNamedSection> sections;

  // The first of that name; empty when there is none.
  [[nodiscard]] std::string_view value(std::string_view name) const;
  [[nodiscard]] const std::vector<std::string>& list(std::string_view name) const;
  [[nodiscard]] const ViciSection& section(std::string_view name) const;
  bool operator==(const ViciSection& other) const;
};

struct ViciNamedSection {
  std::string name;
  ViciSection section;
  bool operator==(const ViciNamedSection&) const = default;
};

Result<ViciSection> decode_vici(std::string_view bytes);
// Names longer than 255 bytes and values longer than 65535 are cut: ours never are.
std::string encode_vici(const ViciSection& message);

enum class ViciPacketType : std::uint8_t {
  kRequest,
  kResponse,
  kUnknownCommand,
  kRegister,
  kUnregister,
  kConfirm,
  kUnknownEvent,
  kEvent,
};

struct ViciPacket {
  ViciPacketType type = ViciPacketType::kRequest;
  std::string_view name;  // of requests, registrations and events; points into the packet
  std::string_view message;
};

// A packet without its length header.
Result<ViciPacket> parse_vici_packet(std::string_view bytes);
// With its length header, ready to be sent.
std::string vici_packet(ViciPacketType type, std::string_view name, const ViciSection& message);

}  // namespace espial
