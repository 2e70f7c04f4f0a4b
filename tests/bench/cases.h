// SPDX-License-Identifier: Apache-2.0
// What is measured: one frame per class and direction, in a mesh of mesh.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/mesh.h"
#include "bench/shared.bpf.h"
#include "frames/frame.h"
#include "model/words.h"

namespace espial::bench {

struct Case {
  std::string name;  // a JSON key: stable
  frames::Bytes bytes;
  Direction direction = Direction::RECEIVE;
  Class expected = Class::OTHER;
  std::uint32_t peers = 1000;  // in the mesh
  bench_vary vary{};           // count 0: the same packet each time
};

// Every row of the table of classes. quick: the rows that the gate watches.
std::vector<Case> classifier_cases(bool quick);

// 64 bytes with Ethernet: ESP, as a healthy mesh carries it, from the first peer to this node.
frames::Bytes esp_frame();

// 64 bytes that came in clear from the backend of the last of `peers` peers, or with `random` from
// another peer's each time. The name tells both.
Case cleartext_of_any(Family family, bool random, std::uint32_t peers);

}  // namespace espial::bench
