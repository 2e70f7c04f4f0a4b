// SPDX-License-Identifier: Apache-2.0
// The running kernel's names of drop reasons (enum skb_drop_reason), from its BTF: numbers differ
// between kernels.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/result.h"

namespace espial {

// By number, without the prefix SKB_DROP_REASON_. Error: no BTF, or no such enum (before 5.17).
Result<std::map<std::uint32_t, std::string>> kernel_drop_reasons();

}  // namespace espial
