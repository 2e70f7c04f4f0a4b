// SPDX-License-Identifier: Apache-2.0
// Random changes to frames that keep them interesting: most bytes stay, headers lie.
#pragma once

#include <random>

#include "frames/frame.h"

namespace espial::frames {

// A changed copy: bit flips, telling values, cuts, growth, splices of `other`. Deterministic for
// one state of the generator.
Bytes mutate(const Bytes& frame, const Bytes& other, std::mt19937_64& random);

}  // namespace espial::frames
