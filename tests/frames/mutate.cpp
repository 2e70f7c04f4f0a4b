// SPDX-License-Identifier: Apache-2.0
#include "frames/mutate.h"

#include <algorithm>
#include <array>

namespace espial::frames {
namespace {

// Protocol numbers, ethertypes' halves, ports' halves, lengths at the edge.
constexpr std::array<std::uint8_t, 40> kTelling = {
    0,    1,    2,    4,    5,    6,    8,    17,   41,   43,   44,   47,   50,   51,
    58,   60,   0x11, 0x94, 0x12, 0xb5, 0x81, 0x88, 0xa8, 0x86, 0xdd, 0x45, 0x46, 0x60,
    0x7f, 0x80, 0xfe, 0xff, 0xb6, 0x17, 0xc1, 0x3e, 0xbe, 0x22, 0xeb, 0x65};

std::size_t below(std::size_t limit, std::mt19937_64& random) {
  return limit == 0 ? 0 : static_cast<std::size_t>(random() % limit);
}

void change_once(Bytes& b, const Bytes& other, std::mt19937_64& random) {
  // Headers are in front: look there most of the time.
  const std::size_t reach = random() % 4 == 0 ? b.size() : std::min<std::size_t>(b.size(), 96);
  const std::size_t at = below(reach, random);
  switch (random() % 7) {
    case 0:
      if (!b.empty()) b[at] = static_cast<std::uint8_t>(b[at] ^ (1U << (random() % 8)));
      break;
    case 1:
    case 2:
      if (!b.empty()) b[at] = kTelling[below(kTelling.size(), random)];
      break;
    case 3:
      b.resize(below(b.size() + 1, random));
      break;
    case 4:
      b.resize(b.size() + below(40, random), static_cast<std::uint8_t>(random()));
      break;
    case 5:
      if (!b.empty()) b.erase(b.begin() + static_cast<std::ptrdiff_t>(at));
      break;
    case 6: {
      const std::size_t from = below(other.size(), random);
      b.resize(at);
      b.insert(b.end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
      break;
    }
  }
}

}  // namespace

Bytes mutate(const Bytes& frame, const Bytes& other, std::mt19937_64& random) {
  Bytes b = frame;
  const auto times = 1 + random() % 3;
  for (std::uint64_t i = 0; i < times; ++i) change_once(b, other, random);
  return b;
}

}  // namespace espial::frames
