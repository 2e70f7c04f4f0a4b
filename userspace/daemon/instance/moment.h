// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/policy/policy.h"

namespace espial {

// Both clocks and the kernel's name of this boot (/proc/sys/kernel/random/boot_id), which is empty
// when it cannot be read.
Moment this_moment();

}  // namespace espial
