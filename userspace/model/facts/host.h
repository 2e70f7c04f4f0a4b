// SPDX-License-Identifier: Apache-2.0
// HostFacts: what this node can do about IPsec at all. Plain values; nothing = it cannot be told.
#pragma once

#include <optional>

namespace espial {

struct HostFacts {
  std::optional<bool> ike_listens;  // a socket of this namespace has UDP port 500 or 4500
  std::optional<bool> esp;          // the kernel has ESP, or a module for it
};

}  // namespace espial
