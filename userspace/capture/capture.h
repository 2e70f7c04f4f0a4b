// SPDX-License-Identifier: Apache-2.0
// CaptureReader: frames of a pcap or pcapng file, one after the other.
//
// Link types: Ethernet, raw IP, Linux cooked v1 and v2, BSD loopback. A cooked frame is handed on
// with an Ethernet header in place of the cooked one, so that its ethertype, its VLAN tags and
// whether it was sent to a group are judged like any other's (libpcap, pcap-linktype(7)).
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

struct pcap;

namespace espial {

enum class LinkKind : std::uint8_t { kEthernet, kRawIp };

struct CapturedFrame {
  std::span<const std::uint8_t> bytes;  // valid until the next frame is read
  LinkKind link = LinkKind::kEthernet;
  std::size_t original_length = 0;  // on the wire, counted as `bytes` are; never below their size
  std::chrono::nanoseconds time{};  // since the epoch
  int interface = 0;                // ifindex where the capture says it (cooked v2), else 0

  // The capture kept only the beginning of this frame.
  [[nodiscard]] bool cut() const { return original_length > bytes.size(); }
};

class CaptureReader {
 public:
  // "-" is standard input. Errors: kUnable when the file cannot be read, kUsage when it is no
  // capture or has another link type.
  static Result<CaptureReader> open(const std::string& path);
  // Takes the stream; `name` is only quoted.
  static Result<CaptureReader> from_stream(std::FILE* stream, const std::string& name);

  CaptureReader(CaptureReader&&) noexcept = default;
  CaptureReader& operator=(CaptureReader&&) noexcept = default;

  // The next frame; nothing at the end. An error (a damaged or cut-off file, kUsage) ends the file.
  Result<std::optional<CapturedFrame>> next();

 private:
  struct Close {
    void operator()(pcap* handle) const;
  };
  enum class Header : std::uint8_t { kEthernet, kRawIp, kCooked1, kCooked2, kLoopback };
  static std::optional<Header> header_of(int datalink);

  CaptureReader() = default;
  CapturedFrame cooked(std::span<const std::uint8_t> bytes, std::size_t original_length);
  CapturedFrame loopback(std::span<const std::uint8_t> bytes, std::size_t original_length);
  CapturedFrame behind_ethernet(std::span<const std::uint8_t> payload, std::size_t original_length,
                                std::uint16_t ethertype, std::uint8_t first_destination_byte);

  std::string name_;
  std::unique_ptr<pcap, Close> handle_;
  Header header_ = Header::kEthernet;
  std::uint64_t count_ = 0;
  std::vector<std::uint8_t> rebuilt_;  // the frame with its Ethernet header
};

}  // namespace espial
