// SPDX-License-Identifier: Apache-2.0
#include "capture/capture.h"

#include <pcap/pcap.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/printable.h"
#include "base/system_error.h"

namespace espial {
namespace {

constexpr std::size_t kEthernetHeader = 14;
constexpr std::size_t kCooked1Header = 16;
constexpr std::size_t kCooked2Header = 20;
constexpr std::size_t kLoopbackHeader = 4;

// Packet types of a cooked header (linux/if_packet.h).
constexpr std::uint8_t kPacketBroadcast = 1;
constexpr std::uint8_t kPacketMulticast = 2;
// Device type whose "protocol" is a netlink family, no ethertype (linux/if_arp.h).
constexpr std::uint16_t kArphrdNetlink = 824;

std::uint16_t read16(std::span<const std::uint8_t> b, std::size_t at) {
  return static_cast<std::uint16_t>(b[at] << 8 | b[at + 1]);
}

std::size_t without(std::size_t length, std::size_t header) {
  return length > header ? length - header : 0;
}

std::string datalink_text(int datalink) {
  const char* name = pcap_datalink_val_to_name(datalink);
  return "link type " + std::to_string(datalink) + (name ? std::string(" (") + name + ")" : "");
}

}  // namespace

void CaptureReader::Close::operator()(pcap* handle) const { pcap_close(handle); }

std::optional<CaptureReader::Header> CaptureReader::header_of(int datalink) {
  switch (datalink) {
    case DLT_EN10MB:
      return Header::kEthernet;
    case DLT_RAW:
    case 101:  // LINKTYPE_RAW, should a file's number come through unmapped
    case DLT_IPV4:
    case DLT_IPV6:
      return Header::kRawIp;
    case DLT_LINUX_SLL:
      return Header::kCooked1;
    case DLT_LINUX_SLL2:
      return Header::kCooked2;
    case DLT_NULL:
    case DLT_LOOP:
      return Header::kLoopback;
    default:
      return std::nullopt;
  }
}

Result<CaptureReader> CaptureReader::open(const std::string& path) {
  if (path == "-") return from_stream(stdin, "standard input");
  std::FILE* stream = std::fopen(path.c_str(), "rbe");
  if (stream == nullptr) return system_error(path, "open", errno);
  return from_stream(stream, path);
}

Result<CaptureReader> CaptureReader::from_stream(std::FILE* stream, const std::string& name) {
  CaptureReader reader;
  reader.name_ = printable(name);
  std::array<char, PCAP_ERRBUF_SIZE> why{};
  reader.handle_.reset(
      pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO, why.data()));
  if (!reader.handle_) {
    const bool unreadable = std::ferror(stream) != 0;
    if (stream != stdin) std::fclose(stream);
    return Error{reader.name_ + ": read capture: " + printable(why.data()),
                 unreadable ? Failure::kUnable : Failure::kUsage};
  }
  const int datalink = pcap_datalink(reader.handle_.get());
  const auto header = header_of(datalink);
  if (!header)
    return Error{reader.name_ + ": " + datalink_text(datalink) +
                     ": not supported (capture Ethernet, raw IP or Linux cooked frames)",
                 Failure::kUsage};
  reader.header_ = *header;
  return reader;
}

Result<std::optional<CapturedFrame>> CaptureReader::next() {
  pcap_pkthdr* info = nullptr;
  const u_char* data = nullptr;
  const int status = pcap_next_ex(handle_.get(), &info, &data);
  if (status == PCAP_ERROR_BREAK) return std::optional<CapturedFrame>{};
  if (status != 1)
    return Error{name_ + ": read frame " + std::to_string(count_ + 1) + ": " +
                     printable(pcap_geterr(handle_.get())),
                 Failure::kUsage};
  ++count_;
  const std::span<const std::uint8_t> bytes(data, info->caplen);
  const std::size_t original = std::max<std::size_t>(info->len, info->caplen);
  CapturedFrame frame;
  switch (header_) {
    case Header::kEthernet:
      frame = {bytes, LinkKind::kEthernet, original, {}, 0};
      break;
    case Header::kRawIp:
      frame = {bytes, LinkKind::kRawIp, original, {}, 0};
      break;
    case Header::kCooked1:
    case Header::kCooked2:
      frame = cooked(bytes, original);
      break;
    case Header::kLoopback:
      frame = loopback(bytes, original);
      break;
  }
  // With nanosecond precision libpcap stores nanoseconds in tv_usec.
  frame.time = std::chrono::seconds(info->ts.tv_sec) + std::chrono::nanoseconds(info->ts.tv_usec);
  return std::optional(frame);
}

CapturedFrame CaptureReader::cooked(std::span<const std::uint8_t> bytes, std::size_t original) {
  const bool second = header_ == Header::kCooked2;
  const std::size_t header = second ? kCooked2Header : kCooked1Header;
  if (bytes.size() < header) return {{}, LinkKind::kEthernet, 0, {}, 0};
  const std::uint16_t device_type = read16(bytes, second ? 8 : 2);
  const unsigned packet_type = second ? bytes[10] : read16(bytes, 0);
  std::uint16_t protocol = read16(bytes, second ? 0 : 14);
  if (device_type == kArphrdNetlink) protocol = 0;
  const bool group = packet_type == kPacketBroadcast || packet_type == kPacketMulticast;
  auto frame = behind_ethernet(bytes.subspan(header), without(original, header), protocol,
                               group ? 0x01 : 0x02);
  if (second) frame.interface = static_cast<int>(read16(bytes, 4) << 16 | read16(bytes, 6));
  return frame;
}

CapturedFrame CaptureReader::loopback(std::span<const std::uint8_t> bytes, std::size_t original) {
  if (bytes.size() < kLoopbackHeader) return {{}, LinkKind::kEthernet, 0, {}, 0};
  const auto payload = bytes.subspan(kLoopbackHeader);
  const std::size_t length = without(original, kLoopbackHeader);
  // An address family below 256 in the capturing machine's byte order, or in network order.
  const unsigned family = bytes[0] != 0 ? bytes[0] : bytes[3];
  const bool ip = family == 2 || family == 10 || family == 24 || family == 28 || family == 30;
  if (ip) return {payload, LinkKind::kRawIp, length, {}, 0};
  return behind_ethernet(payload, length, 0, 0x02);
}

CapturedFrame CaptureReader::behind_ethernet(std::span<const std::uint8_t> payload,
                                             std::size_t original_length, std::uint16_t ethertype,
                                             std::uint8_t first_destination_byte) {
  rebuilt_.assign(kEthernetHeader, 0);
  rebuilt_[0] = first_destination_byte;
  rebuilt_[12] = static_cast<std::uint8_t>(ethertype >> 8);
  rebuilt_[13] = static_cast<std::uint8_t>(ethertype & 0xff);
  rebuilt_.insert(rebuilt_.end(), payload.begin(), payload.end());
  return {rebuilt_, LinkKind::kEthernet, kEthernetHeader + original_length, {}, 0};
}

}  // namespace espial
