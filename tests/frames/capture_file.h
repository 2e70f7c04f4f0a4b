// SPDX-License-Identifier: Apache-2.0
// Writes small capture files for tests, without libpcap.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "capture/capture.h"
#include "frames/frame.h"

namespace espial::frames {

class CaptureFile {
 public:
  enum class Format : std::uint8_t { kPcap, kPcapSwapped, kPcapNano, kPcapng };
  static constexpr std::uint32_t kSeconds = 1700000000;  // when every frame was seen
  static constexpr std::uint32_t kMicroseconds = 250000;

  CaptureFile(Format format, std::uint32_t link_type);
  // captured: how many bytes of the frame were kept; default all.
  void add(const Bytes& frame, std::optional<std::size_t> captured = {});
  [[nodiscard]] const Bytes& bytes() const { return bytes_; }

 private:
  void put16(std::uint32_t v);
  void put32(std::uint32_t v);
  void add_block(std::uint32_t type, const Bytes& body);

  Format format_;
  Bytes bytes_;
};

// A reader over the bytes, which are copied; its name is "capture".
Result<CaptureReader> open_capture(const Bytes& bytes);

}  // namespace espial::frames
