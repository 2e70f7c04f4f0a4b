// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace espial {

// What somebody removed and a look put back.
struct Missing {
  std::size_t programs = 0;
  std::size_t pins = 0;  // of links that went on without
  Missing& operator+=(const Missing& more) {
    programs += more.programs;
    pins += more.pins;
    return *this;
  }
};

}  // namespace espial
