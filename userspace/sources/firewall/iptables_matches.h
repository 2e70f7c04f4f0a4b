// SPDX-License-Identifier: Apache-2.0
// The options of one match of an iptables rule as steps (iptables-extensions(8)).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/facts/firewall.h"

namespace espial {

// One option with its values: "! --dport 22", "-s 10.0.0.0/8".
struct IptablesOption {
  bool negated = false;
  std::string name;
  std::vector<std::string> values;
};

// The field is the pattern, or with "!" is not.
Match iptables_compare(Field field, const IptablesOption& option, Pattern pattern);

// The options of "-m module", or of the rule itself with module "". nothing: not understood as a
// whole.
std::optional<std::vector<RuleStep>> iptables_match(std::string_view module,
                                                    const std::vector<IptablesOption>& options);

// "0x10", "16": nothing if it is something else or does not fit.
std::optional<std::uint32_t> iptables_number(std::string_view text);

// "VALUE/MASK" or "VALUE" with a mask of all bits.
struct Masked {
  std::uint32_t value = 0;
  std::uint32_t mask = 0xffffffff;
};
std::optional<Masked> iptables_masked(std::string_view text);

}  // namespace espial
