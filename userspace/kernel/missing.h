// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace espial {

// What had been removed and was put back.
struct Missing {
  std::size_t programs = 0;
  std::size_t pins = 0;  // of links that were still attached
  Missing& operator+=(const Missing& more) {
    programs += more.programs;
    pins += more.pins;
    return *this;
  }
};

}  // namespace espial
