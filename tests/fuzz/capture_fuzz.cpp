// SPDX-License-Identifier: Apache-2.0
// libFuzzer entry: any bytes as a capture file. Every frame must be readable to its last byte and
// every error one printable line.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "capture/capture.h"

using namespace espial;

namespace {

void check(const Error& error) {
  for (const char c : error.message)
    if (c < 0x20 || c >= 0x7f) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::FILE* stream = fmemopen(const_cast<std::uint8_t*>(data), size, "rb");
  if (stream == nullptr) return 0;
  auto reader = CaptureReader::from_stream(stream, "f");
  if (!reader.ok()) {
    check(reader.error());
    return 0;
  }
  volatile std::uint8_t sum = 0;
  while (true) {
    const auto frame = reader->next();
    if (!frame.ok()) check(frame.error());
    if (!frame.ok() || !*frame) return 0;
    if ((*frame)->original_length < (*frame)->bytes.size()) std::abort();
    for (const std::uint8_t b : (*frame)->bytes) sum = static_cast<std::uint8_t>(sum + b);
  }
}
