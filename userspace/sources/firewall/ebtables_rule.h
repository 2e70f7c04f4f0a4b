// SPDX-License-Identifier: Apache-2.0
// The matches and the target of one rule of ebtables as steps (ebtables-legacy(8)).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/facts/firewall.h"

namespace espial {

// rule: everything after the chain's name. is_chain: has the table a user chain of that name? Never
// fails: what is not known becomes Unknown, MAC addresses among it.
std::vector<RuleStep> ebtables_steps(std::string_view rule, std::string_view table,
                                     const std::function<bool(const std::string&)>& is_chain);

// ACCEPT, DROP, CONTINUE or RETURN, anything else is Unknown. DROP in broute, too: it gives the
// frame to IP as its port's own, past the bridge (ebtable_broute.c).
RuleStep ebtables_verdict(std::string_view word, std::string_view table);

}  // namespace espial
