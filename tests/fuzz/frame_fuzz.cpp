// SPDX-License-Identifier: Apache-2.0
// libFuzzer entry: any bytes as a frame. The host-compiled parser and judge must agree with the
// oracle. Input: one byte of circumstances, two of VLAN metadata, then the frame.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <vector>

#include "frames/corpus.h"
#include "frames/host_engine.h"

using namespace espial;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  static const frames::TableImage image(frames::corpus_world());
  // A copy of its own: one byte too far is seen by the address sanitizer.
  const std::vector<std::uint8_t> bytes(data + 3, data + size);
  frames::Input input;
  input.bytes = bytes;
  input.link = (data[0] & 1) != 0 ? frames::LinkKind::kRaw : frames::LinkKind::kEthernet;
  input.direction = (data[0] & 2) != 0 ? Direction::TRANSMIT : Direction::RECEIVE;
  if ((data[0] & 4) != 0) input.metadata_tci = static_cast<std::uint16_t>(data[1] << 8 | data[2]);
  const auto expected = frames::oracle(frames::corpus_world(), input);
  const auto got = frames::judge_on_host(image, input);
  const auto fate = frames::oracle_fate(frames::corpus_world(), input, expected);
  if (!(got.verdict == expected) || got.fate != fate) {
    std::cerr << "oracle: " << expected << " " << to_string(fate) << "\nparser: " << got.verdict
              << " " << to_string(got.fate) << "\n";
    std::abort();
  }
  return 0;
}
