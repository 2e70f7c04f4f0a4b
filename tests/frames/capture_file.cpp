// SPDX-License-Identifier: Apache-2.0
#include "frames/capture_file.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace espial::frames {
namespace {

void append16(Bytes& out, std::uint32_t v, bool big) {
  const auto high = static_cast<std::uint8_t>(v >> 8 & 0xff);
  const auto low = static_cast<std::uint8_t>(v & 0xff);
  out.push_back(big ? high : low);
  out.push_back(big ? low : high);
}
void append32(Bytes& out, std::uint32_t v, bool big) {
  append16(out, big ? v >> 16 : v & 0xffff, big);
  append16(out, big ? v & 0xffff : v >> 16, big);
}

}  // namespace

void CaptureFile::put16(std::uint32_t v) { append16(bytes_, v, format_ == Format::kPcapSwapped); }
void CaptureFile::put32(std::uint32_t v) { append32(bytes_, v, format_ == Format::kPcapSwapped); }

void CaptureFile::add_block(std::uint32_t type, const Bytes& body) {
  const std::size_t padding = (4 - body.size() % 4) % 4;
  const auto length = static_cast<std::uint32_t>(12 + body.size() + padding);
  put32(type);
  put32(length);
  bytes_.insert(bytes_.end(), body.begin(), body.end());
  bytes_.resize(bytes_.size() + padding);
  put32(length);
}

CaptureFile::CaptureFile(Format format, std::uint32_t link_type) : format_(format) {
  if (format == Format::kPcapng) {
    Bytes section;
    append32(section, 0x1a2b3c4d, false);
    append16(section, 1, false);
    append16(section, 0, false);
    append32(section, 0xffffffff, false);
    append32(section, 0xffffffff, false);
    add_block(0x0a0d0d0a, section);
    Bytes interface;
    append16(interface, link_type, false);
    append16(interface, 0, false);
    append32(interface, 262144, false);
    add_block(1, interface);
    return;
  }
  put32(format == Format::kPcapNano ? 0xa1b23c4d : 0xa1b2c3d4);
  put16(2);
  put16(4);
  put32(0);
  put32(0);
  put32(262144);
  put32(link_type);
}

void CaptureFile::add(const Bytes& frame, std::optional<std::size_t> captured) {
  const auto kept = static_cast<std::uint32_t>(std::min(frame.size(), captured.value_or(SIZE_MAX)));
  const auto length = static_cast<std::uint32_t>(frame.size());
  const auto end = frame.begin() + static_cast<std::ptrdiff_t>(kept);
  if (format_ == Format::kPcapng) {
    const std::uint64_t time = std::uint64_t{kSeconds} * 1000000 + kMicroseconds;
    Bytes packet;
    append32(packet, 0, false);
    append32(packet, static_cast<std::uint32_t>(time >> 32), false);
    append32(packet, static_cast<std::uint32_t>(time & 0xffffffff), false);
    append32(packet, kept, false);
    append32(packet, length, false);
    packet.insert(packet.end(), frame.begin(), end);
    add_block(6, packet);
    return;
  }
  put32(kSeconds);
  put32(format_ == Format::kPcapNano ? kMicroseconds * 1000 : kMicroseconds);
  put32(kept);
  put32(length);
  bytes_.insert(bytes_.end(), frame.begin(), end);
}

Result<CaptureReader> open_capture(const Bytes& bytes) {
  std::FILE* stream = std::tmpfile();
  if (stream == nullptr) std::abort();
  if (!bytes.empty() && std::fwrite(bytes.data(), 1, bytes.size(), stream) != bytes.size())
    std::abort();
  std::rewind(stream);
  return CaptureReader::from_stream(stream, "capture");
}

}  // namespace espial::frames
