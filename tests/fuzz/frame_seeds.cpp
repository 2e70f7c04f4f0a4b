// SPDX-License-Identifier: Apache-2.0
// Writes the corpus as seeds of frame_fuzz into the folder given.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <string>

#include "frames/corpus.h"

using namespace espial;

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: frame_seeds FOLDER\n";
    return 2;
  }
  for (const auto& c : frames::corpus()) {
    std::string name = c.name;
    std::replace(name.begin(), name.end(), '/', '-');
    std::ofstream out(std::string(argv[1]) + "/" + name, std::ios::binary);
    const int circumstances = (c.frame.link() == frames::LinkKind::kRaw ? 1 : 0) |
                              (c.direction == Direction::TRANSMIT ? 2 : 0) |
                              (c.metadata_tci ? 4 : 0);
    const unsigned tci = c.metadata_tci.value_or(0);
    out.put(static_cast<char>(circumstances));
    out.put(static_cast<char>(tci >> 8));
    out.put(static_cast<char>(tci & 0xff));
    for (const std::uint8_t b : c.frame.bytes()) out.put(static_cast<char>(b));
    if (!out.flush()) {
      std::cerr << argv[1] << "/" << name << ": write failed\n";
      return 3;
    }
  }
  return 0;
}
