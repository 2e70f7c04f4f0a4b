// SPDX-License-Identifier: Apache-2.0
// One "-A CHAIN ..." line of iptables-save as a rule.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/facts/firewall.h"

namespace espial {

// Words of a line as the shell would split it: double quotes group, a backslash escapes.
std::vector<std::string> iptables_words(std::string_view line);

// words: everything after the chain's name. text stays as it is. Never fails: an option that is not
// known makes the rest of its match Unknown.
Rule iptables_rule(const std::vector<std::string>& words);

}  // namespace espial
